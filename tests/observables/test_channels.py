"""Pairs of spins in singlet and in triplet."""

import numpy as np
import pytest

from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.observables import Density, PairDistribution, TotalSpin
from vmcnet.systems import NeutronMatter, Nucleus, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import MessagePassing, Slater


def waves(spins):
    """Plane waves of 14 neutrons with any spins, and what counts their pairs."""
    system = NeutronMatter(14)
    walkers, rng = system.start(Stream(1, 0, 0, 0), 8), np.random.default_rng(2)
    s = walkers.s if spins == "fixed" else np.array([rng.permutation(x) for x in walkers.s])
    return system, Slater(system).bind(np.zeros(0)), Walkers(walkers.r, s)


@pytest.mark.parametrize("spins", ["fixed", "mixed"])
def test_a_state_of_spin_zero(spins):
    """N (N + 2)/8 singlets in every walker, and with the triplets all pairs; a device too."""
    system, psi, walkers = waves(spins)
    found = PairDistribution(system, bins=12, channels=True)
    x, volume = found.measure(walkers, psi), found.grid["volume"]
    every = PairDistribution(system, bins=12).measure(walkers, psi)
    np.testing.assert_allclose(x[:, :12] + x[:, 12:], every, rtol=1e-9, atol=1e-9)
    pairs = [(part @ volume) * 14**2 / (2 * system.box.volume) for part in (x[:, :12], x[:, 12:])]
    np.testing.assert_allclose(pairs[0], 14 * 16 / 8, rtol=1e-9)
    np.testing.assert_allclose(pairs[1], 91 - 28, rtol=1e-9)
    there = Walkers(fakecupy.asarray(walkers.r), fakecupy.asarray(walkers.s))
    np.testing.assert_allclose(found.measure(there, psi), x, rtol=1e-9, atol=1e-9)
    assert found.labels[0].startswith("g singlet(") and found.labels[-1].startswith("g triplet(")


def test_at_contact_pairs_of_unlike_spins_are_singlets():
    """psi is symmetric in space there; pairs of equal spins are triplets everywhere. A network's
    psi too.
    """
    system, _, walkers = waves("fixed")
    psi = Slater(system, network=MessagePassing(width=3, passes=1, spread=0.3))
    r = walkers.r.copy()
    r[:, 9] = r[:, 2] + 1e-7
    ratios = psi.bind(psi.start(Stream(2, 0, 0, 0))).exchange_ratios(Walkers(r, walkers.s))
    i, j = np.triu_indices(14, 1)
    np.testing.assert_allclose(ratios[:, (i == 2) & (j == 9)], -1.0, atol=1e-4)
    np.testing.assert_array_equal(ratios[:, walkers.s[0, i] == walkers.s[0, j]], 1.0)


def test_two_electrons_in_a_trap_are_a_singlet():
    system = QuantumDot(2, omega=1.0)
    found, psi = PairDistribution(system, bins=5, channels=True), Slater(system)
    x = found.measure(system.start(Stream(1, 0, 0, 0), 6), psi.bind(np.zeros(psi.layout.size)))
    every = PairDistribution(system, bins=5).measure(system.start(Stream(1, 0, 0, 0), 6), None)
    np.testing.assert_allclose(x[:, :5], every, rtol=1e-12)
    assert not x[:, 5:].any() and found.units == "1/length^d"


@pytest.mark.parametrize("spins", ["fixed", "mixed"])
def test_total_spin_of_any_labels(spins):
    """0 of filled shells, whichever particles are up."""
    system, psi, walkers = waves(spins)
    few = Walkers(walkers.r[:2], walkers.s[:2])
    assert np.abs(TotalSpin(system).measure(few, psi)).max() < 1e-8


@pytest.mark.parametrize("kind", [TotalSpin, PairDistribution, Density])
def test_four_labels_are_no_spins(kind):
    options = {} if kind is TotalSpin else {"by_spin": True}
    with pytest.raises(ValueError, match=r"labels \[1, 3\] of Nucleus are not spins"):
        kind(Nucleus(), **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PairDistribution(NeutronMatter(14), by_spin=True, channels=True),
        lambda: PairDistribution(NeutronMatter(7, polarisation=1.0), channels=True),
    ],
)
def test_refusals(make):
    with pytest.raises(ValueError, match="spins up and down, and by_spin = false"):
        make()
