"""Elementwise functions and arithmetic."""

from itertools import product

import numpy as np

from tests.calculus.cases.sources import (
    COMPLEX_UNARY,
    DEEP,
    FLAT,
    UNARY,
    case,
    fixed,
    joined,
    linear,
    own,
    pair,
    parameter,
    summed,
)


def elementwise():
    functions = {
        name: (lambda ops, y, name=name: getattr(ops, name)(y))
        for name in ("exp", "log", "sin", "cos", "sqrt")
    }
    functions |= {
        name: (lambda ops, y, name=name: getattr(ops, name)(1.5 * y - 1.0))
        for name in ("tanh", "logistic", "softplus", "logcosh", "gelu", "silu")
    }
    functions |= {f"power{k}": (lambda ops, y, k=k: y**k) for k in (2, 3, -1, 0.5)}
    functions["hard_core"] = lambda ops, y: ops.hard_core(y + 0.6, 0.3)
    for (name, f), (kind, source) in product(functions.items(), (UNARY | COMPLEX_UNARY).items()):
        case(
            name.rstrip("-.0123456789"),
            f"{name}({kind})",
            lambda ops, t, x, f=f, s=source: f(ops, s(ops, t, x)),
        )
    for kind, source in UNARY.items():
        case("abs", f"abs({kind})", lambda ops, t, x, s=source: ops.abs(s(ops, t, x)))
        case("abs", f"abs(-{kind})", lambda ops, t, x, s=source: ops.abs(-1.5 * s(ops, t, x)) ** 2)
        for number in (0.0, 5.0):
            case(
                "at_least",
                f"maximum({kind}, {number})",
                lambda ops, t, x, s=source, k=number: ops.maximum(s(ops, t, x), k) ** 2,
            )
    case("power", "power0 and 1", lambda ops, t, x: own(ops, t, x) ** 0 + own(ops, t, x) ** 1)


def apart(ops, x, y):
    """y made small and large in turn by entries, so that no maximum changes sides."""
    last = x.shape[-1] if len(y.shape) != 2 else y.shape[-1]
    shape = (1, x.shape[1], last) if len(y.shape) == 3 or y.is_parameter else (1, last)
    if y.is_parameter and y.shape == (3,):
        shape = (1, 3)
    pattern = np.where(np.arange(np.prod(shape)).reshape(shape) % 2, 20.0, 0.01)
    return y * ops.constant(ops.xp.asarray(pattern.astype(ops.real_dtype)))


def of_parameters():
    """Arithmetic among parameters before they meet walkers."""
    made = {
        "2 a": ("scale", lambda ops, a, b: 2 * a),
        "-a": ("scale", lambda ops, a, b: -a),
        "a - 0.3": ("shift", lambda ops, a, b: a - 0.3),
        "1 / a": ("power", lambda ops, a, b: 1 / a),
        "a**2": ("power", lambda ops, a, b: a**2),
        "a + b": ("add", lambda ops, a, b: a + b),
        "1 - a b": ("multiply", lambda ops, a, b: 1 - a * b),
        "a - b": ("subtract", lambda ops, a, b: a - b),
        "a / b": ("divide", lambda ops, a, b: a / b),
        "a + ib": ("complex", lambda ops, a, b: ops.complex(a, b)),
        "max(a, 4 b)": ("maximum", lambda ops, a, b: ops.maximum(a, 4 * b)),
        "max(a, 0)": ("at_least", lambda ops, a, b: ops.maximum(a, 0.0)),
    }
    for name in ("exp", "log", "tanh", "sqrt", "softplus", "gelu", "abs"):
        made[f"{name} a"] = (name, lambda ops, a, b, name=name: getattr(ops, name)(a))
    shapes = {"scalars": ("p0", "p0"), "vectors": ("p2", "q2"), "matrices": ("p32", "p2")}
    shapes["stretched"] = ("p2", "p1")
    for (label, (name, f)), (kind, (a, b)) in product(made.items(), shapes.items()):
        for where, source in (("own", own), ("all", DEEP["all"])):
            case(
                name,
                f"{label} of {kind} times {where}",
                lambda ops, t, x, f=f, a=a, b=b, s=source: s(ops, t, x) * f(ops, t[a], t[b]),
            )


def arithmetic():
    signs = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
    }
    for group, p, q in ((DEEP, "p2", "q2"), (FLAT, "p3", "q3")):
        operands = group | {"parameter": parameter}
        for (left, a), (right, b) in product(operands.items(), operands.items()):
            if left == right == "parameter":
                continue
            for name, f in signs.items():
                case(
                    name,
                    f"{name}({left}, {right})",
                    lambda ops, t, x, f=f, a=a, b=b, p=p, q=q: f(a(ops, t, x, p), b(ops, t, x, q)),
                )
                if "parameter" not in (left, right):
                    case(
                        name,
                        f"{name}(complex {left}, {right})",
                        lambda ops, t, x, f=f, a=joined(a), b=b, p=p, q=q: f(
                            a(ops, t, x, p), b(ops, t, x, q)
                        ),
                    )
                    case(
                        name,
                        f"{name}({left}, complex {right})",
                        lambda ops, t, x, f=f, a=a, b=joined(b), p=p, q=q: f(
                            a(ops, t, x, p), b(ops, t, x, q)
                        ),
                    )
                else:
                    case(
                        name,
                        f"{name}(complex {left}, {right})",
                        lambda ops, t, x, f=f, a=a, b=b, p=p, q=q, left=left: f(
                            a(ops, t, x, p) if left == "parameter" else joined(a)(ops, t, x, p),
                            b(ops, t, x, q) if left != "parameter" else joined(b)(ops, t, x, q),
                        ),
                    )
            case(
                "maximum",
                f"maximum({left}, {right})",
                lambda ops, t, x, a=a, b=b, p=p, q=q: ops.maximum(
                    apart(ops, x, a(ops, t, x, p)), b(ops, t, x, q)
                ),
            )
            case(
                "complex",
                f"complex({left}, {right})",
                lambda ops, t, x, a=a, b=b, p=p, q=q: ops.complex(a(ops, t, x, p), b(ops, t, x, q)),
            )
    stretched = {
        "features": lambda ops, t, x: ops.sum(own(ops, t, x), axis=-1, keepdims=True),
        "pair features": lambda ops, t, x: ops.sum(pair(ops, t, x), axis=-1, keepdims=True),
        "particles": lambda ops, t, x: ops.sum(own(ops, t, x), axis=1, keepdims=True),
        "one walker": lambda ops, t, x: fixed(ops, (1, 3, 2)) * t["q2"],
        "matrix": lambda ops, t, x: t["p32"],
        "scalar": lambda ops, t, x: t["p0"],
        "length 1": lambda ops, t, x: t["p1"],
    }
    for (name, f), (narrow, a), (wide, b) in product(
        signs.items(), stretched.items(), (DEEP | {"complex": joined(own)}).items()
    ):
        case(
            name,
            f"{name}({narrow} stretched, {wide})",
            lambda ops, t, x, f=f, a=a, b=b: f(a(ops, t, x), b(ops, t, x)),
        )
        case(
            name,
            f"{name}({wide}, {narrow} stretched)",
            lambda ops, t, x, f=f, a=a, b=b: f(b(ops, t, x), a(ops, t, x)),
        )
    for name, f in signs.items():
        line = lambda ops, t, x: ops.sum(linear(ops, t, x), axis=-1, keepdims=True)  # noqa: E731
        case(
            name,
            f"{name}(linear stretched, parameter)",
            lambda ops, t, x, f=f, a=line: f(a(ops, t, x), t["p3"]),
        )
        case(
            name,
            f"{name}(linear stretched, constant)",
            lambda ops, t, x, f=f, a=line: f(a(ops, t, x), fixed(ops, (x.shape[0], 3))),
        )
        case(
            name,
            f"{name}(linear, one walker)",
            lambda ops, t, x, f=f: f(linear(ops, t, x), fixed(ops, (1, 3)) * t["q3"]),
        )
        for n, source in (
            (1, own),
            (2, pair),
        ):  # one particle, one pair: their axis has length 1 and can be stretched
            flat = summed(source)
            case(
                name,
                f"{name}(flat axis of length 1, parameter) n={n}",
                lambda ops, t, x, f=f, a=flat: f(a(ops, t, x), t["p3"]),
                n,
            )
            case(
                name,
                f"{name}(parameter, flat axis of length 1) n={n}",
                lambda ops, t, x, f=f, a=flat: f(t["p3"], a(ops, t, x)),
                n,
            )
            case(
                name,
                f"{name}(axis of length 1, constant) n={n}",
                lambda ops, t, x, f=f, a=source: f(a(ops, t, x), fixed(ops, (x.shape[0], 4, 2))),
                n,
            )
            case(
                name,
                f"{name}(stretched, itself) n={n}",
                lambda ops, t, x, f=f, a=flat: f(a(ops, t, x) * t["p3"], ops.exp(a(ops, t, x))),
                n,
            )
    for n, source in ((1, own), (2, pair)):
        flat = summed(source)
        case(
            "complex",
            f"complex(axis of length 1, parameter) n={n}",
            lambda ops, t, x, a=flat: ops.complex(a(ops, t, x), t["p3"]),
            n,
        )
    for kind, source in (UNARY | COMPLEX_UNARY).items():
        for number in (0.7, -1.3 + 0.4j):
            case(
                "scale",
                f"scale({kind}, {number})",
                lambda ops, t, x, s=source, k=number: k * s(ops, t, x),
            )
            case(
                "shift",
                f"shift({kind}, {number})",
                lambda ops, t, x, s=source, k=number: ops.exp(s(ops, t, x) - k),
            )
        case(
            "scale",
            f"{kind} over a number",
            lambda ops, t, x, s=source: -s(ops, t, x) / np.float64(1.7) + (1 - s(ops, t, x)),
        )
        case("power", f"number over {kind}", lambda ops, t, x, s=source: 2.0 / s(ops, t, x))


elementwise()
of_parameters()
arithmetic()
