"""Parity and spin flip of determinants, Pfaffians and hidden fermions."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from vmcnet.backend.stream import Stream
from vmcnet.engine.fitting import Misfit, fit
from vmcnet.systems import NeutronMatter, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import HiddenFermions, MessagePassing, Pfaffian, Slater

KINDS = {"slater": Slater, "pfaffian": Pfaffian, "hidden": HiddenFermions}
SIGN = {"even": 1.0, "odd": -1.0, None: 0.0}
each = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def made(kind, system, spread=0.3, away=0.1, **options):
    network = MessagePassing(width=3, passes=2, spread=spread)
    psi = kind(system, network=network, **options)
    theta = psi.start(Stream(2, 0, 0, 0))
    return psi.bind(theta + away * Stream(3, 0, 0, 0).normal(theta.shape))


def points(system, count=3):
    walkers, rng = system.start(Stream(1, 0, 0, 0), count), np.random.default_rng(3)
    return Walkers(walkers.r, np.array([rng.permutation(x) for x in walkers.s]))


def number(amplitude):
    sign, log = amplitude
    return sign * np.exp(log)


@pytest.mark.parametrize(
    ("parity", "spin_flip"), [("even", None), ("odd", None), (None, "odd"), ("odd", "odd")]
)
@each
def test_the_sum_over_the_group(kind, parity, spin_flip):
    """psi is that sum of the function that is not projected, and has the symmetry."""
    system = NeutronMatter(14)
    walkers = points(system)
    r, s = walkers.r, walkers.s
    plain = made(kind, system).amplitude
    p, f = SIGN[parity], SIGN[spin_flip]
    parts = [(1.0, r, s), (p, -r, s), (f, r, -s), (p * f, -r, -s)]
    known = sum(c * number(plain(x, t)) for c, x, t in parts if c)
    found = made(kind, system, parity=parity, spin_flip=spin_flip).amplitude
    np.testing.assert_allclose(number(found(r, s)), known, rtol=1e-10)
    if parity:
        np.testing.assert_allclose(number(found(-r, s)), p * known, rtol=1e-10)
    if spin_flip:
        np.testing.assert_allclose(number(found(r, -s)), f * known, rtol=1e-10)
    order = [1, 0, *range(2, 14)]
    np.testing.assert_allclose(number(found(r[:, order], s[:, order])), -known, rtol=1e-10)


@each
def test_derivatives_and_exchanges(kind):
    system = QuantumDot(2, omega=0.7)
    psi = made(kind, system, 0.1, 0.02, parity="even", spin_flip="odd")
    walkers = points(system, 2)
    check_jet(psi.log, walkers.r, *psi.jet(walkers), walkers.s)
    o, h = psi.log_derivatives(walkers), 1e-5
    theta = psi.wavefunction.start(Stream(2, 0, 0, 0))
    theta = theta + 0.02 * Stream(3, 0, 0, 0).normal(theta.shape)
    way = np.random.default_rng(8).normal(size=theta.shape)
    ends = [psi.wavefunction.bind(theta + t * way).log(walkers.r, walkers.s) for t in (h, -h)]
    np.testing.assert_allclose(o @ way, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-7)
    ratios = psi.exchange_ratios(walkers)
    turned = psi.ratio(walkers.r, walkers.s[:, ::-1].copy(), psi.amplitude(walkers.r, walkers.s))
    np.testing.assert_allclose(ratios[:, 0], turned, rtol=1e-12)


def test_complex_waves():
    """Of an open shell: -r has other waves, and the sum stays what it says."""
    system, waves = NeutronMatter(4), [[0, 0, 0], [1, 0, 0]]
    occupied = {"occupied_up": waves, "occupied_down": waves}
    psi, walkers = Slater(system, parity="even", **occupied), points(system, 8)
    assert not psi.orbitals.real
    found = psi.bind(np.zeros(0)).log(walkers.r, walkers.s)
    plain = Slater(system, **occupied).bind(np.zeros(0)).amplitude
    known = sum(number(plain(x, walkers.s)) for x in (walkers.r, -walkers.r))
    np.testing.assert_allclose(np.exp(found), known, rtol=1e-12)


@each
def test_the_wrong_sign_is_refused(kind):
    """7 + 7 plane waves are even under parity and odd under a flip of all spins."""
    system = NeutronMatter(14)

    def choose(**options):
        return kind(system, network=MessagePassing(width=3, passes=1), **options)

    assert fit(system, choose(parity="even", spin_flip="odd")) is not None
    for options in ({"parity": "odd"}, {"spin_flip": "even"}):
        with pytest.raises(Misfit, match="choose the other word"):
            fit(system, choose(**options))
    with pytest.raises(ValueError, match="as many particles up as down"):
        polarised = NeutronMatter(8, polarisation=0.75, twist=[0.5, 0.5, 0.5])
        (Slater if kind is Pfaffian else kind)(polarised, spin_flip="even")
    with pytest.raises(ValueError, match="expected 'even' or 'odd'"):
        choose(parity="both")


def test_a_symmetric_function_is_left_alone():
    """Plane waves by themselves: only a factor of the norm, and the energies are theirs."""
    system = NeutronMatter(14)
    psi, walkers = Slater(system, parity="even", spin_flip="odd"), points(system)
    log = psi.bind(np.zeros(0)).log(walkers.r, walkers.s)
    plain = Slater(system).bind(np.zeros(0)).log(walkers.r, walkers.s)
    np.testing.assert_allclose(log - plain, np.log(4.0), rtol=1e-10)
    assert "parity even, spin flip odd" in psi.describe()
    energy = vmc.evaluate(
        vmc.train(system, psi, iterations=0, walkers=8, block=8, warmup=2, steps=2), steps=2
    ).estimates["kinetic"]
    assert energy.mean / 14 == pytest.approx(14.1183, abs=1e-4)
