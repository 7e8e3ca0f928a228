"""The cases that optimizers are compared on, and, run as a script, what optax makes of them.

    PEER/bin/python tests/optimizers/sequences.py > tests/optimizers/optax_sequences.json     (an
    environment with jax and optax)

epsilon is 1e-300 where optax puts it under the root and vmcnet beside it: the two then agree, and
the hand-written formulas test the rest.
"""

import json
from math import sin

START = [0.3, -1.2, 0.05, 2.0]
STEPS = 25
CASES = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "heavy ball": ("Momentum", {"learning_rate": 0.05, "momentum": 0.8}),
    "nesterov": ("Momentum", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True}),
    "adagrad": ("AdaGrad", {"learning_rate": 0.3, "epsilon": 1e-300}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.02, "decay": 0.85, "epsilon": 1e-5}),
    "adam": ("Adam", {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6}),
    "adamw": ("Adam", {"learning_rate": 0.05, "epsilon": 1e-6, "weight_decay": 0.1}),
    "adam, norm limit": ("Adam", {"learning_rate": 0.05, "max_norm": 0.04}),
    "sgd, cosine after a warm-up": (
        "SGD",
        {
            "learning_rate": 0.1,
            "schedule": ("Cosine", {"iterations": 12, "floor": 0.1, "warmup": 4}),
        },
    ),
    "adam, inverse decay": (
        "Adam",
        {"learning_rate": 0.05, "schedule": ("InverseDecay", {"delay": 5.0, "power": 0.7})},
    ),
    "heavy ball, inverse decay": (
        "Momentum",
        {"learning_rate": 0.05, "schedule": ("InverseDecay", {"delay": 3.0})},
    ),
}


def gradient(k, theta):
    """A gradient of step k: a quadratic of four curvatures, with noise that any language can
    repeat.
    """
    return [
        c * x + 0.3 * sin(1.0 + 7.0 * k + 3.0 * i)
        for i, (c, x) in enumerate(zip((0.1, 1.0, 3.0, 0.5), theta, strict=True))
    ]


def by_optax(case):
    """theta after every step."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import optax

    kind, keys = CASES[case]
    rate, schedule = keys["learning_rate"], keys.get("schedule")
    if schedule and schedule[0] == "InverseDecay":
        inner = schedule[1]

        def rate(t):
            return keys["learning_rate"] * (1 + t / inner["delay"]) ** -inner.get("power", 1.0)

    elif schedule:
        inner = schedule[1]
        rise = optax.linear_schedule(rate / (inner["warmup"] + 1), rate, inner["warmup"])
        joined = optax.join_schedules(
            [rise, optax.cosine_decay_schedule(rate, inner["iterations"], inner["floor"])],
            [inner["warmup"]],
        )

        def rate(t):
            return joined(jnp.float64(t))  # an integer count makes optax work in float32

    transform = {
        "SGD": lambda: optax.sgd(rate),
        "Momentum": lambda: optax.sgd(
            rate, momentum=keys.get("momentum", 0.9), nesterov=keys.get("nesterov", False)
        ),
        "AdaGrad": lambda: optax.adagrad(rate, initial_accumulator_value=0.0, eps=0.0),
        "RMSprop": lambda: optax.rmsprop(
            rate, decay=keys.get("decay"), eps=keys.get("epsilon"), eps_in_sqrt=False
        ),
        "Adam": lambda: optax.adamw(
            rate,
            b1=keys.get("beta1", 0.9),
            b2=keys.get("beta2", 0.999),
            eps=keys.get("epsilon", 1e-8),
            weight_decay=keys.get("weight_decay", 0.0),
        ),
    }[kind]()
    if "max_norm" in keys:
        transform = optax.chain(transform, optax.clip_by_global_norm(keys["max_norm"]))
    theta = jnp.array(START)
    state, found = transform.init(theta), []
    for k in range(STEPS):
        updates, state = transform.update(jnp.array(gradient(k, theta.tolist())), state, theta)
        theta = optax.apply_updates(theta, updates)
        found.append(theta.tolist())
    return found


if __name__ == "__main__":
    import optax

    print(
        json.dumps(
            {"optax": optax.__version__, "sequences": {case: by_optax(case) for case in CASES}},
            indent=0,
        )
    )
