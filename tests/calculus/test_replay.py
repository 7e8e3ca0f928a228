"""Operations recorded once and repeated on other coordinates: the numbers of log_psi itself, to the
bit, or no record at all.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.cases import CASES, by_operation, coordinates, evaluated, parameters
from vmcnet.backend.stream import Stream
from vmcnet.calculus.replay import Recorder
from vmcnet.calculus.values import Values
from vmcnet.wavefunctions.base import Wavefunction

GROUPS = by_operation(CASES)


@pytest.mark.parametrize("operation", GROUPS)
def test_every_operation(operation):
    theta, repeated = parameters(), 0
    for label, n, function in GROUPS[operation]:
        r = coordinates(n)
        others = [r[::-1] * 1.1, r[:, ::-1] * 0.9]

        def read(ops, r, function=function):
            return evaluated(ops, function, r, theta)[0]

        recorder = Recorder(np)
        repeat = recorder.repeat(None, read(recorder, r))
        if repeat is None:
            constant = np.array_equal(read(Values(np), others[0]).data, read(Values(np), r).data)
            assert not recorder.looked_at and constant, label
            continue
        repeated += 1
        for other in (*others, r):
            np.testing.assert_array_equal(
                repeat(other)[1], read(Values(np), other).data, err_msg=label
            )
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
    """Of five times twice: to see that the spins come again, and to write down; always, and once in
    vain, where numbers are looked at.
    """
    psi = Counting(look)
    bound, rng = psi.bind(np.empty(0)), np.random.default_rng(1)

    def check(s, times):
        for _ in range(times):
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
    changed = mixed.copy()
    check(changed, 3)
    changed[0] = 1  # the same array with other spins
    check(changed, 3)


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
    monkeypatch.setattr(Recorder, "repeat", lambda self, phase, log: calls.append(1))
    plain, plain_counts = run()
    assert calls and counts.accepted == plain_counts.accepted > 0
    np.testing.assert_array_equal(repeated.r, plain.r)
    np.testing.assert_array_equal(repeated.log_psi, plain.log_psi)
