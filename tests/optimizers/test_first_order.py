"""Optimizers against optax's sequences, against their published formulas in 50 decimal digits, and
on a function with a known minimum.
"""

import json
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
import pytest

from tests.optimizers.sequences import CASES, START, STEPS, gradient
from vmcnet import optimizers
from vmcnet.optimizers import SGD, AdaGrad, Adam, Constant, Cosine, InverseDecay, Momentum, RMSprop

PEER = json.loads((Path(__file__).parent / "optax_sequences.json").read_text())["sequences"]


def make(case):
    kind, keys = CASES[case]
    keys = dict(keys)
    if "schedule" in keys:
        name, arguments = keys["schedule"]
        keys["schedule"] = getattr(optimizers, name)(**arguments)
    return getattr(optimizers, kind)(**keys)


def follow(optimizer):
    """theta after every step, (STEPS, 4)."""
    theta, state, found = np.array(START), optimizer.start(len(START)), []
    for k in range(STEPS):
        step, state = optimizer.step(np.array(gradient(k, theta.tolist())), state, k, theta)
        theta = theta + step
        found.append(theta)
    return np.array(found)


@pytest.mark.parametrize("case", CASES)
def test_sequences_of_optax(case):
    np.testing.assert_allclose(follow(make(case)), PEER[case], rtol=1e-12, atol=1e-12)


def test_sequences_differ():
    """Twelve digits mean something only if no two cases agree to three."""
    ends = np.array([PEER[case][-1] for case in CASES])
    for k in range(len(ends)):
        assert np.sort(np.abs(ends - ends[k]).max(axis=1))[1] > 1e-3


def decimal_step(kind, keys, state, g, theta, t):
    """One coordinate's update by the published formula; t counts from 1."""
    d = {k: Decimal(v) for k, v in keys.items() if not isinstance(v, bool)}
    rate, g, theta = d["learning_rate"], Decimal(g), Decimal(theta)
    zero = Decimal(0)
    if kind == "Momentum":
        state["v"] = d["momentum"] * state.get("v", zero) + g
        return -rate * (g + d["momentum"] * state["v"] if keys.get("nesterov") else state["v"])
    if kind == "AdaGrad":
        state["G"] = state.get("G", zero) + g * g
        return -rate * g / (state["G"].sqrt() + d["epsilon"])
    if kind == "RMSprop":
        state["v"] = d["decay"] * state.get("v", zero) + (1 - d["decay"]) * g * g
        return -rate * g / (state["v"].sqrt() + d["epsilon"])
    state["m"] = d["beta1"] * state.get("m", zero) + (1 - d["beta1"]) * g
    state["v"] = d["beta2"] * state.get("v", zero) + (1 - d["beta2"]) * g * g
    m, v = state["m"] / (1 - d["beta1"] ** t), state["v"] / (1 - d["beta2"] ** t)
    return -rate * (m / (v.sqrt() + d["epsilon"]) + d["weight_decay"] * theta)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("Momentum", {"learning_rate": 0.03, "momentum": 0.7}),
        ("Momentum", {"learning_rate": 0.03, "momentum": 0.7, "nesterov": True}),
        ("AdaGrad", {"learning_rate": 0.2, "epsilon": 0.01}),
        ("RMSprop", {"learning_rate": 0.02, "decay": 0.9, "epsilon": 0.03}),
        (
            "Adam",
            {
                "learning_rate": 0.05,
                "beta1": 0.8,
                "beta2": 0.95,
                "epsilon": 0.02,
                "weight_decay": 0.3,
            },
        ),
    ],
)
def test_published_formulas(kind, keys):
    getcontext().prec = 50
    found, exact, states = (
        follow(getattr(optimizers, kind)(**keys)),
        [Decimal(x) for x in START],
        [{} for _ in START],
    )
    for k in range(STEPS):
        g = gradient(k, [float(x) for x in exact])
        exact = [
            x + decimal_step(kind, keys, s, gi, x, k + 1)
            for x, s, gi in zip(exact, states, g, strict=True)
        ]
        np.testing.assert_allclose(found[k], np.array(exact, float), rtol=1e-12, atol=1e-12)


def test_first_step_of_adam_is_the_learning_rate():
    step, _ = Adam(0.01).step(np.array([1e-3, -40.0]), Adam(0.01).start(2), 0, np.zeros(2))
    np.testing.assert_allclose(step, [-0.01, 0.01], rtol=2e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.3),
        Momentum(0.1),
        Momentum(0.1, nesterov=True),
        AdaGrad(1.0),
        RMSprop(0.05, schedule=InverseDecay(20.0)),
        Adam(0.1, schedule=Cosine(400)),
    ],
    ids=lambda o: f"{o.name}{'+' if getattr(o, 'nesterov', False) else ''}",
)
def test_minimum_of_a_quadratic(optimizer):
    """Curvatures 1 and 0.1: theta reaches the minimum (2, -1)."""
    theta, state = np.array([0.0, 0.0]), optimizer.start(2)
    for k in range(400):
        step, state = optimizer.step(np.array([1.0, 0.1]) * (theta - [2.0, -1.0]), state, k, theta)
        theta = theta + step
    np.testing.assert_allclose(theta, [2.0, -1.0], atol=5e-3)


def test_schedules():
    assert [Constant().factor(t) for t in (0, 5)] == [1.0, 1.0]
    assert [Constant(3).factor(t) for t in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert [InverseDecay(10.0, warmup=2).factor(t) for t in (0, 2, 12, 32)] == [
        1 / 3,
        1.0,
        0.5,
        0.25,
    ]
    assert InverseDecay(10.0, 0.5).factor(30) == 0.5
    cosine = Cosine(100, floor=0.2)
    np.testing.assert_allclose(
        [cosine.factor(t) for t in (0, 50, 100, 1000)], [1.0, 0.6, 0.2, 0.2], rtol=1e-15
    )


def test_norm_limit():
    step, _ = SGD(1.0, max_norm=0.5).step(np.array([3.0, -4.0]), {}, 0, np.zeros(2))
    np.testing.assert_allclose(step, [-0.3, 0.4], rtol=1e-15)
    step, _ = SGD(1.0, max_norm=5.5).step(np.array([3.0, -4.0]), {}, 0, np.zeros(2))
    np.testing.assert_array_equal(step, [-3.0, 4.0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(0.0), "SGD learning_rate"),
        (lambda: Adam(-1.0), "Adam learning_rate"),
        (lambda: Adam(0.1, beta1=1.0), "beta1"),
        (lambda: Adam(0.1, beta2=-0.1), "beta2"),
        (lambda: Adam(0.1, epsilon=0.0), "epsilon"),
        (lambda: SGD(float("nan")), "learning_rate"),
        (lambda: Adam(0.1, weight_decay=-1.0), "weight_decay"),
        (lambda: Momentum(0.1, 1.0), "momentum"),
        (lambda: RMSprop(0.1, decay=1.0), "decay"),
        (lambda: AdaGrad(0.1, 0.0), "epsilon"),
        (lambda: SGD(0.1, max_norm=0.0), "max_norm"),
        (lambda: Constant(-1), "warmup"),
        (lambda: InverseDecay(0.0), "delay"),
        (lambda: InverseDecay(1.0, -1.0), "power"),
        (lambda: Cosine(0), "iterations"),
        (lambda: Cosine(5, 1.5), "floor"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
