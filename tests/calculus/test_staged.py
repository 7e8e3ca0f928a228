"""Configurations of labels at the same coordinates: the same numbers as by one evaluation each, and
what does not depend on labels is evaluated once a walker.
"""

import numpy as np
import pytest

from tests.calculus.cases import CASES, coordinates, evaluated, parameters
from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.calculus import dense
from vmcnet.calculus.staged import CHOSEN, EVERY, SHARED, Staged
from vmcnet.calculus.values import Values
from vmcnet.geometry.box import Box
from vmcnet.systems import NeutronMatter, Particles, QuantumDot
from vmcnet.wavefunctions import MessagePassing, NetworkJastrow, PadeJastrow, Slater
from vmcnet.wavefunctions.amplitude import ROWS

WALKERS, COUNT = 5, 4
# three an operation, but those whose rows or constants are of so many walkers by themselves
LISTS = {}
for _case in CASES:
    if _case[0] not in ("select", "concatenate") and "constant" not in _case[1]:
        LISTS.setdefault(_case[0], []).append(_case[2:])


@pytest.mark.parametrize("name", LISTS)
def test_every_operation(name):
    """Without labels: once a walker. Of coordinates times what differs between configurations:
    as many evaluations.
    """
    theta = parameters()

    def read(ops, function, r, *factors):
        def scaled(ops, handles, x):
            for factor in factors:
                x = x * ops.constant(factor)
            return function(ops, handles, x)

        return evaluated(ops, scaled, r, theta)[0]

    for n, function in LISTS[name][:: max(1, len(LISTS[name]) // 3)]:
        r = coordinates(n, WALKERS)
        scale = np.random.default_rng(1).uniform(0.9, 1.1, (WALKERS * COUNT, n, 1))
        shared = read(Staged(np, WALKERS, COUNT), function, r)
        assert shared.kind == SHARED and shared.shape == (WALKERS * COUNT,)
        np.testing.assert_array_equal(shared.array, read(Values(np), function, r).data)
        known = read(Values(np), function, np.repeat(r, COUNT, axis=0), scale).data
        found = read(Staged(np, WALKERS, COUNT), function, r, scale)
        assert found.kind == EVERY
        np.testing.assert_allclose(found.data, known, rtol=1e-12)


def product(a, b):
    return a * b


def larger(a, b):
    return 2 * (a > b) - 1


N, PAIRS = 4, 6
STEPS = {
    # kind of the result, and what is made of y (w, pairs, 3), chosen; x (w, pairs, 3) and
    # v (w, n, 3), shared; z (w, n, 3) of every configuration
    "tanh": (CHOSEN, lambda o, t, y, x, v, z: o.tanh(y)),
    "times shared": (CHOSEN, lambda o, t, y, x, v, z: x * y + 1.0),
    "affine": (CHOSEN, lambda o, t, y, x, v, z: o.affine(y, t["w"], t["b"])),
    "dense": (CHOSEN, lambda o, t, y, x, v, z: o.dense(y, t["w"], t["b"], "tanh")),
    "residual": (CHOSEN, lambda o, t, y, x, v, z: o.residual(x, [(y, t["w"])], t["b"], "silu")),
    "concatenate": (CHOSEN, lambda o, t, y, x, v, z: o.concatenate([x, y])),
    "norm": (CHOSEN, lambda o, t, y, x, v, z: o.expand(o.norm(y), -1)),
    "softmax": (CHOSEN, lambda o, t, y, x, v, z: o.softmax(y)),
    "features": (CHOSEN, lambda o, t, y, x, v, z: o.take(y, (2, 0), axis=-1)),
    "sum of features": (CHOSEN, lambda o, t, y, x, v, z: o.sum(y, axis=-1)),
    "pairs chosen": (EVERY, lambda o, t, y, x, v, z: o.take(y, (2, 0))),
    "sum of pairs": (EVERY, lambda o, t, y, x, v, z: o.sum(y, axis=1)),
    "affine over pairs": (EVERY, lambda o, t, y, x, v, z: o.affine(o.sum(y, axis=-1), t["p"])),
    "in front": (EVERY, lambda o, t, y, x, v, z: o.expand(o.norm(y), -2)),
    "flatten": (EVERY, lambda o, t, y, x, v, z: o.flatten(y)),
    "collect": (EVERY, lambda o, t, y, x, v, z: o.collect(y, x)),
    "messages": (EVERY, lambda o, t, y, x, v, z: o.messages(y, o.sin(y), v)),
    "messages of all": (EVERY, lambda o, t, y, x, v, z: o.messages(x, y, z)),
    "messages, shared": (SHARED, lambda o, t, y, x, v, z: o.messages(x, x, v)),
    "other labels": (EVERY, lambda o, t, y, x, v, z: y * o.pair_labels(-o.s, [larger])),
    "other labels alone": (
        CHOSEN,
        lambda o, t, y, x, v, z: x * o.pair_labels(-o.s, [product, product, larger]),
    ),
    "two choices": (EVERY, lambda o, t, y, x, v, z: y * o.pair_labels(o.s, [larger])),
    "two choices, messages": (
        EVERY,
        lambda o, t, y, x, v, z: o.messages(y, x * o.pair_labels(o.s, [larger]), v),
    ),
    "looked at": (EVERY, lambda o, t, y, x, v, z: o.constant(o.peek(y) ** 2)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("step", STEPS)
def test_variants_of_pairs(step, dtype):
    """Where entries along the pair axis stay apart the variants are made once; the numbers are
    those of every configuration by itself. Three labels.
    """
    kind, function = STEPS[step]
    rng = np.random.default_rng(3)
    r = rng.normal(size=(WALKERS, N, 3)).astype(dtype)
    s = rng.choice([-1, 0, 1], (WALKERS * COUNT, N)).astype(np.int8)
    values = {"w": (3, 3), "b": (3,), "p": (PAIRS, 2)}
    values = {k: rng.normal(size=shape).astype(dtype) for k, shape in values.items()}

    def made(ops, r, s):
        theta = {k: ops.parameter(x) for k, x in values.items()}
        x = ops.coordinates(r)
        labels = ops.constant(s.astype(dtype)[:, :, None])
        ops.s = s
        apart = ops.displacements(x)
        y = ops.pair_labels(s, [product, product, larger]) * apart
        return function(ops, theta, y, ops.cos(apart), ops.exp(-x * x), x * labels)

    found = made(Staged(np, WALKERS, COUNT), r, s)
    known = made(Values(np), np.repeat(r, COUNT, axis=0), s)
    assert found.kind == kind and found.shape == known.shape and found.dtype == dtype
    rtol = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(found.data, known.data, rtol=rtol, atol=rtol)


CASES_OF_PSI = {
    "filter": lambda: Slater(dot(), network=network("filter")),
    "full": lambda: Slater(dot(), network=network("full")),
    "attention": lambda: Slater(dot(), network=network("attention"), heads=["orbitals"]),
    "excitations": lambda: Slater(dot(), network=network("filter"), excitations=1),
    "without a network": lambda: Slater(dot(), excitations=1) * PadeJastrow(dot()),
    "factor": lambda: NetworkJastrow(dot(), network("filter")) * Slater(dot()),
    "box": lambda: Slater(NeutronMatter(14), network=network("filter")),
    "twist": lambda: Slater(NeutronMatter(4, twist=[0.1, 0.2, 0.3]), network=network("filter")),
    "orbitals mixed": lambda: Slater(dot(), determinants=2, mixing=1, network=network("filter")),
}


def dot():
    return QuantumDot(6, omega=1.0)


def network(edges):
    return MessagePassing(width=6, passes=2, edges=edges, spread=0.3)


def case(name, walkers=4, count=3):
    """psi at parameters away from the start, coordinates, and configurations of the labels."""
    psi = CASES_OF_PSI[name]()
    theta = psi.start(Stream(2, 0, 0, 0))
    theta = theta + 0.1 * Stream(3, 0, 0, 0).normal(theta.shape)
    system = dot() if psi.dimensions == 2 else NeutronMatter(psi.particles)
    start = system.start(Stream(1, 0, 0, 0), walkers)
    rng = np.random.default_rng(4)
    s = np.array([[rng.permutation(x) for _ in range(count)] for x in start.s])
    return psi.bind(theta).amplitude, start.r, s


@pytest.mark.parametrize("name", CASES_OF_PSI)
def test_configurations_equal_full_evaluation(name):
    amplitude, r, s = case(name)
    phase, log = amplitude.configurations(r, s)
    flat = np.repeat(r, s.shape[1], axis=0), s.reshape(-1, s.shape[2])
    known_phase, known = amplitude(*flat)
    np.testing.assert_allclose(log, known.reshape(log.shape), rtol=1e-12, atol=1e-12)
    assert (phase is None) == (known_phase is None)
    assert phase is None or np.array_equal(phase, known_phase.reshape(phase.shape))
    assert np.ptp(log.real, axis=1).max() > 1e-3
    there = amplitude.configurations(fakecupy.asarray(r), fakecupy.asarray(s))
    np.testing.assert_allclose(there[1].get(), log, rtol=1e-11, atol=1e-12)


def test_float32_and_tiles():
    amplitude, r, s = case("box", 16, ROWS // 4)
    _, log = amplitude.configurations(r, s)
    _, narrow = amplitude.configurations(r.astype(np.float32), s)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, log, atol=3e-3)
    _, alone = amplitude.configurations(r[4:8], s[4:8])  # a tile is 4 walkers
    np.testing.assert_array_equal(alone, log[4:8])


def test_layers_of_pairs_are_made_once(monkeypatch):
    """Both variants of a walker's pairs, whatever the number of configurations."""
    amplitude, r, s = case("filter", 2, 11)
    rows, value = [], dense.Dense.value

    def counted(self, xp, x, *args, **static):
        rows.append(x.shape[:2])
        return value(self, xp, x, *args, **static)

    monkeypatch.setattr(dense.Dense, "value", counted)
    amplitude.configurations(r, s)
    pairs = 15
    assert [shape for shape in rows if shape[1] == pairs] == [(2 * 2, pairs)] * 6
    assert (2, 6) in rows  # the particles' own features do not see the spins


def test_a_box_that_is_no_system_of_ours():
    """Any user's system: labels of three kinds."""
    system = Particles(3, 2, {"none": lambda r: 0 * r[:, 0, 0]}, spins=[1, 1, -1], box=Box([2, 3]))
    psi = NetworkJastrow(system, network("filter"))
    amplitude = psi.bind(psi.start(Stream(2, 0, 0, 0))).amplitude
    r = system.start(Stream(1, 0, 0, 0), 2).r
    s = np.array([[[-2, 1, 3], [3, 1, -2], [1, 1, 1]]] * 2, np.int8)
    _, log = amplitude.configurations(r, s)
    _, known = amplitude(np.repeat(r, 3, axis=0), s.reshape(-1, 3))
    np.testing.assert_allclose(log.reshape(-1), known, rtol=1e-13)
