"""Layers, sums, shapes, pairs."""

from itertools import product

from tests.calculus.cases.sources import (
    DEEP,
    FLAT,
    case,
    constant,
    everything,
    fixed,
    joined,
    own,
    pair,
)
from vmcnet.calculus.elementwise import LAYERS


def broad(ops, t, x, activation):
    """Two layers that compiled products take, 15 rows for 5 walkers of 3 particles, (w, 3, 32)."""
    first = ops.dense(everything(ops, t, x), t["broad"], t["broad_b"], activation)
    return ops.dense(first, t["broader"], t["broad_b"], activation)


def structure():
    deep = DEEP | {f"complex-{k}": joined(f) for k, f in DEEP.items()}
    flat = FLAT | {f"complex-{k}": joined(f) for k, f in FLAT.items()}
    for group, weight in ((deep, "small"), (flat, "square")):
        for kind, s in group.items():
            case(
                "affine",
                f"affine({kind}, bias)",
                lambda ops, t, x, s=s, w=weight: ops.affine(s(ops, t, x), t[w], t["bias"]),
            )
            for name in ("tanh", "softplus", "gelu"):
                case(
                    "dense",
                    f"dense {name}({kind})",
                    lambda ops, t, x, s=s, w=weight, f=name: ops.dense(
                        s(ops, t, x), t[w], t["bias"], f
                    ),
                )
            case(
                "affine",
                f"affine({kind})",
                lambda ops, t, x, s=s, w=weight: ops.affine(s(ops, t, x), t[w]) ** 2,
            )
            case(
                "sum",
                f"total({kind})",
                lambda ops, t, x, s=s: ops.exp(0.2 * ops.total(s(ops, t, x))),
            )
            case("norm", f"norm({kind})", lambda ops, t, x, s=s: ops.norm(s(ops, t, x)))
            case(
                "flatten", f"flatten({kind})", lambda ops, t, x, s=s: ops.flatten(s(ops, t, x)) ** 2
            )
            for axis in (-1, -2, -3):
                if axis > -3 or group is deep:
                    case(
                        "expand",
                        f"expand({kind}, {axis})",
                        lambda ops, t, x, s=s, a=axis: ops.expand(s(ops, t, x), a) ** 2,
                    )
            for axis, keep in product((1, 2, -1), (False, True)):
                if axis < 2 or group is deep:
                    case(
                        "sum",
                        f"mean({kind}, {axis}, {keep})",
                        lambda ops, t, x, s=s, a=axis, k=keep: ops.mean(s(ops, t, x), a, k) ** 2,
                    )
                    case(
                        "sum",
                        f"sum({kind}, {axis}, {keep})",
                        lambda ops, t, x, s=s, a=axis, k=keep: ops.exp(ops.sum(s(ops, t, x), a, k)),
                    )
        for (left, a), (right, b) in product(group.items(), group.items()):
            case(
                "concatenate",
                f"concatenate({left}, {right})",
                lambda ops, t, x, a=a, b=b: ops.concatenate([a(ops, t, x), b(ops, t, x)]),
            )
    for name in LAYERS:
        case(
            "dense",
            f"two broad layers, {name}, and a column",
            lambda ops, t, x, f=name: ops.affine(broad(ops, t, x, f), t["column"]),
        )
        case(
            "dense",
            f"three broad layers, {name}, and a column",
            lambda ops, t, x, f=name: ops.affine(
                ops.dense(broad(ops, t, x, f), t["broader"], t["broad_b"], f), t["column"]
            ),
        )
    case(
        "dense",
        "broad layers joined",
        lambda ops, t, x: ops.affine(
            broad(ops, t, x, "tanh") * (1.0 + broad(ops, t, x, "silu")), t["column"]
        ),
    )
    for kind, s in deep.items():
        for side in (0, 1):
            case(
                "gather",
                f"gather({kind}, {side})",
                lambda ops, t, x, s=s, k=side: ops.exp(ops.pairs(s(ops, t, x))[k]),
            )
        case(
            "sum",
            f"sum of expanded {kind}",
            lambda ops, t, x, s=s: ops.sum(ops.expand(s(ops, t, x), -2), axis=1) ** 2,
        )
        case(
            "expand",
            f"outer product of {kind}",
            lambda ops, t, x, s=s: ops.expand(s(ops, t, x), -2) * ops.expand(s(ops, t, x), -3),
        )
    case(
        "gather",
        "pairs of four particles",
        lambda ops, t, x: ops.norm(ops.pairs(x)[0] + 2.0 * ops.pairs(own(ops, t, x))[1]),
        4,
    )
    case(
        "gather", "pairs of pairs of four", lambda ops, t, x: ops.pairs(pair(ops, t, x))[1] ** 2, 4
    )
    case("flatten", "flatten(coordinates)", lambda ops, t, x: ops.flatten(x) ** 3)
    case("flatten", "flatten(scaled coordinates)", lambda ops, t, x: ops.flatten(1.7 * x) ** 3)
    case(
        "flatten",
        "flatten(complex scaled coordinates)",
        lambda ops, t, x: ops.flatten((1.7 - 0.4j) * (0.5 * x)) ** 3,
    )
    case("flatten", "flatten(flatten)", lambda ops, t, x: ops.flatten(ops.flatten(x)) ** 3)
    case("concatenate", "one", lambda ops, t, x: ops.concatenate([ops.flatten(x)]) ** 3)
    case(
        "concatenate",
        "three widths",
        lambda ops, t, x: ops.exp(
            ops.concatenate(
                [
                    own(ops, t, x),
                    ops.sum(pair(ops, t, x), axis=-1, keepdims=True),
                    constant(ops, t, x),
                ]
            )
        ),
    )
    case(
        "affine",
        "one particle, flat",
        lambda ops, t, x: ops.affine(ops.sum(own(ops, t, x), axis=-1), t["line"], t["bias"]) ** 2,
        1,
    )
    case(
        "affine",
        "of one-walker constants",
        lambda ops, t, x: (
            own(ops, t, x)
            * ops.sum(
                ops.affine(fixed(ops, (1, 3, 2)), t["small"], t["bias"]), axis=-1, keepdims=True
            )
        ),
    )


structure()
