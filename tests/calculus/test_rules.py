"""Every rule of every operation, through every support, against differences of its value."""

import importlib
import pkgutil
from functools import cache

import numpy as np
import pytest

import vmcnet.calculus
from tests.calculus.cases import (
    CASES,
    DIMENSIONS,
    by_operation,
    check_each,
    coordinates,
    evaluated,
    parameters,
)
from tests.calculus.differences import STEPS, check_direction, check_jet
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values

WIDE = np.longdouble
GROUPS, THIRD = by_operation(CASES), by_operation(CASES[::3])
each_operation = pytest.mark.parametrize("operation", GROUPS)
# a direction in the space of all parameters, and one of coordinates for each number of particles
WAY = {k: np.random.default_rng(8).standard_normal(v.shape) for k, v in parameters().items()}


@cache
def moved_parameters(t):
    return {k: v + t * WAY[k] for k, v in parameters(WIDE).items()}


def value(function, r, theta):
    return evaluated(Values(np), function, r, theta)[0].data


@each_operation
def test_jet(operation):
    check_each(GROUPS[operation], jet)


def jet(n, function):
    r, ops, wide = coordinates(n), Jets(np, n, DIMENSIONS), parameters(WIDE)
    y, _, _ = evaluated(ops, function, r, parameters())
    check_jet(lambda moved: value(function, moved, wide), r, *ops.read(y))


@each_operation
def test_reverse(operation):
    check_each(GROUPS[operation], reverse)


def reverse(n, function):
    r, wide_r, wide = coordinates(n), coordinates(n, dtype=WIDE), parameters(WIDE)
    rng = np.random.default_rng(9)
    way_r, weights = rng.standard_normal(r.shape), rng.standard_normal(len(r))
    ones, ops, again = np.ones(len(r)), *(Tape(np, coordinates_wanted=True) for _ in range(2))
    y, handles, x = evaluated(ops, function, r, parameters())
    rows = ops.reverse(y, ones, per_walker=True)
    one = again.reverse(evaluated(again, function, r, parameters())[0], weights)

    slope = np.zeros(len(r), y.data.dtype)
    for name, handle in handles.items():
        if handle.index not in rows:
            assert handle.index not in one
            continue
        o, contracted = rows[handle.index], one[handle.index]
        assert o.shape == r.shape[:1] + handle.shape and contracted.shape == handle.shape
        np.testing.assert_allclose(contracted, np.tensordot(weights, o, 1), rtol=1e-11, atol=1e-12)
        slope = slope + (o * WAY[name]).reshape(len(r), -1).sum(axis=1)
    check_direction(lambda t: value(function, wide_r, moved_parameters(t)), slope, "parameters")

    gradient = rows.get(x.index, np.zeros(r.shape))
    assert gradient.shape == r.shape
    times = [t for h in STEPS for t in (h, -h)] + [0.0]
    found = value(function, np.concatenate([wide_r + t * way_r for t in times]), wide)
    along = dict(zip(times, found.reshape(-1, len(r)), strict=True))
    check_direction(along.__getitem__, (gradient * way_r).sum(axis=(1, 2)), "coordinates")
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
        evaluated(ops, function, coordinates(n), parameters())
        met.setdefault(name, []).append({id(o) for o in ops.met})
    for operation in all_operations():
        assert operation.name in met, (
            f"no case of tests/calculus/cases is about the operation {operation.name!r}"
        )
        assert all(id(operation) in used for used in met[operation.name]), (
            f"a case named {operation.name!r} does not use it"
        )
    assert len(all_operations()) == len(met)


@pytest.mark.parametrize("operation", THIRD)
def test_float32_stays(operation):
    check_each(THIRD[operation], float32_stays)


def float32_stays(n, function):
    theta, r = parameters(np.float32), coordinates(n, dtype=np.float32)
    single = (np.dtype(np.float32), np.dtype(np.complex64))
    y = evaluated(Values(np), function, r, theta)[0]
    assert y.data.dtype in single
    jets = Jets(np, n, DIMENSIONS)
    y = evaluated(jets, function, r, theta)[0]
    assert all(a.dtype in single for a in jets.read(y)), [a.dtype for a in jets.read(y)]
    for per_walker in (False, True):
        ops = Tape(np, coordinates_wanted=True)
        y, _, _ = evaluated(ops, function, r, theta)
        assert all(
            a.dtype in single for a in ops.reverse(y, np.ones(5, np.float32), per_walker).values()
        )
