"""Langevin and one-particle moves against analytic densities; every wrong Green's function must be
seen.
"""

import numpy as np
import pytest
from scipy.stats import chi2

from vmcnet.backend.stream import Stream
from vmcnet.parameters import Layout
from vmcnet.sampling import Gaussian, Langevin, OneParticle
from vmcnet.sampling.langevin import limited
from vmcnet.systems import QuantumDot, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM, PadeJastrow, Wavefunction


class Quartic(Wavefunction):
    """psi = exp(-sum_i (x_i^4/8 - x_i^2/2 + 0.2 x_i)): two unequal wells for every particle, which
    do not know of each other.
    """

    name, dimensions, decays = "quartic", 1, True

    def __init__(self, particles):
        self.particles, self.layout = particles, Layout()

    def log_psi(self, ops, theta, walkers):
        x = ops.sum(walkers.r, axis=-1)
        return None, ops.sum(-0.125 * x**4 + 0.5 * x * x - 0.2 * x, axis=-1)


class NoRatio(Langevin):
    """Forgets the Green's functions."""

    def log_ratio(self, r, guide, trial, trial_guide, step):
        return 0.0


class HalfRatio(Langevin):
    """Uses the drift at r in both directions."""

    def log_ratio(self, r, guide, trial, trial_guide, step):
        return super().log_ratio(r, guide, trial, guide, step)


class BareBack(Langevin):
    """Limits the drift forward, not back."""

    def log_ratio(self, r, guide, trial, trial_guide, step):
        time = step**2
        forward, back = trial - r - time * limited(guide, time), r - trial - time * trial_guide
        return ((forward**2).sum(axis=(1, 2)) - (back**2).sum(axis=(1, 2))) / (2.0 * time)


class AlwaysTheSame(OneParticle):
    """Moves the first particle only."""

    def noise(self, stream, steps, shape):
        return [(0 * particle, shift) for particle, shift in super().noise(stream, steps, shape)]


EDGES = np.linspace(-6.0, 6.0, 60_001)


def cells(count=24):
    """Edges of equally probable cells of |psi|^2 of one particle, by the trapezoid rule."""
    density = np.exp(2 * (-0.125 * EDGES**4 + 0.5 * EDGES**2 - 0.2 * EDGES))
    total = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.interp(np.arange(1, count) / count, total / total[-1], EDGES)


def chi_square(proposal, particles=1, step=0.9, steps=60, count=12_288):
    """Chi-square of the last particle's position, one point of every independent walker, and its
    0.1 % quantile.
    """
    psi = Quartic(particles).bind(np.zeros(0))
    start = np.random.default_rng(3).uniform(-2.0, 2.0, (count, particles, 1))
    walkers = Walkers(start, np.ones((count, particles), np.int8))
    walkers, counts = proposal.sample(
        walkers.with_log(psi.log(walkers.r, walkers.s)), psi, step, steps, Stream(8, 2, 0, 0)
    )
    assert 0.2 < counts.accepted / counts.tried < 0.97 and counts.nonfinite == 0
    inner = cells()
    found = np.bincount(np.searchsorted(inner, walkers.r[:, -1, 0]), minlength=len(inner) + 1)
    expected = count / (len(inner) + 1)
    return ((found - expected) ** 2 / expected).sum(), chi2.ppf(0.999, len(inner))


@pytest.mark.parametrize(
    ("proposal", "particles", "step"),
    [
        (Langevin(), 1, 0.9),
        (Langevin(), 1, 0.5),
        (Langevin(), 3, 0.7),
        (OneParticle(), 1, 1.5),
        (OneParticle(), 3, 1.5),
        (Gaussian(), 2, 1.0),
    ],
    ids=lambda v: getattr(v, "name", v),
)
def test_density(proposal, particles, step):
    value, limit = chi_square(proposal, particles, step)
    assert value < limit < 50


@pytest.mark.parametrize(
    "proposal", [NoRatio(), HalfRatio(), BareBack()], ids=lambda p: type(p).__name__
)
def test_a_wrong_greens_function_is_seen(proposal):
    value, limit = chi_square(proposal)
    assert value > 2 * limit


def test_a_particle_that_never_moves_is_seen():
    value, limit = chi_square(AlwaysTheSame(), 2, 1.5)
    assert value > 3 * limit


def test_two_electrons_have_the_same_energy_under_all_proposals():
    """A wavefunction with a cusp: no proposal is biased near contact."""
    system = QuantumDot(2)
    psi = GaussianEnvelope(system) * PadeJastrow(system, 0.3)
    bound, means = psi.bind(psi.start(Stream(0, 0, 0, 0))), {}
    for proposal, step in ((Gaussian(), 0.7), (Langevin(), 0.6), (OneParticle(), 0.9)):
        walkers, found = system.start(Stream(2, 0, 0, 0), 2048), []
        walkers = walkers.with_log(bound.log(walkers.r, walkers.s))
        for k in range(45):
            walkers, _ = proposal.sample(walkers, bound, step, 5, Stream(2, 2, k, 0))
            if k >= 5:
                found.append(
                    sum(term.local(walkers, bound).mean() for term in system.terms.values())
                )
        means[proposal.name] = np.mean(found), np.std(found) / np.sqrt(len(found) / 3)
    for name, (mean, error) in means.items():
        reference, other = means["gaussian"]
        assert abs(mean - reference) < min(4 * np.hypot(error, other), 0.01), (name, means)


class Counted:
    """A bound wavefunction that counts its evaluations."""

    def __init__(self, psi):
        self.psi, self.values, self.drifts = psi, 0, 0

    def log(self, r, s):
        self.values += 1
        return self.psi.log(r, s)

    def log_and_drift(self, r, s):
        self.drifts += 1
        return self.psi.log_and_drift(r, s)


def test_one_drift_a_proposal():
    system = QuantumDot(2)
    psi = GaussianRBM(system, 2)
    bound = Counted(psi.bind(psi.start(Stream(0, 0, 0, 0))))
    walkers = system.start(Stream(0, 0, 0, 0), 16)
    walkers = walkers.with_log(bound.psi.log(walkers.r, walkers.s))
    moved, counts = Langevin().sample(walkers, bound, 0.5, 7, Stream(1, 2, 0, 0))
    assert bound.drifts == 7 + 1 and bound.values == 0 and counts.accepted > 16
    np.testing.assert_allclose(moved.log_psi, bound.psi.log(moved.r, moved.s), rtol=1e-14)


def test_kept_drift_is_the_drift_where_the_walker_stands():
    """Rejected walkers keep theirs, accepted ones take the new: two calls of n steps and one of 2 n
    from the same words agree.
    """
    seen = []

    class Watched(Langevin):
        def propose(self, r, guide, step, noise):
            seen.append((r.copy(), guide.copy()))
            return super().propose(r, guide, step, noise)

    system = QuantumDot(2)
    psi = GaussianEnvelope(system) * PadeJastrow(system)
    bound = psi.bind(psi.start(Stream(0, 0, 0, 0)))
    walkers = system.start(Stream(0, 0, 0, 0), 32)
    Watched().sample(
        walkers.with_log(bound.log(walkers.r, walkers.s)), bound, 1.2, 12, Stream(1, 2, 0, 0)
    )
    for r, guide in seen:
        np.testing.assert_allclose(guide, bound.drift(r, system.labels(32)), rtol=1e-12, atol=1e-13)


def test_limited_drift():
    """Small drifts stay, large ones move a particle by sqrt(2 t), whatever their size; the
    direction stays.
    """
    v = np.array([[[1e-6, 0.0], [3e8, 4e8]]])
    out = limited(v, 0.01)
    np.testing.assert_allclose(out[0, 0], v[0, 0], rtol=1e-10)
    np.testing.assert_allclose(
        0.01 * out[0, 1], np.sqrt(2 * 0.01) * np.array([0.6, 0.8]), rtol=1e-7
    )


def test_walkers_that_never_move_are_counted():
    class Island:
        """psi = 0 outside a box that the second half of the walkers cannot leave without a jump."""

        def log(self, r, s):
            x = r[:, 0, 0]
            return np.where((np.abs(x) < 1.0) | (np.abs(x - 50.0) < 1e-9), 0.0, -np.inf)

    start = np.where(np.arange(64) < 40, 0.0, 50.0)[:, None, None]
    walkers = Walkers(start, np.ones((64, 1), np.int8), np.zeros(64))
    _, counts = Gaussian().sample(walkers, Island(), 0.5, 30, Stream(1, 2, 0, 0))
    assert (
        counts.stuck == 24
        and counts.walkers.sum() == counts.accepted
        and counts.walkers.shape == (64,)
    )


def test_stuck_walkers_are_reported():
    """From the sampler through rows and evaluation to a warning."""
    from vmcnet.engine.evaluation import evaluate
    from vmcnet.engine.training import train
    from vmcnet.optimizers import SGD

    class Half(Gaussian):
        """The first 8 walkers of a block propose points where psi is zero to any precision."""

        def propose(self, r, guide, step, noise):
            trial = r + step * noise
            trial[:8] = 1e6
            return trial

    system = TrappedBosons(1, 1.0, 1)
    result = train(
        system,
        GaussianEnvelope(system, 0.7),
        optimizer=SGD(1e-6),
        iterations=2,
        walkers=64,
        block=32,
        warmup=0,
        sampler=Half(),
        step_size=0.5,
    )
    assert list(result.series["stuck"]) == [16, 16]
    done = evaluate(result, steps=20, warmup=0)
    assert done.stuck == 16 and done.walker_acceptance[0] == 0.0 and done.walker_acceptance[1] > 0.5
    assert any("16 of 64 walkers are stuck" in text for text in done.warnings)
