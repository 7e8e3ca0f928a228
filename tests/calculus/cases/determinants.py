"""Determinants and their signed sums; pairs collected onto particles."""

import numpy as np

from tests.calculus.cases.sources import DEEP, FLAT, case, everything, joined, own, pair


def square(source):
    """(w, 3, 3): rows of particles (own), or of everything."""
    return lambda ops, t, x: (
        ops.affine(source(ops, t, x), t["small"])
        + 0.8 * ops.constant(ops.xp.asarray(np.diag([1.0, -1.5, 2.0])[None].astype(ops.real_dtype)))
    )


def signs(ops, x, last=3):
    """Phases +1 and -1 without derivative, (w, last)."""
    return ops.xp.asarray(
        np.where(np.arange(x.shape[0] * last).reshape(-1, last) % 3 == 1, -1.0, 1.0).astype(
            ops.real_dtype
        )
    )


def determinants():
    deep = DEEP | {f"complex-{k}": joined(f) for k, f in DEEP.items()}
    flat = FLAT | {f"complex-{k}": joined(f) for k, f in FLAT.items()}
    for kind, s in deep.items():
        case(
            "logdet", f"logdet({kind})", lambda ops, t, x, s=s: ops.logdet(square(s)(ops, t, x))[1]
        )
        for other, s2 in DEEP.items():
            case(
                "collect",
                f"collect({kind}, {other})",
                lambda ops, t, x, s=s, s2=s2: ops.exp(
                    0.3 * ops.collect(s(ops, t, x), s2(ops, t, x, "q2"))
                ),
            )
    case(
        "collect",
        "messages of four",
        lambda ops, t, x: ops.collect(*(ops.tanh(p) for p in ops.pairs(own(ops, t, x)))) ** 2,
        4,
    )
    for kind, s in flat.items():
        case(
            "logsumexp",
            f"logsumexp({kind})",
            lambda ops, t, x, s=s: ops.logsumexp(2.0 * s(ops, t, x))[1],
        )
        case(
            "logsumexp",
            f"logsumexp({kind}, signs, weights)",
            lambda ops, t, x, s=s: ops.logsumexp(2.0 * s(ops, t, x), signs(ops, x), t["q3"])[1],
        )
    case(
        "logdet",
        "sum of determinants",
        lambda ops, t, x: ops.logsumexp(
            ops.concatenate(
                [
                    ops.expand(ops.logdet(square(s)(ops, t, x))[1], -1)
                    for s in (own, pair, everything)
                ]
            ),
            signs(ops, x),
            t["p3"],
        )[1],
    )


determinants()
