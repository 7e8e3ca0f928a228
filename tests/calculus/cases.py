"""Small functions of coordinates and parameters through every operation and every support: `CASES`.

A case is (operation name, label, number of particles, function(ops, theta, x) -> handle of any
shape). Values stay within about 0.1 and 2, so that log, division and roots are smooth and no
function saturates. With 3 particles there are 3 pairs, so quantities of all supports have the same
shape: (w, 3, 2), or (w, 3) after the features are summed.
"""

from itertools import product

import numpy as np

from vmcnet.calculus.elementwise import LAYERS

DIMENSIONS = 2
SHAPES = {
    "p0": (),
    "p1": (1,),
    "p2": (2,),
    "q2": (2,),
    "p3": (3,),
    "q3": (3,),
    "p32": (3, 2),
    "small": (2, 3),
    "bias": (3,),
    "first": (6, 3),
    "first_b": (3,),
    "square": (3, 3),
    "line": (1, 3),
    "wide": (4, 3),
    "broad": (2, 32),
    "broader": (32, 32),
    "broad_b": (32,),
    "column": (32, 1),
}


def parameters(dtype=np.float64):
    rng = np.random.default_rng(11)
    sizes = {"p32": 1, "broader": 0.03, "column": 0.03}  # products stay of order 1
    return {
        name: rng.uniform(0.5, 1.2, shape).astype(dtype)
        * sizes.get(name, 0.3 if len(shape) == 2 else 1)
        for name, shape in SHAPES.items()
    }


def coordinates(n=3, walkers=5, dtype=np.float64):
    return np.random.default_rng(5).uniform(0.5, 1.2, (walkers, n, DIMENSIONS)).astype(dtype)


def fixed(ops, shape, key=0):
    """A constant of fixed random numbers."""
    numbers = np.random.default_rng([key, *shape]).uniform(0.5, 1.3, shape)
    return ops.constant(ops.xp.asarray(numbers.astype(ops.real_dtype)))


def own(ops, t, x, p="p2"):
    return (x * 0.5 + 0.3 * x * x) * t[p]


def pair(ops, t, x, p="p2"):
    first, second = ops.pairs(x)
    return (first * first * second * 0.5 + 0.4 * second) * t[p]


def everything(ops, t, x, p="p2"):
    return 0.4 * x * ops.sum(x * x, axis=1, keepdims=True) * t[p]


def constant(ops, t, x, p="p2"):
    return fixed(ops, x.shape) * t[p]


def linear(ops, t, x, p="p3"):
    return ops.affine(ops.flatten(x) * 0.5, t["first"], t["first_b"]) * t[p]


def parameter(ops, t, x, p="p2"):
    return t[p]


def summed(source):
    """(w, n, 2) -> (w, n)."""
    return lambda ops, t, x, p="p3": (
        0.6 * ops.sum(source(ops, t, x, "p2" if p == "p3" else "q2"), axis=-1)
    )


def joined(source):
    """The complex version of a source."""
    other = {"p2": "q2", "p3": "q3"}

    def function(ops, t, x, p=None):
        kind = p or ("p3" if source in FLAT.values() else "p2")
        return ops.complex(
            source(ops, t, x, kind),
            0.3 * source(ops, t, x, other.get(kind, "p3" if kind == "q3" else "p2")),
        )

    return function


DEEP = {"constant": constant, "own": own, "pair": pair, "all": everything}
FLAT = {"linear": linear} | {f"{k}-flat": summed(f) for k, f in DEEP.items()}
UNARY = DEEP | FLAT
COMPLEX_UNARY = {f"complex-{k}": joined(f) for k, f in UNARY.items()}

CASES = []


def case(operation, label, function, n=3):
    CASES.append((operation, label, n, function))


def elementwise():
    functions = {
        name: (lambda ops, y, name=name: getattr(ops, name)(y))
        for name in ("exp", "log", "sin", "cos")
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
    case("power", "power0 and 1", lambda ops, t, x: own(ops, t, x) ** 0 + own(ops, t, x) ** 1)


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
            lambda ops, t, x, f=f, a=line: f(a(ops, t, x), fixed(ops, (5, 3))),
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
                lambda ops, t, x, f=f, a=source: f(a(ops, t, x), fixed(ops, (5, 4, 2))),
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


elementwise()
arithmetic()
structure()
determinants()


def read_number(ops, y):
    """One number a walker: all entries summed with fixed random weights."""
    y = y * fixed(ops, (1,) + y.shape[1:], key=3)
    while len(y.shape) > 1:
        y = ops.sum(y, axis=-1)
    return y
