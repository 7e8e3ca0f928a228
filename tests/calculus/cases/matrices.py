"""Entries chosen, shapes, products of matrices, softmax."""

from itertools import product

import numpy as np

from tests.calculus.cases.sources import DEEP, FLAT, UNARY, WALKERS, case, fixed, joined, own, pair
from vmcnet.wavefunctions.orbitals import HermitePolynomials

COMPLEX = {f"complex-{k}": joined(f) for k, f in DEEP.items()}


def selections():
    flat = FLAT | {f"complex-{k}": joined(f) for k, f in FLAT.items()}
    for kind, s in (UNARY | COMPLEX | flat).items():
        for index in ([2, 0], [1], [0, 1, 2], [1, 1, 0]):
            case(
                "take",
                f"take {index} of {kind}",
                lambda ops, t, x, s=s, k=index: ops.take(s(ops, t, x), k) ** 2,
            )
        case(
            "reshape",
            f"reshape({kind}) to columns",
            lambda ops, t, x, s=s: ops.reshape(s(ops, t, x), 3, -1, 1) ** 2,
        )
        case(
            "reshape",
            f"reshape({kind}) mixed",
            lambda ops, t, x, s=s: ops.reshape(s(ops, t, x), 1, -1) ** 2,
        )
    for kind, s in (DEEP | COMPLEX).items():
        case(
            "select",
            f"select from {kind}",
            lambda ops, t, x, s=s: ops.select(s(ops, t, x), chosen(ops, x)) ** 2,
        )
        case(
            "take",
            f"component of {kind}",
            lambda ops, t, x, s=s: ops.component(s(ops, t, x), 1) * ops.component(x, 0),
        )
        case(
            "take",
            f"two of {kind}, then what all operations do",
            lambda ops, t, x, s=s: some(ops, t, x, s),
        )
        case(
            "concatenate",
            f"stack({kind})",
            lambda ops, t, x, s=s: ops.stack([s(ops, t, x), own(ops, t, x)]) ** 2,
        )
    for kind, s in (DEEP | COMPLEX).items():
        case(
            "transpose",
            f"transpose({kind})",
            lambda ops, t, x, s=s: ops.transpose(s(ops, t, x)) ** 2,
        )
        case(
            "transpose",
            f"transpose({kind}, one matrix a particle)",
            lambda ops, t, x, s=s: ops.transpose(ops.reshape(s(ops, t, x), x.shape[1], 1, -1)) ** 2,
        )
    case("take", "four, pairs of three", lambda ops, t, x: three_of_four(ops, t, x), 4)
    case(
        "take",
        "particles taken twice",
        lambda ops, t, x: ops.take(ops.take(own(ops, t, x), [2, 0, 1]), [0, 2]) ** 2,
    )
    case(
        "take",
        "particles in two orders",
        lambda ops, t, x: (
            ops.take(own(ops, t, x), [2, 0]) * ops.take(own(ops, t, x, "q2"), [0, 2])
            + ops.take(own(ops, t, x), [2, 0])
        ),
    )


def chosen(ops, x):
    """Two of three particles, in an order that changes with the walker."""
    first = np.arange(x.shape[0]) % WALKERS % 3
    return ops.xp.asarray(np.stack([first, (first + 1 + first % 2) % 3], axis=1))


def three_of_four(ops, t, x):
    """Pairs among particles 3, 0 and 2 of four."""
    return ops.norm(
        ops.pairs(ops.take(x, [3, 0, 2]))[0]
        + 2.0 * ops.pairs(ops.take(own(ops, t, x), [3, 0, 2]))[1]
    )


def some(ops, t, x, s):
    """Particles 2 and 0 through sums, layers, joins, norms and products with others."""
    y = ops.take(s(ops, t, x), [2, 0])
    z = ops.concatenate([y, ops.take(own(ops, t, x), [2, 0]), ops.take(pair(ops, t, x), [1, 0])])
    z = ops.affine(y, t["small"], t["bias"]) * ops.sum(z, axis=-1, keepdims=True)
    total = ops.sum(ops.exp(0.1 * y), axis=1, keepdims=True)
    return ops.sum(z, axis=1) * ops.sum(ops.norm(total * y), axis=-1, keepdims=True)


def products():
    operands = DEEP | {"complex-own": joined(own)}
    for (left, a), (right, b) in product(operands.items(), operands.items()):
        case(
            "matmul",
            f"matmul({left}, {right})",
            lambda ops, t, x, a=a, b=b: ops.matmul(
                ops.affine(a(ops, t, x), t["small"]), b(ops, t, x, "q2")
            ),
        )
        case(
            "matmul",
            f"matmul one a particle ({left}, {right})",
            lambda ops, t, x, a=a, b=b: (
                ops.reshape(ops.affine(a(ops, t, x), t["four"]), 3, 2, 2)
                @ ops.expand(b(ops, t, x, "q2"), -1)
            ),
        )
    case(
        "matmul",
        "matmul of taken particles",
        lambda ops, t, x: (
            ops.reshape(ops.affine(ops.take(own(ops, t, x), [2, 0]), t["four"]), 2, 2, 2)
            @ ops.expand(ops.take(own(ops, t, x), [0, 2]), -1)
        ),
    )
    case(
        "matmul",
        "matmul with a constant",
        lambda ops, t, x: ops.take(own(ops, t, x), [2, 0]) @ fixed(ops, (1, 2, 4)),
    )
    case("affine", "x @ W", lambda ops, t, x: (own(ops, t, x) @ t["small"]) ** 2)
    for kind, s in (UNARY | COMPLEX).items():
        case(
            "softmax",
            f"softmax({kind})",
            lambda ops, t, x, s=s: ops.softmax(2.0 * s(ops, t, x)) ** 2,
        )


class Waves:
    """exp(x + 0.3 y), sin(x y) and cos(0.5 x - y), with their derivatives."""

    def value(self, xp, x):
        return self.derivatives(xp, x)[0]

    def derivatives(self, xp, z):
        x, y = z[..., 0], z[..., 1]
        e, s, c, t = xp.exp(x + 0.3 * y), xp.sin(x * y), xp.cos(x * y), 0.5 * x - y
        f, g = xp.cos(t), xp.sin(t)
        rows = [[e, s, f], [e, y * c, -0.5 * g], [0.3 * e, x * c, g], [e, -y * y * s, -0.25 * f]]
        rows += [[0.3 * e, c - x * y * s, 0.5 * f], [0.09 * e, -x * x * s, -f]]
        parts = [xp.stack(row, axis=-1) for row in rows]
        return parts[0], xp.stack(parts[1:3]), xp.stack(parts[3:])


def functions():
    shells = HermitePolynomials([(0, 0), (1, 0), (0, 1), (3, 1), (2, 4)])
    line = HermitePolynomials([(0,), (4,), (1,)])
    for kind, s in (DEEP | COMPLEX).items():
        for name, f in (("waves", Waves()), ("shells", shells)):
            case(
                "applied",
                f"{name} of {kind}",
                lambda ops, t, x, s=s, f=f: ops.applied(f, s(ops, t, x)),
            )
        case(
            "applied",
            f"line of {kind}",
            lambda ops, t, x, s=s: ops.applied(
                line, ops.expand(ops.component(s(ops, t, x), 0), -1)
            ),
        )
    for kind, s in FLAT.items():
        case(
            "applied",
            f"three variables of {kind}",
            lambda ops, t, x, s=s: ops.applied(
                HermitePolynomials([(1, 0, 2), (0, 3, 1)]), s(ops, t, x)
            ),
        )


selections()
products()
functions()
