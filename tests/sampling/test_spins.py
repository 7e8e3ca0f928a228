"""Spin samplers against enumerated |psi|^2, one state a walker; a wrong rule must be seen, also
where psi is flat.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.spins import amplitudes, chi_square, sector
from vmcnet.backend.stream import Stream
from vmcnet.sampling.gibbs import Gibbs
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip
from vmcnet.systems import Heisenberg, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM, SpinJastrow, SpinNetwork
from vmcnet.wavefunctions.machines.machine import Machine

FREE, FIXED, RING = TransverseIsing([6]), Heisenberg([8]), Heisenberg([6])
OPTIONS = [("random", "metropolis"), ("random", "heat_bath"), ("systematic", "heat_bath")]
COUNT = 8192


class Unfair(SpinFlip):
    """Accepts |psi'/psi| instead of its square."""

    def plan(self, stream, steps, walkers):
        sequence, thresholds = super().plan(stream, steps, walkers)
        return sequence, thresholds**2


class Whole(SpinFlip):
    """Plain Metropolis without the lazy proposal: the parity of the flips is that of the sweep
    where psi is flat.
    """

    def plan(self, stream, steps, walkers):
        sequence, _ = super().plan(stream, steps, walkers)
        return sequence, np.full((len(sequence), walkers), 0.5)


def sample(sampler, system, psi, theta, sweeps=12, fast=False):
    """Every walker from the same configuration, its state after `sweeps` sweeps: independent
    samples.
    """
    walkers = system.start(Stream(5, 0, 0, 0), COUNT)
    walkers.s[:] = system.spins
    bound = psi.bind(theta)
    walkers = bound.renew(walkers) if fast else walkers.with_log(bound.log(walkers.r, walkers.s))
    return sampler.sample(walkers, bound, 1.0, sweeps, Stream(6, 2, 0, 0))


def psi_of(system, spread, weights="real"):
    psi = BinaryRBM(system, weights=weights, spread=max(spread, 1e-9))
    return psi, psi.start(Stream(3, 0, 0, 0)) * (spread > 0)


def value(sampler, system, psi, theta, **options):
    walkers, counts = sample(sampler, system, psi, theta, **options)
    s = sector(system)
    probability = np.abs(amplitudes(psi, theta, s)) ** 2
    result = chi_square(walkers.s, s, probability / probability.sum())
    assert counts.nonfinite == 0
    return result


@pytest.mark.parametrize("weights", ["real", "complex"])
@pytest.mark.parametrize("spread", [0.0, 0.15])
@pytest.mark.parametrize(("scan", "acceptance"), OPTIONS)
@pytest.mark.parametrize("kind", [SpinFlip, Exchange])
def test_distribution(kind, scan, acceptance, spread, weights):
    system, sweeps = (FREE, 12) if kind is SpinFlip else (FIXED, 40)
    if kind is Exchange and acceptance == "metropolis" and spread == 0:
        system, sweeps = RING, 200  # equal walkers part only by the one lazy proposal of a sweep
    found, limit = value(
        kind(system, scan, acceptance),
        system,
        *psi_of(system, spread, weights),
        sweeps=sweeps,
        fast=kind is Exchange or weights == "complex",
    )
    assert found < limit


class Halved(Gibbs):
    """Draws from the machine of half the weights: not |psi|^2."""

    def sample(self, walkers, psi, step, steps, stream):
        m = psi.rule
        return super().sample(
            walkers,
            SimpleNamespace(rule=Machine(m.a / 2, m.b / 2, m.weights / 2), renew=psi.renew),
            step,
            steps,
            stream,
        )


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize(
    "options", [{}, {"symmetric": True, "alpha": 2}, {"units": "binary"}], ids=str
)
def test_gibbs(spread, options):
    psi = BinaryRBM(FREE, spread=max(spread, 1e-9), **options)
    theta = psi.start(Stream(3, 0, 0, 0))
    found, limit = value(Gibbs(FREE), FREE, psi, theta, sweeps=30)
    assert found < limit
    wrong, _ = value(Halved(FREE), FREE, psi, theta, sweeps=30)
    assert spread == 0 or wrong > 3 * limit


def test_gibbs_refuses_what_does_not_factorise():
    with pytest.raises(ValueError, match="use exchange"):
        Gibbs(FIXED)
    for psi in (
        BinaryRBM(FREE, weights="complex"),
        SpinJastrow(FREE),
        BinaryRBM(FREE) * SpinJastrow(FREE),
    ):
        with pytest.raises(ValueError, match="real weights"):
            Gibbs(FREE).check(FREE, psi)
    Gibbs(FREE).check(FREE, BinaryRBM(FREE) * BinaryRBM(FREE, symmetric=True))


@pytest.mark.parametrize(
    "psi",
    [SpinJastrow(FREE, spread=0.2), SpinNetwork(FREE, [8], weights="complex", spread=0.6)],
    ids=["jastrow", "network"],
)
def test_other_functions_of_spins(psi):
    found, limit = value(SpinFlip(FREE), FREE, psi, psi.start(Stream(3, 0, 0, 0)), sweeps=60)
    assert found < limit


def test_a_wrong_acceptance_is_seen():
    found, limit = value(Unfair(FREE), FREE, *psi_of(FREE, 0.3))
    assert found > 3 * limit


@pytest.mark.parametrize("sweeps", [1, 2, 12])
def test_parity_without_the_lazy_proposal_is_seen_on_a_flat_psi(sweeps):
    """Half of all configurations are never met."""
    found, limit = value(Whole(FREE), FREE, *psi_of(FREE, 0.0), sweeps=sweeps)
    assert found > 100 * limit


def test_systematic_metropolis_is_refused():
    with pytest.raises(ValueError, match="heat_bath"):
        SpinFlip(FREE, "systematic", "metropolis")


def test_spaces_are_told_apart():
    with pytest.raises(ValueError, match="use exchange"):
        SpinFlip(FIXED)
    with pytest.raises(ValueError, match="use spin_flip"):
        Exchange(FREE)
    with pytest.raises(ValueError, match="scan"):
        SpinFlip(FREE, "any")


def test_exchanges_keep_the_magnetisation():
    system = Heisenberg([8], magnetisation=2)
    walkers, counts = sample(Exchange(system), system, *psi_of(system, 0.3), sweeps=3)
    assert (walkers.s.sum(axis=1) == 2).all() and len(np.unique(walkers.s, axis=0)) > 10
    assert counts.tried == 3 * 8 * COUNT and 0 < counts.accepted < counts.tried


def test_log_psi_belongs_to_the_spins():
    psi, theta = psi_of(FREE, 0.3)
    walkers, _ = sample(SpinFlip(FREE), FREE, psi, theta, sweeps=2)
    np.testing.assert_array_equal(walkers.log_psi, psi.bind(theta).log(walkers.r, walkers.s))
