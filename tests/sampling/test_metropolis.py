"""Metropolis against densities that are known in closed form; a wrong rule must be seen."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from tests.exact.states import Taut
from vmcnet.backend.stream import Stream
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.metropolis import tuned_step
from vmcnet.systems import TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope

SYSTEM = TrappedBosons(1, 1.0, 1)
PSI = GaussianEnvelope(SYSTEM).bind(
    np.array([np.log(0.7)])
)  # |psi|^2 = exp(-1.4 x^2), sigma^2 = 1/2.8
SIGMA = 1 / np.sqrt(2.8)


class Pushed(Gaussian):
    """Moves to the right more often than to the left, without saying so: not detailed balance."""

    def propose(self, r, guide, step, noise):
        return r + step * noise + 0.1


def sample(proposal, psi=PSI, count=8192, steps=60, step=0.8):
    """One point of every independent walker, after `steps` moves from a start far off."""
    start = np.random.default_rng(1).uniform(1.0, 2.0, (count, 1, 1))
    walkers = Walkers(start, np.ones((count, 1), np.int8))
    walkers = walkers.with_log(psi.log(walkers.r, walkers.s))
    return proposal.sample(walkers, psi, step, steps, Stream(4, 2, 0, 0))


def chi_square(x, bins=32):
    """Chi-square of `bins` equally probable cells of the normal density, and its 0.1 % quantile."""
    cells = np.floor(norm.cdf(x / SIGMA) * bins).astype(int)
    counts = np.bincount(np.clip(cells, 0, bins - 1), minlength=bins)
    expected = len(x) / bins
    return ((counts - expected) ** 2 / expected).sum(), chi2.ppf(0.999, bins - 1)


def test_density():
    walkers, counts = sample(Gaussian())
    value, limit = chi_square(walkers.r.ravel())
    assert value < limit and value < 62
    assert abs(walkers.r.var() - 1 / 2.8) < min(0.02, 4 * np.sqrt(2 / 8192) / 2.8)
    assert (
        counts.tried == 60 * 8192
        and counts.nonfinite == 0
        and 0.3 < counts.accepted / counts.tried < 0.9
    )


def test_a_wrong_rule_is_seen():
    value, limit = chi_square(sample(Pushed())[0].r.ravel())
    assert value > 3 * limit


def test_log_psi_belongs_to_the_coordinates():
    walkers, _ = sample(Gaussian(), count=64)
    np.testing.assert_array_equal(walkers.log_psi, PSI.log(walkers.r, walkers.s))


def test_acceptance_follows_the_ratio():
    """From one point to another fixed one, the accepted fraction is min(1, |psi'/psi|^2)."""

    class Jump(Gaussian):
        def propose(self, r, guide, step, noise):
            return np.full_like(r, 1.3)

    count = 200_000
    walkers = Walkers(np.full((count, 1, 1), 0.9), np.ones((count, 1), np.int8))
    walkers = walkers.with_log(PSI.log(walkers.r, walkers.s))
    _, counts = Jump().sample(walkers, PSI, 1.0, 1, Stream(1, 2, 0, 0))
    exact = np.exp(-1.4 * (1.3**2 - 0.9**2))
    assert abs(counts.accepted / count - exact) < min(
        0.005, 4 * np.sqrt(exact * (1 - exact) / count)
    )


def test_two_electrons_sample_the_exact_state():
    """Mean potential energy of Taut's state by quadrature of the relative motion: <V> = <trap> +
    <1/r>, virial 2T = 2 V_trap - V_c.
    """
    psi = Taut(2)
    from vmcnet.systems import QuantumDot

    system, bound = QuantumDot(2), psi.bind(np.array([1.0]))
    walkers = system.start(Stream(1, 0, 0, 0), 8192)
    walkers = walkers.with_log(bound.log(walkers.r, walkers.s))
    means = {name: [] for name in system.terms}
    for k in range(60):
        walkers, _ = Gaussian().sample(walkers, bound, 0.6, 5, Stream(1, 2, k, 0))
        if k >= 10:
            for name, term in system.terms.items():
                means[name].append(term.local(walkers, bound).mean())
    t, trap, coulomb = (np.mean(means[k]) for k in ("kinetic", "trap", "coulomb"))
    assert abs(2 * t - 2 * trap + coulomb) < 0.02
    x = np.linspace(1e-9, 14, 200_001)
    weight = x * (1 + x) ** 2 * np.exp(-0.5 * x**2)
    exact = (weight / x).sum() / weight.sum()
    assert abs(coulomb - exact) < 0.008


def test_nan_is_counted_and_not_accepted():
    class Broken:
        def log(self, r, s):
            x = r[:, 0, 0]
            return np.where(x > 0.5, np.nan, -x * x)

    walkers = Walkers(np.zeros((256, 1, 1)), np.ones((256, 1), np.int8), np.zeros(256))
    moved, counts = Gaussian().sample(walkers, Broken(), 1.0, 5, Stream(1, 2, 0, 0))
    assert counts.nonfinite > 50 and np.all(moved.r <= 0.5)


def test_zero_psi_is_a_rejection():
    class Wall:
        def log(self, r, s):
            x = r[:, 0, 0]
            with np.errstate(divide="ignore"):
                return np.log(np.maximum(1.0 - x * x, 0.0))

    walkers = Walkers(np.zeros((256, 1, 1)), np.ones((256, 1), np.int8), np.zeros(256))
    moved, counts = Gaussian().sample(walkers, Wall(), 1.0, 20, Stream(1, 2, 0, 0))
    assert counts.nonfinite == 0 and np.abs(moved.r).max() < 1 and counts.accepted > 0


@pytest.mark.parametrize(("accepted", "grows"), [(80, True), (20, False)])
def test_tuning_follows_the_acceptance(accepted, grows):
    assert (tuned_step(1.0, accepted, 100, 0.5, 1.0) > 1.0) is grows
    assert tuned_step(1.0, 50, 100, 0.5, 1.0) == 1.0 and tuned_step(0.3, 0, 0, 0.5, 1.0) == 0.3


@pytest.mark.parametrize("first", [0.01, 30.0])
def test_warm_up_finds_the_step(first):
    from vmcnet.engine.training import train
    from vmcnet.optimizers import SGD

    system = TrappedBosons(2, 1.0, 2)
    result = train(
        system,
        GaussianEnvelope(system),
        optimizer=SGD(1e-6),
        iterations=20,
        walkers=256,
        block=64,
        warmup=60,
        step_size=first,
    )
    assert abs(result.series["acceptance"][-10:].mean() - 0.5) < 0.03
