"""Moves of one particle of determinants and pair factors, against log psi of all particles."""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.geometry.moves import ParticleMove
from vmcnet.sampling.one_particle import OneParticle
from vmcnet.systems import ElectronGas, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import MessagePassing, PadeJastrow, Slater, one_particle_updates


@pytest.fixture(autouse=True)
def for_any_number(monkeypatch):
    monkeypatch.setattr(one_particle_updates, "LEAST", 0)


DOT, POLARISED = QuantumDot(7), QuantumDot(3, spin_projection=1.5)
GAS, TURNED = ElectronGas(14), ElectronGas(4, twist=[0.1, 0.2, -0.3])
STATES = {
    "dot": (DOT, lambda: Slater(DOT)),
    "dot, mixed shells": (DOT, lambda: Slater(DOT, mixing=1)),
    "dot x Pade": (DOT, lambda: Slater(DOT) * PadeJastrow(DOT)),
    "equal spins": (POLARISED, lambda: Slater(POLARISED) * PadeJastrow(POLARISED)),
    "gas x Pade": (GAS, lambda: Slater(GAS) * PadeJastrow(GAS)),
    "gas with a twist": (TURNED, lambda: Slater(TURNED)),
}


def prepared(name, walkers):
    system, make = STATES[name]
    psi = make()
    theta = psi.start(Stream(1, 0, 0, 0))
    theta = theta + 0.1 * np.random.default_rng(4).normal(size=theta.shape)
    return psi, theta, system.start(Stream(2, 0, 0, 0), walkers), system


def moves(walkers, system, rng):
    count, n, d = walkers.r.shape
    who = rng.integers(n, size=count)
    shift = 0.4 * system.length * rng.normal(size=(count, d))
    return ParticleMove(who, walkers.r[np.arange(count), who] + shift)


@pytest.mark.parametrize("name", STATES)
def test_ratios_and_accepted_moves(name):
    """Magnitude and sign of every ratio, after moves of some of the walkers as before."""
    psi, theta, walkers, system = prepared(name, 40)
    bound, rng = psi.bind(theta), np.random.default_rng(3)
    update = bound.update(walkers, ParticleMove)
    r = walkers.r.copy()
    for _ in range(12):
        now = Walkers(r, walkers.s)
        move = moves(now, system, rng)
        moved = r.copy()
        moved[np.arange(40), move.particle] = move.to
        phase, log = update.ratio(move)
        (p, a), (q, b) = (bound.amplitude(x, walkers.s) for x in (moved, r))
        known = np.exp(a - b) * (1 if p is None else p) * (1 if q is None else q)
        found = np.exp(log) * (1 if phase is None else phase)
        np.testing.assert_allclose(found, known, rtol=1e-8)
        mask = rng.uniform(size=40) < 0.6
        update.accept(move, mask)
        r[mask] = moved[mask]
        np.testing.assert_array_equal(update.configuration()[0], r)


@pytest.mark.parametrize("name", ["dot x Pade", "gas x Pade"])
def test_the_sampler_decides_alike(name):
    """The same random numbers, the same decisions as with psi of all particles; the inverse stays
    exact over 1000 moves a walker.
    """
    psi, theta, walkers, _ = prepared(name, 16)
    bound, whole = psi.bind(theta), psi.bind(theta)
    whole.update = lambda walkers, kind=None: None
    sampler, n = OneParticle(), walkers.r.shape[1]
    one = sampler.sample(
        bound.renew(walkers, ParticleMove), bound, 0.3, -(-1000 // n), Stream(3, 2, 0, 0)
    )
    other = sampler.sample(
        whole.renew(walkers, ParticleMove), whole, 0.3, -(-1000 // n), Stream(3, 2, 0, 0)
    )
    assert one[0].update is not None and other[0].update is None
    np.testing.assert_array_equal(one[0].r, other[0].r)
    assert one[1].accepted == other[1].accepted > 0
    slater = one[0].update.parts[0]
    before = {spin: x.copy() for spin, x in slater._inverse.items()}
    slater.renew()
    for spin, known in slater._inverse.items():
        off = abs(before[spin] - known).max(axis=(1, 2)) / abs(known).max(axis=(1, 2))
        assert np.quantile(off, 0.9) < 1e-9


def test_what_has_no_update():
    """Networks move every orbital, excitations and several spin configurations are read whole."""
    for psi in (Slater(DOT, network=MessagePassing(width=2)), Slater(DOT, excitations=1)):
        assert psi.update_rule({}) is None
    psi, theta, walkers, _ = prepared("dot", 4)
    walkers.s[1] = walkers.s[1, ::-1]
    assert psi.bind(theta).update(walkers, ParticleMove) is None


def test_few_particles_are_evaluated_whole(monkeypatch):
    monkeypatch.setattr(one_particle_updates, "LEAST", 8)
    for name, offered in (("dot x Pade", False), ("gas x Pade", True)):
        psi, theta, walkers, _ = prepared(name, 4)
        assert (psi.bind(theta).update(walkers, ParticleMove) is not None) == offered
