"""The electron gas checked by tests/exact/independent_gas.py: log psi to rounding, and the energy
of a trained state by another sampler, differences and another Ewald sum.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.exact.independent_gas import Gas
from tests.exact.states import briefly_trained
from vmcnet.backend.stream import Stream


def state(n, r_s, d, shells, passes=2, width=4, spread=0.2):
    """System, wavefunction, and what the other program needs besides parameters."""
    system = vmc.systems.ElectronGas(n, r_s, d)
    network = vmc.wavefunctions.MessagePassing(width, passes, spread=spread)
    psi = vmc.wavefunctions.Slater(system, network=network, excitations=shells)
    more = {"shells": shells, "passes": passes}
    return system, psi * vmc.wavefunctions.PadeJastrow(system), more


@pytest.mark.parametrize(("n", "d", "shells"), [(10, 2, 2), (14, 3, 1)])
def test_log_psi(n, d, shells):
    """With excitations of every class, at random parameters and positions."""
    system, psi, more = state(n, 3.0, d, shells)
    theta = psi.start(Stream(1, 0, 0, 0))
    theta = theta + 0.1 * np.random.default_rng(2).normal(size=theta.shape)
    r = system.start(Stream(3, 0, 0, 0), 8).r
    other = Gas(n, 3.0, d, psi.layout.values(theta), **more)
    found, known = psi.bind(theta).log(r, system.labels(8)), other.log(r)
    # the orbitals cos and sin differ from plane waves by a constant factor of every determinant
    np.testing.assert_allclose(found - found[0], known - known[0], atol=1e-9)
    assert len(other.classes) > 3 and np.ptp(known) > 1


def test_local_energies():
    system, psi, more = state(14, 2.0, 3, 1)
    theta = psi.start(Stream(1, 0, 0, 0))
    walkers = system.start(Stream(4, 0, 0, 0), 6)
    bound, other = psi.bind(theta), Gas(14, 2.0, 3, psi.layout.values(theta), **more)
    best = np.argsort(bound.log(walkers.r, walkers.s))[-3:]  # far from nodes
    walkers = type(walkers)(walkers.r[best], walkers.s[best])
    kinetic = system.terms["kinetic"].local(walkers, bound)
    np.testing.assert_allclose(other.kinetic(walkers.r), kinetic, rtol=1e-5, atol=1e-5)
    coulomb = system.terms["coulomb"].local(walkers, bound)
    np.testing.assert_allclose(other.coulomb(walkers.r), coulomb, atol=1e-9)


@pytest.mark.verify
def test_the_energy_of_a_trained_state():
    """14 electrons at r_s = 2 after a short training with one shell of excitations: both programs
    within four errors, and below backflow alone would be a sign of a wrong Hamiltonian.
    """
    system, psi, more = state(14, 2.0, 3, 1, passes=1, width=8, spread=0.01)
    trained = briefly_trained(system, psi, 0.025)
    here = vmc.evaluate(trained, steps=60, interval=12)
    other = Gas(14, 2.0, 3, trained.parameters, **more)
    energy, error = other.energy(256, 12, 12, 5, 0.25)
    both = np.hypot(error, here.error)
    assert both / 14 < 4e-4 and abs(energy - here.energy) < 4 * both
    assert -0.0087 < here.energy / 14 < -0.007
