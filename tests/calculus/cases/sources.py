"""Quantities of every support, and the list that the cases are added to.

Values stay within about 0.1 and 2, so that log, division and roots are smooth and no function
saturates. With 3 particles there are 3 pairs, so quantities of all supports have the same shape:
(w, 3, 2), or (w, 3) after the features are summed.
"""

from functools import cache

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


@cache
def parameters(dtype=np.float64):
    """The arrays of SHAPES by name; shared by all cases, therefore not writeable."""
    rng = np.random.default_rng(11)
    sizes = {"p32": 1, "broader": 0.03, "column": 0.03}  # products stay of order 1
    return {
        name: kept(
            rng.uniform(0.5, 1.2, shape).astype(dtype)
            * sizes.get(name, 0.3 if len(shape) == 2 else 1)
        )
        for name, shape in SHAPES.items()
    }


def kept(array):
    array = np.asarray(array)
    array.flags.writeable = False
    return array


@cache
def coordinates(n=3, walkers=WALKERS, dtype=np.float64):
    r = np.random.default_rng(5).uniform(0.5, 1.2, (walkers, n, DIMENSIONS))
    return kept(r.astype(dtype))


@cache
def numbers(shape, key):
    return kept(np.random.default_rng([key, *shape]).uniform(0.5, 1.3, shape))


def fixed(ops, shape, key=0):
    """A constant of fixed random numbers; more than five walkers repeat those of the first five."""
    times = shape[0] // WALKERS if shape[0] and shape[0] % WALKERS == 0 else 1
    once = numbers((shape[0] // times, *shape[1:]), key)
    return ops.constant(ops.xp.asarray(np.concatenate([once] * times).astype(ops.real_dtype)))


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


class Handles(dict):
    """Handles of the parameters that a case uses, made when it asks for them."""

    def __init__(self, ops, theta):
        super().__init__()
        self.ops, self.theta = ops, theta

    def __missing__(self, name):
        self[name] = self.ops.parameter(self.theta[name])
        return self[name]


def evaluated(ops, function, r, theta):
    """One number a walker of a case's function, the handles of its parameters, the coordinates."""
    handles, x = Handles(ops, theta), ops.coordinates(r)
    return read_number(ops, function(ops, handles, x)), handles, x


def by_operation(cases):
    """{operation: [(label, n, function), ...]}."""
    found: dict = {}
    for operation, *case in cases:
        found.setdefault(operation, []).append(tuple(case))
    return found


def check_each(cases, check):
    """check(n, function) of all (label, n, function); every one that fails is named."""
    errors = []
    for label, *case in cases:
        try:
            check(*case)
        except Exception as error:
            error.add_note(f"the case: {label}")
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"{len(errors)} of {len(cases)} cases", errors)
    assert cases
