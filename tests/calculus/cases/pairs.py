"""Displacements, messages, residual layers, fixed matrices."""

from itertools import product

import numpy as np

from tests.calculus.cases.sources import (
    DEEP,
    case,
    constant,
    everything,
    fixed,
    joined,
    linear,
    own,
    pair,
    summed,
)
from vmcnet.calculus.elementwise import LAYERS

MATRIX = np.random.default_rng(2).uniform(0.2, 0.6, (2, 3))


def displacement(ops, t, x, p="p2"):
    apart = ops.displacements(x)
    return (1.0 + 0.4 * apart + 0.3 * apart * apart) * t[p]


PAIRS = DEEP | {"displacement": displacement}
EVERY = PAIRS | {f"complex-{k}": joined(f) for k, f in PAIRS.items()}


def displacements():
    signs = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
    }
    case("displacements", "displacements", lambda ops, t, x: ops.displacements(x) ** 3)
    case("displacements", "of scaled", lambda ops, t, x: ops.exp(ops.displacements(1.7 * x)))
    case("displacements", "of four", lambda ops, t, x: ops.norm(ops.displacements(x)), 4)
    case("displacements", "of two", lambda ops, t, x: ops.norm(ops.displacements(x)) * t["p3"], 2)
    case(
        "concatenate",
        "three and two features of the only pair",
        lambda ops, t, x: (
            ops.concatenate(
                [ops.displacements(x), fixed(ops, (x.shape[0], 1, 3)), ops.displacements(x) ** 2]
            )
            ** 2
        ),
        2,
    )
    for kind, s in EVERY.items():
        case(
            "displacements",
            f"displacements({kind})",
            lambda ops, t, x, s=s: ops.displacements(s(ops, t, x)) ** 2,
        )
    near, wave = displacement, joined(displacement)
    flat = summed(near)
    functions = {
        "exp": lambda ops, y: ops.exp(y),
        "sin": lambda ops, y: ops.sin(y),
        "tanh": lambda ops, y: ops.tanh(y),
        "power": lambda ops, y: y**-1,
        "norm": lambda ops, y: ops.norm(y),
        "scale": lambda ops, y: 0.7 * y,
        "shift": lambda ops, y: ops.exp(y - 0.3),
        "flatten": lambda ops, y: ops.flatten(y) ** 2,
        "sum": lambda ops, y: ops.exp(0.3 * ops.sum(y, -1)),
        "expand": lambda ops, y: ops.expand(y, -1) * ops.expand(y, -2),
    }
    for (name, f), (kind, s) in product(
        functions.items(), {"displacement": near, "complex displacement": wave}.items()
    ):
        case(name, f"{name}({kind})", lambda ops, t, x, f=f, s=s: f(ops, s(ops, t, x)))
    case("sum", "displacements summed", lambda ops, t, x: ops.sum(near(ops, t, x), 1) ** 2)
    case("sum", "flat displacements", lambda ops, t, x: ops.exp(0.3 * ops.sum(flat(ops, t, x), 1)))
    case("expand", "pairs of displacements", lambda ops, t, x: ops.expand(near(ops, t, x), -3) ** 2)
    case("gather", "gather(displacement)", lambda ops, t, x: ops.pairs(near(ops, t, x))[1] ** 2)
    case(
        "affine",
        "affine(displacement)",
        lambda ops, t, x: ops.affine(near(ops, t, x), t["small"], t["bias"]) ** 2,
    )
    case(
        "affine",
        "affine(flat displacement)",
        lambda ops, t, x: ops.affine(flat(ops, t, x), t["square"]) ** 2,
    )
    case(
        "dense",
        "dense(displacement)",
        lambda ops, t, x: ops.dense(near(ops, t, x), t["small"], t["bias"], "tanh"),
    )
    for (kind, s), (name, f) in product(PAIRS.items(), signs.items()):
        case(
            name,
            f"{name}(displacement, {kind})",
            lambda ops, t, x, f=f, s=s: f(near(ops, t, x), s(ops, t, x, "q2")),
        )
        case(
            name,
            f"{name}({kind}, complex displacement)",
            lambda ops, t, x, f=f, s=s: f(s(ops, t, x), wave(ops, t, x, "q2")),
        )
    for kind, s in PAIRS.items():
        case(
            "concatenate",
            f"concatenate(displacement, {kind})",
            lambda ops, t, x, s=s: (
                ops.concatenate([near(ops, t, x), s(ops, t, x, "q2"), near(ops, t, x)]) ** 2
            ),
        )
    for name, f in signs.items():
        case(
            name,
            f"{name}(displacement, parameter)",
            lambda ops, t, x, f=f: f(near(ops, t, x), t["q2"]),
        )
        case(
            name,
            f"{name}(flat displacement, linear)",
            lambda ops, t, x, f=f: f(flat(ops, t, x), linear(ops, t, x)),
        )
        case(
            name,
            f"{name}(one displacement, constant) n=2",
            lambda ops, t, x, f=f: f(near(ops, t, x), fixed(ops, (x.shape[0], 4, 2))),
            2,
        )


def messages():
    for (first, a), (second, b) in product(EVERY.items(), PAIRS.items()):
        if "displacement" in (first.removeprefix("complex-"), second):
            case(
                "collect",
                f"collect({first}, {second})",
                lambda ops, t, x, a=a, b=b: (
                    ops.collect(a(ops, t, x), ops.tanh(b(ops, t, x, "q2"))) ** 2
                ),
            )
    for kind, s in {"pair": pair, "displacement": displacement}.items():
        for n in (2, 4):
            case(
                "collect",
                f"collect({kind}) of {n}",
                lambda ops, t, x, s=s: ops.collect(s(ops, t, x), s(ops, t, x, "q2")) ** 2,
                n,
            )
            case(
                "messages",
                f"messages({kind}) of {n}",
                lambda ops, t, x, s=s: ops.messages(
                    s(ops, t, x), ops.tanh(s(ops, t, x, "q2")), everything(ops, t, x)
                ),
                n,
            )
    edges_of = PAIRS | {"complex-displacement": joined(displacement)}
    for (edges, a), (kind, v) in product(edges_of.items(), PAIRS.items()):
        case(
            "messages",
            f"messages({edges}, {kind})",
            lambda ops, t, x, a=a, v=v: (
                ops.messages(a(ops, t, x), ops.exp(-a(ops, t, x, "q2")), v(ops, t, x)) ** 2
            ),
        )
    case(
        "messages",
        "messages of a pair and a displacement",
        lambda ops, t, x: ops.messages(
            pair(ops, t, x), displacement(ops, t, x, "q2"), everything(ops, t, x)
        ),
    )
    case(
        "messages",
        "messages of complex particles",
        lambda ops, t, x: ops.messages(
            displacement(ops, t, x), pair(ops, t, x), joined(everything)(ops, t, x)
        ),
    )
    case(
        "messages",
        "messages with one walker's weights",
        lambda ops, t, x: ops.messages(
            fixed(ops, (1, 3, 2)), fixed(ops, (1, 3, 2), 1), everything(ops, t, x)
        ),
    )


def residual():
    complexes = {"complex-displacement": joined(displacement)}
    for (kind, h), (other, s) in product(PAIRS.items(), (PAIRS | complexes).items()):
        case(
            "residual",
            f"residual({kind}, {other})",
            lambda ops, t, x, h=h, s=s: (
                ops.residual(
                    ops.affine(h(ops, t, x), t["small"]),
                    [(s(ops, t, x, "q2"), t["small"]), (h(ops, t, x), ops.fixed(MATRIX))],
                    t["bias"],
                    "tanh",
                )
                ** 2
            ),
        )
    for name, many in product(LAYERS, (1, 2, 3)):
        case(
            "residual",
            f"residual {name} of {many} terms",
            lambda ops, t, x, f=name, k=many: _broad(ops, t, x, f, k),
        )
    for kind, s in {"own": own, "displacement": displacement, "constant": constant}.items():
        case(
            "residual",
            f"residual of flat {kind}",
            lambda ops, t, x, s=s: ops.residual(
                summed(s)(ops, t, x), [(summed(s)(ops, t, x), t["square"])], t["bias"], "gelu"
            ),
        )


def _broad(ops, t, x, activation, terms):
    h = ops.affine(everything(ops, t, x), t["broad"])
    parts = [(h, t["broader"]), (everything(ops, t, x), t["broad"] * 0.4), (x, -t["broad"])]
    return ops.residual(h, parts[:terms], t["broad_b"], activation)


def matrices():
    for kind, s in EVERY.items():
        case(
            "affine",
            f"affine({kind}) by a fixed matrix",
            lambda ops, t, x, s=s: (
                ops.affine(s(ops, t, x), ops.fixed(MATRIX), ops.fixed(MATRIX[0])) ** 2
            ),
        )
    case(
        "affine",
        "affine by a fixed complex matrix",
        lambda ops, t, x: ops.exp(0.2 * ops.affine(own(ops, t, x), ops.fixed(MATRIX * (1 - 2j)))),
    )
    case(
        "scale",
        "numbers times parameters",
        lambda ops, t, x: (
            ops.affine(own(ops, t, x), 0.5 * t["small"], -t["bias"] / 3.0) ** 2 * (2.0 * t["p3"])
        ),
    )


displacements()
messages()
residual()
matrices()
