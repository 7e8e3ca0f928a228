"""Pfaffians and hidden fermions: the determinant they start at, antisymmetry, jets and parameter
derivatives against differences, singlets.
"""

from itertools import combinations

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.optimizers import SPRING
from vmcnet.systems import ElectronGas, NeutronMatter, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import HiddenFermions, MessagePassing, Pfaffian, Slater


def network(spread=0.3):
    return MessagePassing(width=4, passes=2, spread=spread)


def pair(system, spread=0.3):
    heads = ["backflow", "orbitals", "jastrow"]
    return Pfaffian(system, shells=1, network=network(spread), heads=heads)


def hidden(system, spread=0.3):
    return HiddenFermions(system, hidden=2, network=network(spread))


MAKERS = {"pfaffian": pair, "hidden": hidden}
SYSTEMS = {
    "dot": lambda: QuantumDot(6, omega=0.7),
    "gas": lambda: ElectronGas(10, r_s=2.0, dimensions=2),
    "two": lambda: NeutronMatter(2, 0.02),
}
each = pytest.mark.parametrize("maker", MAKERS.values(), ids=list(MAKERS))
everywhere = pytest.mark.parametrize("system", [f() for f in SYSTEMS.values()], ids=list(SYSTEMS))


def moved(psi):
    """Parameters away from the start."""
    theta = psi.start(Stream(2, 0, 0, 0))
    return theta + 0.1 * Stream(3, 0, 0, 0).normal(theta.shape)


def mixed(system, count=4):
    """Walkers whose spins differ."""
    walkers, rng = system.start(Stream(1, 0, 0, 0), count), np.random.default_rng(3)
    return Walkers(walkers.r, np.array([rng.permutation(x) for x in walkers.s]))


@each
@everywhere
def test_without_weights_it_is_the_determinant(system, maker):
    psi, walkers = maker(system, spread=0.0), mixed(system)
    sign, log = psi.bind(psi.start(Stream(2, 0, 0, 0))).amplitude(walkers.r, walkers.s)
    slater = Slater(system)
    known_sign, known = slater.bind(slater.start(Stream(2, 0, 0, 0))).amplitude(
        walkers.r, walkers.s
    )
    np.testing.assert_allclose(log - known, (log - known)[0], atol=1e-11)
    assert len(set((sign * known_sign).tolist())) == 1


@each
@everywhere
def test_particles_exchanged_with_their_spins(system, maker):
    psi, walkers = maker(system), mixed(system)
    amplitude = psi.bind(moved(psi)).amplitude
    sign, log = amplitude(walkers.r, walkers.s)
    for i, j in list(combinations(range(system.particles), 2))[:: system.particles - 1]:
        order = np.arange(system.particles)
        order[[i, j]] = j, i
        other_sign, other = amplitude(walkers.r[:, order], walkers.s[:, order])
        np.testing.assert_allclose(other, log, atol=1e-10)
        assert np.array_equal(other_sign, -sign)


@each
@pytest.mark.parametrize(
    "system",
    [QuantumDot(2, omega=0.7), NeutronMatter(2, 0.02)],
    ids=["dot", "neutrons"],
)
def test_derivatives_of_two(system, maker):
    """Of coordinates, against differences in long double."""
    psi, walkers = maker(system), mixed(system, 2)
    bound = psi.bind(moved(psi))
    check_jet(bound.log, walkers.r, *bound.jet(walkers), walkers.s)


@each
@everywhere
def test_derivatives(system, maker):
    """The gradient is that of the reverse pass, the Laplacian its divergence; parameters against
    differences.
    """
    psi, walkers = maker(system), mixed(system, 2)
    theta, h = moved(psi), 1e-5
    bound = psi.bind(theta)
    _, gradient, laplacian = bound.jet(walkers)
    drift = bound.drift(walkers.r, walkers.s).reshape(2, -1).T
    np.testing.assert_allclose(drift, gradient, rtol=1e-9, atol=1e-9)
    divergence = np.zeros(2)
    for c in range(walkers.r[0].size):
        step = np.zeros(walkers.r[0].size)
        step[c] = h
        step = step.reshape(walkers.r.shape[1:])
        ends = [bound.drift(walkers.r + t * step, walkers.s).reshape(2, -1)[:, c] for t in (1, -1)]
        divergence += (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(laplacian, divergence, rtol=1e-5, atol=1e-6)
    rng = np.random.default_rng(8)
    way, weights = rng.normal(size=theta.shape), rng.normal(size=2)
    o = bound.log_derivatives(walkers)
    ends = [psi.bind(theta + t * way).log(walkers.r, walkers.s) for t in (h, -h)]
    np.testing.assert_allclose(o @ way, (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        bound.contracted(walkers, weights), weights @ o, rtol=1e-10, atol=1e-12
    )


@each
def test_float32_stand_in_and_exchanges(maker):
    """Exchanged spins by stages are full evaluations."""
    system = NeutronMatter(14)
    psi, walkers = maker(system), mixed(system)
    bound = psi.bind(moved(psi))
    sign, log = bound.amplitude(walkers.r, walkers.s)
    narrow = bound.amplitude(walkers.r.astype(np.float32), walkers.s)
    assert narrow[1].dtype == np.float32 and np.array_equal(narrow[0], sign)
    np.testing.assert_allclose(narrow[1], log, atol=5e-3)
    there = bound.amplitude(fakecupy.asarray(walkers.r), fakecupy.asarray(walkers.s))
    np.testing.assert_allclose(there[1].get(), log, rtol=1e-11)
    s = walkers.s[:, None].repeat(3, axis=1)
    for k in range(4):
        up, down = np.flatnonzero(s[k, 0] > 0), np.flatnonzero(s[k, 0] < 0)
        s[k, 1, [up[0], down[0]]] = -1, 1
        s[k, 2, [up[1], down[2]]] = -1, 1
    found_sign, found = bound.amplitude.configurations(walkers.r, s)
    for c in range(3):
        known_sign, known = bound.amplitude(walkers.r, s[:, c])
        np.testing.assert_allclose(found[:, c], known, rtol=1e-12)
        assert np.array_equal(found_sign[:, c], known_sign)


def test_pairs_without_a_network_are_singlets():
    """S^2 = N(4 - N)/4 + sum_{i<j} P_ij, P_ij the exchange of two spins, and S^2 psi = 0 for any
    numbers c_k; with a triplet part it is not.
    """
    system = NeutronMatter(14)
    walkers = mixed(system)
    like = 2 * 7 * 6 / 2
    elements = np.ones((len(walkers.r), 91))
    for psi, zero in ((Pfaffian(system, shells=2), True), (pair(system), False)):
        bound = psi.bind(moved(psi))
        square = 14 * (4 - 14) / 4 + like + bound.spin_exchanges(walkers, elements)
        assert (np.abs(square).max() < 1e-9) == zero
    assert Pfaffian(system, shells=2).layout.size == 4


def test_more_pairing_is_another_state():
    """Numbers c_k of empty shells change psi; a common factor of all does not."""
    system = NeutronMatter(14)
    psi, walkers = Pfaffian(system), mixed(system)
    log = {
        name: psi.bind(np.array(c)).log(walkers.r, walkers.s)
        for name, c in {"start": [1, 1, 0], "scaled": [2, 2, 0], "paired": [1, 1, 0.3]}.items()
    }
    np.testing.assert_allclose(log["scaled"] - log["start"], 7 * np.log(2.0), rtol=1e-12)
    assert np.ptp(log["paired"] - log["start"]) > 0.1


def test_a_short_training_lowers_the_energy():
    """Of two neutrons, by both, from the energy of plane waves."""
    system = NeutronMatter(2, 0.005)
    waves = system.reference_of(Slater(system))[0]
    for maker in MAKERS.values():
        result = vmc.train(
            system,
            maker(system, spread=0.01),
            optimizer=vmc.optimizers.SGD(0.05),
            natural_gradient=SPRING(shift=1e-3),
            iterations=10,
            walkers=64,
            block=32,
            steps=4,
            step_size=0.5,
            warmup=8,
        )
        energy = np.asarray(result.series["energy"])
        assert np.median(energy[-4:]) < waves


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pfaffian(NeutronMatter(8, polarisation=0.75, twist=[0.1, 0, 0])), "7 particles"),
        (lambda: Pfaffian(NeutronMatter(4, twist=[0.1, 0.2, 0.3])), "real orbitals"),
        (lambda: Pfaffian(NeutronMatter(14), triplet=True), "no network"),
        (lambda: Pfaffian(NeutronMatter(14), heads=["backflow"]), "no network"),
        (lambda: Pfaffian(NeutronMatter(14), shells=-1), "shells"),
        (lambda: HiddenFermions(NeutronMatter(14), hidden=0), "hidden"),
        (lambda: HiddenFermions(NeutronMatter(14), heads=["orbitals"]), "expected some of backfl"),
        (lambda: HiddenFermions(NeutronMatter(4, twist=[0.1, 0.2, 0.3])), "real orbitals"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
