"""Operations recorded once and repeated on other coordinates, reverse passes at other parameters
too: the numbers of log_psi itself, to the bit, or no record at all.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.cases import (
    CASES,
    DIMENSIONS,
    by_operation,
    coordinates,
    evaluated,
    parameters,
)
from vmcnet.backend.stream import Stream
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.operation import Blocks
from vmcnet.calculus.replay import JetRecorder, Recorder, TapeRecorder
from vmcnet.calculus.tape import Tape, built
from vmcnet.calculus.values import Values
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import tiled_jets
from vmcnet.wavefunctions.base import Wavefunction

GROUPS = by_operation(CASES)


def changed(theta):
    """Other parameters."""
    return {name: 1.1 * array for name, array in theta.items()}


@pytest.mark.parametrize("operation", GROUPS)
def test_every_operation(operation):
    theta, repeated = parameters(), 0
    for label, n, function in GROUPS[operation]:
        r = coordinates(n)
        others = [r[::-1] * 1.1, r[:, ::-1] * 0.9]

        def read(r, theta, function=function):
            return evaluated(Values(np), function, r, theta)[0].data

        recorder = Recorder(np)
        log, handles, _ = evaluated(recorder, function, r, theta)
        bound = recorder.repeat(None, log, list(handles.values()))
        if bound is None:
            constant = np.array_equal(read(others[0], theta), read(r, theta))
            assert not recorder.looked_at and constant, label
            continue
        repeated += 1
        for there in (changed(theta), theta):
            repeat = bound([there[name] for name in handles])
            for other in (*others, r):
                np.testing.assert_array_equal(repeat(other)[1], read(other, there), err_msg=label)
    assert repeated


@pytest.mark.parametrize("operation", GROUPS)
def test_every_reverse_pass(operation):
    """Log and adjoints of coordinates and parameters are those of the tape, whatever is summed."""
    theta = parameters()
    weights, repeated = np.linspace(-1.0, 1.0, 5), 0
    sums = (False, False), (True, False), (True, True), (Blocks(1), False), (Blocks(5), False)
    for k, (label, n, function) in enumerate(GROUPS[operation]):
        r, chosen = coordinates(n), sums[k % len(sums)]

        recorder = TapeRecorder(np, True, True, *chosen)
        log, handles, _ = evaluated(recorder, function, r, theta)
        repeat = recorder.repeat(None, log, list(handles.values()))
        if repeat is None:
            assert recorder.looked_at, label
            continue
        repeated += 1
        for moved, there in ((r[::-1] * 1.1, changed(theta)), (r, theta)):
            tape = Tape(np, coordinates_wanted=True)
            y, nodes, x = evaluated(tape, function, moved, there)
            known = tape.reverse(y, weights.astype(y.data.dtype), *chosen)
            arrays = [there[name] for name in handles]
            value, found = repeat(arrays, moved, weights.astype(y.data.dtype))
            np.testing.assert_array_equal(value, y.data, err_msg=label)
            for node, adjoint in zip((*nodes.values(), x), found, strict=True):
                other = known.get(node.index)
                assert (adjoint is None) == (other is None) and type(adjoint) is type(other), label
                if adjoint is not None:
                    np.testing.assert_array_equal(built(adjoint), built(other), err_msg=label)
    assert repeated


@pytest.mark.parametrize("operation", GROUPS)
def test_every_jet(operation):
    """Value, derivatives and Laplacian are those of the jets."""
    theta, repeated = parameters(), 0
    for label, n, function in GROUPS[operation]:
        r = coordinates(n)

        def read(r, theta, n=n, function=function):
            ops = Jets(np, n, DIMENSIONS)
            return ops.read(evaluated(ops, function, r, theta)[0])

        recorder = JetRecorder(np, n, DIMENSIONS)
        log, handles, _ = evaluated(recorder, function, r, theta)
        bound = recorder.repeat(None, log, list(handles.values()))
        if bound is None:
            continue
        repeated += 1
        for there in (changed(theta), theta):
            repeat = bound([there[name] for name in handles])
            for other in (r[::-1] * 1.1, r):
                for a, b in zip(repeat(other), read(other, there), strict=True):
                    np.testing.assert_array_equal(a, b, err_msg=label)
    assert repeated


class Counting(Wavefunction):
    """exp(-sum_i c_i r_i^2), c depending on the spins; `look` reads numbers on the way."""

    def __init__(self, look):
        self.particles, self.dimensions, self.layout, self.look, self.calls = (
            2,
            2,
            vmc.parameters.Layout(),
            look,
            0,
        )

    def initial(self, stream):
        return {}

    def log_psi(self, ops, theta, walkers):
        self.calls += 1
        x = walkers.r * 1.0
        if self.look == "peek":
            x = x * ops.constant(np.sign(ops.peek(x)))
        elif self.look == "data":
            x = x * ops.constant(np.sign(x.data))
        weights = ops.constant((2.0 + walkers.s)[:, :, None])
        return (np.ones(len(walkers.s)) if self.look == "phase" else None), -ops.total(
            x * x * weights if self.look in ("no", "phase") else x * weights
        )


@pytest.mark.parametrize(("look", "calls"), [("no", 2), ("peek", 6), ("data", 6), ("phase", 6)])
def test_log_psi_is_called_where_it_must_be(look, calls):
    """Of five times twice, at any theta: to see that the spins come again, and to write down;
    always, and once in vain, where numbers are looked at.
    """
    psi = Counting(look)
    bound, rng = psi.bind(np.empty(0)), np.random.default_rng(1)

    def check(s, times):
        nonlocal bound
        for k in range(times):
            bound = bound.at(np.empty(0)) if k % 2 else bound
            r = rng.normal(size=(5, 2, 2))
            x = np.abs(r) if look in ("peek", "data") else r * r
            np.testing.assert_allclose(
                bound.log(r, s), -(x * (2.0 + s)[:, :, None]).sum(axis=(1, 2)), rtol=1e-14
            )

    up, mixed = np.ones((5, 2), np.int8), np.array([[1, -1]] * 5, np.int8)
    check(up, 5)
    assert psi.calls == calls
    check(mixed, 4)
    check(up, 2)
    assert psi.calls == (4 if look == "no" else calls + 7)  # both kinds are remembered
    other = mixed.copy()
    check(other, 3)
    other[0] = 1  # the same array with other spins
    check(other, 3)


@pytest.mark.parametrize("kind", ["rbm", "network", "pairs"])
def test_sampling_is_the_same(kind, monkeypatch):
    """Moves of walkers with repeated operations are those without, to the bit."""
    system = vmc.systems.QuantumDot(2)
    w = vmc.wavefunctions
    psi = {
        "rbm": lambda: w.GaussianRBM(system, 3) * w.PadeJastrow(system),
        "network": lambda: w.GaussianEnvelope(system) * w.FeedForward(system, [32, 32]),
        "pairs": lambda: (
            w.GaussianEnvelope(system)
            * w.FeedForward(system, [8], symmetric=True, pairs=True, head=[4])
        ),
    }[kind]()
    theta, sampler = psi.start(Stream(1, 0, 0, 0)), vmc.sampling.Gaussian()

    def run():
        bound = psi.bind(theta)
        walkers = bound.renew(system.start(Stream(2, 0, 0, 0), 16))
        return sampler.sample(walkers, bound, 0.4, 12, Stream(3, 0, 0, 0))

    (repeated, counts), calls = run(), []
    monkeypatch.setattr(Recorder, "repeat", lambda self, *a: calls.append(1))
    plain, plain_counts = run()
    assert calls and counts.accepted == plain_counts.accepted > 0
    np.testing.assert_array_equal(repeated.r, plain.r)
    np.testing.assert_array_equal(repeated.log_psi, plain.log_psi)


@pytest.mark.parametrize(("look", "calls"), [("no", 2), ("peek", 6), ("data", 6), ("phase", 6)])
def test_reverse_passes_call_log_psi_where_they_must(look, calls):
    """As sampling does, at any theta; other spins are other passes."""
    psi, rng = Counting(look), np.random.default_rng(1)
    bound = psi.bind(np.empty(0))

    def check(s, times):
        nonlocal bound
        for _ in range(times):
            bound, r = bound.at(np.empty(0)), rng.normal(size=(5, 2, 2))
            slope = np.sign(r) if look in ("peek", "data") else 2.0 * r
            np.testing.assert_allclose(
                bound.drift(r, s), -slope * (2.0 + s)[:, :, None], rtol=1e-14
            )

    up, mixed = np.ones((5, 2), np.int8), np.array([[1, -1]] * 5, np.int8)
    check(up, 5)
    assert psi.calls == calls
    check(mixed, 4)
    check(up, 2)
    assert psi.calls == (4 if look == "no" else calls + 7)  # both kinds are remembered
    other = mixed.copy()
    check(other, 3)
    other[0] = 1
    check(other, 3)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["network", "determinant", "natural", "langevin"])
def test_training_is_the_same(kind, precision, monkeypatch):
    """Training with repeated passes is that without, to the bit: parameters with a map, moves by
    drift, log-derivatives of every walker.
    """
    system, w = vmc.systems.QuantumDot(2), vmc.wavefunctions
    psi = w.GaussianEnvelope(system) * w.FeedForward(system, [32, 32]) * w.PadeJastrow(system)
    if kind == "determinant":
        system = vmc.systems.QuantumDot(4)
        psi = w.Slater(system, network=w.MessagePassing(width=4, passes=1))
    options = {
        "sampler": vmc.sampling.Langevin() if kind == "langevin" else None,
        "natural_gradient": vmc.optimizers.SPRING() if kind == "natural" else None,
    }

    def theta():
        options.update(iterations=4, walkers=32, block=8, steps=2, warmup=1, seed=3)
        return vmc.train(system, psi, precision=precision, **options).state.theta

    repeated, calls = theta(), []
    for kind in (Recorder, JetRecorder, TapeRecorder):
        monkeypatch.setattr(kind, "repeat", lambda self, *a: calls.append(type(self)))
    np.testing.assert_array_equal(theta(), repeated)
    assert JetRecorder in calls and TapeRecorder in calls


@pytest.mark.parametrize("look, calls", [("no", 3), ("peek", 10), ("phase", 10)])
def test_tiles_call_log_psi_where_they_must(look, calls, monkeypatch):
    """Of eight tiles the first two, and once to see how wide jets are; all, and once in vain, where
    numbers are looked at; a tile of other spins by itself.
    """
    monkeypatch.setattr(tiled_jets, "jet_tile", lambda walkers, widest, near: 2)
    psi, r = Counting(look), np.random.default_rng(1).normal(size=(16, 2, 2))
    bound, s = psi.bind(np.empty(0)), np.ones((16, 2), np.int8)

    def check(s):
        value, first, laplacian = bound.jet(Walkers(r, s))
        weights = (2.0 + s)[:, :, None]
        x, slope, second = (
            (np.abs(r), np.sign(r), 0.0) if look in ("peek", "data") else (r * r, 2.0 * r, 2.0)
        )
        np.testing.assert_allclose(value, -(x * weights).sum(axis=(1, 2)), rtol=1e-13)
        np.testing.assert_allclose(first, -(slope * weights).reshape(16, 4).T, rtol=1e-13)
        np.testing.assert_allclose(laplacian, -(second * weights * np.ones(2)).sum(axis=(1, 2)))

    check(s)
    assert psi.calls == calls
    s[5, 1] = -1
    check(s)
    assert psi.calls == calls + (1 if look == "no" else 8)
