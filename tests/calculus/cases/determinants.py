"""Determinants and their signed sums; pairs collected onto particles."""

import numpy as np

from tests.calculus.cases.sources import (
    DEEP,
    FLAT,
    WALKERS,
    case,
    everything,
    fixed,
    joined,
    own,
    pair,
)


def square(source):
    """(w, 3, 3): rows of particles (own), or of everything; `key` for different ones."""
    return lambda ops, t, x, key=0: (
        ops.affine(source(ops, t, x), t["small"])
        + (0.8 - 0.5 * key)
        * ops.constant(ops.xp.asarray(np.diag([1.0, -1.5, 2.0])[None].astype(ops.real_dtype)))
    )


def two(source):
    """(w, 3, 6): two matrices side by side."""
    return lambda ops, t, x: ops.affine(source(ops, t, x), t["double"]) + fixed(ops, (1, 3, 6), 2)


def skew(ops, m):
    """Fixed numbers above the diagonal, large enough that no Pfaffian comes near 0."""
    upper = np.triu(1.5 + np.arange(m * m).reshape(m, m) % 3, 1)
    return ops.constant(ops.xp.asarray(upper[None].astype(ops.real_dtype)))


def even(source):
    """(w, 4, 4) of rows and columns met twice, with fixed numbers added."""

    def function(ops, t, x):
        rows = ops.take(ops.affine(source(ops, t, x), t["small"]), [0, 1, 2, 1])
        return 0.5 * ops.take(rows, [0, 1, 2, 0], axis=-1) + skew(ops, 4)

    return function


def signs(ops, x, last=3):
    """Phases +1 and -1 without derivative, (w, last)."""
    pattern = np.where(np.arange(WALKERS * last).reshape(-1, last) % 3 == 1, -1.0, 1.0)
    pattern = np.tile(pattern, (x.shape[0] // WALKERS, 1))
    return ops.constant(ops.xp.asarray(pattern.astype(ops.real_dtype)))


def determinants():
    deep = DEEP | {f"complex-{k}": joined(f) for k, f in DEEP.items()}
    flat = FLAT | {f"complex-{k}": joined(f) for k, f in FLAT.items()}
    for kind, s in deep.items():
        case(
            "slogdet",
            f"slogdet({kind})",
            lambda ops, t, x, s=s: ops.slogdet(square(s)(ops, t, x))[1],
        )
        case(
            "slogdet",
            f"two of {kind} side by side",
            lambda ops, t, x, s=s: ops.slogdet(two(s)(ops, t, x), count=2)[1] ** 2,
        )
        case(
            "slogdet",
            f"matrices one a particle ({kind})",
            lambda ops, t, x, s=s: ops.slogdet(
                ops.reshape(ops.affine(s(ops, t, x), t["four"]), 3, 2, 2) + fixed(ops, (1, 1, 2, 2))
            )[1],
        )
        case(
            "slogdet",
            f"slogdet(particles taken from {kind})",
            lambda ops, t, x, s=s: ops.slogdet(
                ops.take(two(s)(ops, t, x), [2, 0, 1], axis=1),
                count=2,
            )[1],
        )
        case(
            "log_pfaffian",
            f"log_pfaffian({kind})",
            lambda ops, t, x, s=s: ops.log_pfaffian(even(s)(ops, t, x))[1],
        )
        case(
            "log_pfaffian",
            f"log_pfaffian of many ({kind})",
            lambda ops, t, x, s=s: ops.log_pfaffian(
                ops.reshape(ops.affine(s(ops, t, x), t["four"]), 3, 2, 2)
                + ops.expand(skew(ops, 2), -3)
            )[1],
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
    for name, sources in (("three supports", (own, pair, everything)), ("own", (own,) * 3)):

        def summed(ops, t, x, sources=sources):
            parts = [ops.slogdet(square(s)(ops, t, x, k)) for k, s in enumerate(sources)]
            phases, logs = (ops.stack(p) for p in zip(*parts, strict=True))
            return ops.logsumexp(logs, phases, t["p3"])[1]

        case("slogdet", f"sum of determinants, {name}", summed)
        case("logsumexp", f"logsumexp of determinants, {name}", summed)


determinants()
