"""Every rule of every operation, through every support, against differences of its value."""

import importlib
import pkgutil

import numpy as np
import pytest

import vmcnet.calculus
from tests.calculus.cases import CASES, DIMENSIONS, coordinates, parameters, read_number
from tests.calculus.differences import check_direction, check_jet
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values

WIDE = np.longdouble
each_case = pytest.mark.parametrize(
    ("n", "function"), [c[2:] for c in CASES], ids=[c[1] for c in CASES]
)


def call(ops, function, r, theta):
    handles = {name: ops.parameter(value) for name, value in theta.items()}
    x = ops.coordinates(r)
    return read_number(ops, function(ops, handles, x)), handles, x


def value(function, r, theta):
    return call(Values(np), function, r, theta)[0].data


@each_case
def test_jet(n, function):
    theta, wide = parameters(), parameters(WIDE)
    r = coordinates(n)
    ops = Jets(np, n, DIMENSIONS)
    y, _, _ = call(ops, function, r, theta)
    check_jet(lambda moved: value(function, moved, wide), r, *ops.read(y), together=True)


@each_case
def test_reverse(n, function):
    theta, wide = parameters(), parameters(WIDE)
    r, wide_r = coordinates(n), coordinates(n, dtype=WIDE)
    rng = np.random.default_rng(8)
    way = {name: rng.standard_normal(v.shape) for name, v in theta.items()}
    way_r, weights = rng.standard_normal(r.shape), rng.standard_normal(len(r))
    ops = Tape(np, coordinates_wanted=True)
    y, handles, x = call(ops, function, r, theta)
    ones = np.ones(len(r))
    rows, one = ops.reverse(y, ones, per_walker=True), ops.reverse(y, weights)

    slope = np.zeros(len(r), y.data.dtype)
    for name, handle in handles.items():
        if handle.index not in rows:
            assert handle.index not in one
            continue
        o, contracted = rows[handle.index], one[handle.index]
        assert o.shape == r.shape[:1] + handle.shape and contracted.shape == handle.shape
        np.testing.assert_allclose(contracted, np.tensordot(weights, o, 1), rtol=1e-11, atol=1e-12)
        slope = slope + (o * way[name]).reshape(len(r), -1).sum(axis=1)
    check_direction(
        lambda t: value(function, wide_r, {k: v + t * way[k] for k, v in wide.items()}),
        slope,
        "parameters",
    )

    gradient = rows.get(x.index, np.zeros(r.shape))
    assert gradient.shape == r.shape
    check_direction(
        lambda t: value(function, wide_r + t * way_r, wide),
        (gradient * way_r).sum(axis=(1, 2)),
        "coordinates",
    )
    if x.index in one:
        np.testing.assert_allclose(
            one[x.index], weights[:, None, None] * gradient, rtol=1e-11, atol=1e-12
        )


def all_operations():
    """Every object of vmcnet.calculus that has the three rules."""
    found = {}
    for module in pkgutil.iter_modules(vmcnet.calculus.__path__):
        for thing in vars(importlib.import_module(f"vmcnet.calculus.{module.name}")).values():
            if not isinstance(thing, type) and all(
                hasattr(thing, rule) for rule in ("value", "jet", "reverse")
            ):
                found[id(thing)] = thing
    return list(found.values())


class Recorder(Values):
    def __init__(self):
        super().__init__(np)
        self.met = []

    def apply(self, operation, args, **static):
        self.met.append(operation)
        return super().apply(operation, args, **static)


def test_every_operation_has_cases():
    met = {}
    for name, _, n, function in CASES:
        ops = Recorder()
        handles = {k: ops.parameter(v) for k, v in parameters().items()}
        function(ops, handles, ops.coordinates(coordinates(n)))
        met.setdefault(name, []).append({id(o) for o in ops.met})
    for operation in all_operations():
        assert operation.name in met, (
            f"no case of tests/calculus/cases is about the operation {operation.name!r}"
        )
        assert all(id(operation) in used for used in met[operation.name]), (
            f"a case named {operation.name!r} does not use it"
        )
    assert len(all_operations()) == len(met)


@pytest.mark.parametrize(
    ("n", "function"), [c[2:] for c in CASES[::3]], ids=[c[1] for c in CASES[::3]]
)
def test_float32_stays(n, function):
    theta, r = parameters(np.float32), coordinates(n, dtype=np.float32)
    single = (np.dtype(np.float32), np.dtype(np.complex64))
    y = call(Values(np), function, r, theta)[0]
    assert y.data.dtype in single
    jets = Jets(np, n, DIMENSIONS)
    y = call(jets, function, r, theta)[0]
    assert all(a.dtype in single for a in jets.read(y)), [a.dtype for a in jets.read(y)]
    ops = Tape(np, coordinates_wanted=True)
    y, _, _ = call(ops, function, r, theta)
    for per_walker in (False, True):
        assert all(
            a.dtype in single for a in ops.reverse(y, np.ones(5, np.float32), per_walker).values()
        )
