"""Pfaffians and hidden fermions in a box by tests/exact/independent_pairing.py: log and sign of psi
and every local energy, the exchange of spins among them.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.exact.independent_pairing import Hidden, Pairs, pfaffian
from vmcnet.backend.stream import Stream

DENSITY = 0.05


@pytest.fixture(scope="module", params=["Pfaffian", "hidden fermions"])
def both(request):
    """System, psi at random parameters, the other program, walkers away from nodes."""
    system, w = vmc.systems.NeutronMatter(14, DENSITY), vmc.wavefunctions
    network = w.MessagePassing(4, 2, spread=0.2)
    if request.param == "Pfaffian":
        psi = w.Pfaffian(system, shells=1, network=network)
    else:
        psi = w.HiddenFermions(system, hidden=2, shells=1, network=network)
    theta = psi.start(Stream(1, 0, 0, 0))
    theta = theta + 0.1 * np.random.default_rng(2).normal(size=theta.shape)
    bound, r = psi.bind(theta), system.start(Stream(3, 0, 0, 0), 40).r
    r = r[np.argsort(bound.log(r, system.labels(40)))[-8:]]
    values = psi.layout.values(theta)
    if request.param == "Pfaffian":
        return system, bound, Pairs(14, DENSITY, values, 1), r
    return system, bound, Hidden(14, DENSITY, values, 1, 2), r


def test_psi(both):
    """Log and sign, of labels in order and in any other."""
    system, bound, other, r = both
    rng, s = np.random.default_rng(4), system.labels(len(r))
    s = np.concatenate([s[:4], rng.permuted(s[4:], axis=1)])
    sign, found = bound.amplitude(r, s)
    phase, known = other.psi(r, s)
    np.testing.assert_allclose(found - found[0], known - known[0], atol=1e-9)
    np.testing.assert_allclose(sign / sign[0], phase / phase[0], atol=1e-9)
    assert np.ptp(known) > 1 and len(set(sign.tolist())) == 2


def test_local_energies(both):
    system, bound, other, r = both
    r, s = r[-2:], system.labels(2)
    walkers = vmc.walkers.Walkers(r, s)
    for name, value in other.local(r, s).items():
        known = system.terms[name].local(walkers, bound)
        bar = 1e-6 if name == "kinetic" else 1e-9
        np.testing.assert_allclose(value, known, rtol=bar, atol=bar * 100, err_msg=name)
        assert np.abs(known).max() > 0.1


def test_pfaffian_squared_is_the_determinant():
    a = np.random.default_rng(1).normal(size=(3, 6, 6))
    a = a - np.swapaxes(a, 1, 2)
    np.testing.assert_allclose(2 * pfaffian(a)[1], np.linalg.slogdet(a)[1], rtol=1e-12)
    four = a[:, :4, :4]
    known = four[:, 0, 1] * four[:, 2, 3] - four[:, 0, 2] * four[:, 1, 3]
    known = known + four[:, 0, 3] * four[:, 1, 2]
    sign, log = pfaffian(four)
    np.testing.assert_allclose(sign * np.exp(log), known, rtol=1e-12)
