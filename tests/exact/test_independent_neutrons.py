"""Neutron matter checked by tests/exact/independent_neutrons.py: psi and every term of its local
energy, and the energy of a trained state by another sampler.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.exact.independent_neutrons import Neutrons
from tests.exact.states import briefly_trained
from vmcnet.backend.stream import Stream


def state(density, shells, passes=2, width=4, spread=0.2):
    system = vmc.systems.NeutronMatter(14, density)
    network = vmc.wavefunctions.MessagePassing(width, passes, spread=spread)
    return system, vmc.wavefunctions.Slater(system, network=network, excitations=shells)


@pytest.fixture(scope="module")
def perturbed():
    """System, psi with excitations of every class at random parameters, the other program, and a
    few walkers away from nodes.
    """
    system, psi = state(0.05, 2)
    theta = psi.start(Stream(1, 0, 0, 0))
    theta = theta + 0.1 * np.random.default_rng(2).normal(size=theta.shape)
    bound, r = psi.bind(theta), system.start(Stream(3, 0, 0, 0), 40).r
    r = r[np.argsort(bound.log(r, system.labels(40)))[-8:]]
    return system, bound, Neutrons(14, 0.05, psi.layout.values(theta), 2), r


def test_psi(perturbed):
    """Log and sign, of labels in order and in any other."""
    system, bound, other, r = perturbed
    rng, s = np.random.default_rng(4), system.labels(len(r))
    s = np.concatenate([s[:4], rng.permuted(s[4:], axis=1)])
    sign, found = bound.amplitude(r, s)
    phase, known = other.psi(r, s)
    # the orbitals cos and sin differ from plane waves by a constant factor of the determinant
    np.testing.assert_allclose(found - found[0], known - known[0], atol=1e-9)
    np.testing.assert_allclose(sign / sign[0], phase / phase[0], atol=1e-9)
    assert np.ptp(known) > 1 and len(set(sign.tolist())) == 2 and len(other.classes) > 10
    # and every excitation as a determinant with two columns replaced
    h = other.hidden(r, s)
    occupied, virtual = (other.waves(r, s, h, m) for m in (other.occupied, other.virtual))
    ratios = other.excited(np.linalg.solve(occupied, virtual))
    np.testing.assert_allclose(other.explicit(r[:2], s[:2]), ratios[:2], rtol=1e-9)
    assert np.abs(ratios - 1).max() > 0.1


def test_local_energies(perturbed):
    system, bound, other, r = perturbed
    r, s = r[-3:], system.labels(3)
    walkers = vmc.walkers.Walkers(r, s)
    for name, value in other.local(r, s).items():
        known = system.terms[name].local(walkers, bound)
        bound_ = 1e-6 if name == "kinetic" else 1e-10
        np.testing.assert_allclose(value, known, rtol=bound_, atol=bound_ * 100, err_msg=name)
        assert np.abs(known).max() > 0.1


@pytest.mark.processes  # the run file asks git for the revision
@pytest.mark.verify
def test_the_energy_of_a_trained_state(tmp_path):
    """14 neutrons at 0.04 fm^-3 after a short training with one shell of excitations, read from the
    run file: both programs within four errors, far below plane waves (6.98).
    """
    system, psi = state(0.04, 1, passes=1, width=8, spread=0.01)
    trained = briefly_trained(system, psi, 0.03, output=tmp_path / "short.h5")
    here = vmc.evaluate(trained, steps=60, interval=12)
    energy, error = Neutrons.read(tmp_path / "short.h5").energy(256, 8, 12, 5)["energy"]
    both = np.hypot(error, here.error)
    assert both / 14 < 0.03 and abs(energy - here.energy) < 4 * both
    assert 6.45 < here.energy / 14 < 6.75
