"""Quantities of every support, and the list that the cases are added to.

Values stay within about 0.1 and 2, so that log, division and roots are smooth and no function
saturates. With 3 particles there are 3 pairs, so quantities of all supports have the same shape:
(w, 3, 2), or (w, 3) after the features are summed.
"""

import numpy as np

DIMENSIONS, WALKERS = 2, 5
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
    "double": (2, 6),
    "four": (2, 4),
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


def coordinates(n=3, walkers=WALKERS, dtype=np.float64):
    return np.random.default_rng(5).uniform(0.5, 1.2, (walkers, n, DIMENSIONS)).astype(dtype)


def fixed(ops, shape, key=0):
    """A constant of fixed random numbers; more than five walkers repeat those of the first five."""
    times = shape[0] // WALKERS if shape[0] and shape[0] % WALKERS == 0 else 1
    shape = (shape[0] // times, *shape[1:])
    numbers = np.random.default_rng([key, *shape]).uniform(0.5, 1.3, shape)
    numbers = np.concatenate([numbers] * times)
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


def read_number(ops, y):
    """One number a walker: all entries summed with fixed random weights."""
    y = y * fixed(ops, (1,) + y.shape[1:], key=3)
    while len(y.shape) > 1:
        y = ops.sum(y, axis=-1)
    return y
