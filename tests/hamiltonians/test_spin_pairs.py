"""Spin exchange against the dense matrix of all spin states, three-body sums against triples,
images against sums over cells.
"""

from itertools import combinations, product

import numpy as np
import pytest

from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.geometry.box import Box
from vmcnet.hamiltonians.spin_pairs import (
    AntiparallelPairs,
    GaussianImages,
    SpinExchange,
    ThreeBody,
)
from vmcnet.parameters import Layout
from vmcnet.systems import NeutronMatter, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import HiddenFermions, MessagePassing, Pfaffian, Slater, Wavefunction

STANDIN = fakecupy
PAULI = [np.array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])]
STRENGTH = -1.7


class AnyState(Wavefunction):
    """psi(r, s) without any symmetry: log = sum_i s_i f(r_i) + sum_ij s_i s_j g(r_i), and a sign or
    a phase that depends on s.
    """

    name = "any"

    def __init__(self, particles, kind):
        self.particles, self.dimensions, self.kind = particles, 2, kind
        rng = np.random.default_rng(particles)
        self.a, self.b = rng.normal(size=(2, particles)), rng.normal(size=(particles, particles))
        self.layout = Layout()

    def log_psi(self, ops, theta, walkers):
        s, xp = walkers.s.astype(ops.real_dtype), ops.xp
        a, b = xp.asarray(self.a, ops.real_dtype), xp.asarray(self.b, ops.real_dtype)
        first = ops.sum(walkers.r * ops.constant(s[:, :, None] * a.T[None]), axis=-1)
        second = ops.sum(walkers.r * walkers.r, axis=-1) * ops.constant(0.3 * (s @ b) * s)
        angle = (s @ b).sum(axis=1)
        phase = None
        if self.kind == "sign":
            phase = xp.where(angle > 0, 1.0, -1.0)
        elif self.kind == "phase":
            phase = xp.exp(1j * angle)
        return phase, ops.sum(first + second, axis=-1)


def states(n):
    """All spin configurations (2^n, n); up first."""
    return np.array(list(product([1, -1], repeat=n)), np.int8)


def pair_matrix(n, i, j):
    """(1 - sigma_i . sigma_j)/4 on all spin states."""
    out = np.eye(2**n, dtype=complex)
    for sigma in PAULI:
        one = [sigma if k in (i, j) else np.eye(2) for k in range(n)]
        big = one[0]
        for m in one[1:]:
            big = np.kron(big, m)
        out = out - big
    return 0.25 * out


def radial(x):
    return np.exp(-0.5 * (x * x).sum(axis=-1))


@pytest.mark.parametrize("kind", ["real", "sign", "phase"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_exchange_equals_the_dense_matrix(n, kind):
    """(H psi)(s)/psi(s) for every spin state s at one r: walkers of all magnetisations at once."""
    s, psi = states(n), AnyState(n, kind)
    r = np.repeat(np.random.default_rng(5).normal(size=(1, n, 2)), len(s), axis=0)
    bound = psi.bind(np.zeros(0))
    phase, log = bound.amplitude(r, s)
    amplitude = np.exp(log) * (1.0 if phase is None else phase)
    pairs = list(combinations(range(n), 2))
    u = STRENGTH * radial(r[:1, [i for i, _ in pairs]] - r[:1, [j for _, j in pairs]])[0]
    h = sum(x * pair_matrix(n, i, j) for x, (i, j) in zip(u, pairs, strict=True))
    known = h @ amplitude / amplitude
    walkers = Walkers(r, s)
    found = SpinExchange(radial, -0.5 * STRENGTH).local(walkers, bound) + AntiparallelPairs(
        radial, 0.5 * STRENGTH
    ).local(walkers, bound)
    np.testing.assert_allclose(found, known, atol=1e-10)
    assert np.abs(found).max() > 0.1


SIX = {
    "slater": lambda system, net: Slater(system, network=net),
    "projected": lambda system, net: Slater(system, network=net, parity="even", spin_flip="odd"),
    "pfaffian": lambda system, net: Pfaffian(system, network=net),
    "hidden": lambda system, net: HiddenFermions(system, 2, network=net),
}


@pytest.mark.parametrize("make", SIX.values(), ids=list(SIX))
@pytest.mark.parametrize("n", [2, 6])
def test_every_wavefunction_against_the_dense_matrix(n, make):
    """u (1 - sigma_i . sigma_j)/4 of particles in a trap, on all states of as many up as down."""
    system = QuantumDot(n, omega=0.8)
    psi = make(system, MessagePassing(width=3, passes=2, spread=0.3))
    theta = psi.start(Stream(2, 0, 0, 0))
    bound = psi.bind(theta + 0.1 * Stream(3, 0, 0, 0).normal(theta.shape))
    s = states(n)
    own = np.flatnonzero(s.sum(axis=1) == 0)
    r = np.repeat(system.start(Stream(1, 0, 0, 0), 1).r, len(own), axis=0)
    sign, log = bound.amplitude(r, s[own])
    amplitude = sign * np.exp(log)
    pairs = list(combinations(range(n), 2))
    u = STRENGTH * radial(r[:1, [i for i, _ in pairs]] - r[:1, [j for _, j in pairs]])[0]
    h = sum(x * pair_matrix(n, i, j) for x, (i, j) in zip(u, pairs, strict=True))
    known = (h[np.ix_(own, own)] @ amplitude).real / amplitude
    walkers = Walkers(r, s[own])
    found = SpinExchange(radial, -0.5 * STRENGTH).local(walkers, bound) + AntiparallelPairs(
        radial, 0.5 * STRENGTH
    ).local(walkers, bound)
    np.testing.assert_allclose(found, known, atol=1e-10 * np.abs(known).max())


def by_evaluation(bound, walkers, elements):
    """sum_{i<j} elements_ij psi(s_i <-> s_j)/psi, one evaluation of psi a pair."""
    r, s = walkers.r, walkers.s
    one = np.ones(1)
    phase, log = bound.amplitude(r, s)
    total = 0.0
    for p, (i, j) in enumerate(combinations(range(s.shape[1]), 2)):
        t = s.copy()
        t[:, [i, j]] = s[:, [j, i]]
        new_phase, new = bound.amplitude(r, t)
        phases = [one if x is None else x for x in (new_phase, phase)]
        ratio = np.exp(new - log) * phases[0] * np.conj(phases[1])
        total = total + np.where(s[:, i] != s[:, j], elements[:, p] * ratio, 0.0)
    return total


WAVEFUNCTIONS = {
    "determinants": {},
    "backflow": {"network": MessagePassing(width=4, passes=2, spread=0.3)},
    "orbitals": {"network": MessagePassing(width=4, passes=1, spread=0.3), "heads": ["orbitals"]},
    "excitations": {"excitations": 6, "network": MessagePassing(width=4, passes=1, spread=0.3)},
}


@pytest.mark.parametrize("options", WAVEFUNCTIONS.values(), ids=list(WAVEFUNCTIONS))
@pytest.mark.parametrize("n", [2, 3, 4])
def test_interaction_of_neutrons_equals_the_dense_matrix(n, options):
    """v(r_ij) (1 - sigma_i . sigma_j)/4 on all spin states with the same numbers up and down, at
    one r; polarised neutrons feel nothing.
    """
    system = NeutronMatter(n, 0.08, polarisation=n % 2 / n, twist=[0.2, 0.1, -0.3])
    psi = Slater(system, **options)
    theta = psi.start(Stream(2, 0, 0, 0))
    bound = psi.bind(theta + 0.1 * Stream(3, 0, 0, 0).normal(theta.shape))
    s = states(n)
    own = np.flatnonzero(s.sum(axis=1) == system.spins.sum())
    r = np.repeat(system.start(Stream(1, 0, 0, 0), 1).r, len(own), axis=0)
    walkers = Walkers(r, s[own])
    phase, log = bound.amplitude(r, s[own])
    amplitude = np.exp(log) * (1.0 if phase is None else phase)
    u = system.terms["pair_diagonal"].pairs(r[:1])[0] * 2.0
    pairs = list(combinations(range(n), 2))
    h = sum(x * pair_matrix(n, i, j) for x, (i, j) in zip(u, pairs, strict=True))
    known = h[np.ix_(own, own)] @ amplitude / amplitude
    found = sum(system.terms[k].local(walkers, bound) for k in ("pair_diagonal", "pair_exchange"))
    np.testing.assert_allclose(found, known, rtol=1e-10)


def test_many_pairs_in_tiles_and_on_a_device():
    """Seven up, seven down: 49 pairs in tiles, against one evaluation a pair; the stand-in too."""
    psi, rng = AnyState(14, "sign"), np.random.default_rng(2)
    r, bound = 0.2 * rng.normal(size=(3, 14, 2)), psi.bind(np.zeros(0))
    s = np.array([rng.permutation([1] * 7 + [-1] * 7) for _ in range(3)], np.int8)
    found = SpinExchange(radial).local(Walkers(r, s), bound)
    i, j = np.triu_indices(14, 1)
    known = by_evaluation(bound, Walkers(r, s), radial(r[:, i] - r[:, j]))
    np.testing.assert_allclose(found, known, rtol=1e-12)
    there = Walkers(STANDIN.asarray(r), STANDIN.asarray(s))
    moved = SpinExchange(lambda x: STANDIN.exp(-0.5 * (x * x).sum(axis=-1))).local(there, bound)
    np.testing.assert_allclose(moved.get(), known, rtol=1e-12)


@pytest.mark.parametrize("twist", [None, [0.1, 0.2, -0.3]])
@pytest.mark.parametrize(("n", "polarisation"), [(14, 0.0), (8, 0.75)])
def test_ratios_of_determinants_equal_full_evaluation(n, polarisation, twist):
    """Fixed labels and spins that differ between walkers, real and complex, the stand-in too."""
    if n == 8:
        twist = twist or [0.05, 0.0, 0.0]  # closes every shell of one
    system = NeutronMatter(n, 0.04, polarisation=polarisation, twist=twist)
    psi, rng = Slater(system), np.random.default_rng(6)
    bound, r = psi.bind(np.zeros(0)), system.start(Stream(1, 0, 0, 0), 12).r
    fixed = system.labels(12)
    for s in (fixed, np.array([rng.permutation(x) for x in fixed])):
        walkers = Walkers(r, s)
        elements = rng.normal(size=(12, n * (n - 1) // 2))
        known = by_evaluation(bound, walkers, elements)
        found = bound.spin_exchanges(walkers, elements)
        np.testing.assert_allclose(found, known, rtol=1e-10, atol=1e-12 * np.abs(known).max())
        there = Walkers(STANDIN.asarray(r), STANDIN.asarray(s))
        moved = bound.spin_exchanges(there, STANDIN.asarray(elements))
        np.testing.assert_allclose(moved.get(), found, rtol=1e-10)
    assert psi.exchange_ratios(*reading(bound, walkers)) is not None
    network = Slater(system, network=MessagePassing(width=2, passes=1))
    other = network.bind(network.start(Stream(1, 0, 0, 0)))
    assert network.exchange_ratios(*reading(other, walkers)) is None


@pytest.mark.parametrize("options", list(WAVEFUNCTIONS.values())[:2], ids=["waves", "backflow"])
def test_float32(options):
    """The term in the precision of the walkers."""
    system = NeutronMatter(14)
    psi = Slater(system, **options)
    bound, walkers = psi.bind(psi.start(Stream(2, 0, 0, 0))), system.start(Stream(1, 0, 0, 0), 8)
    known = system.terms["pair_exchange"].local(walkers, bound)
    narrow = Walkers(walkers.r.astype(np.float32), walkers.s)
    found = system.terms["pair_exchange"].local(narrow, bound)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, known, rtol=2e-3, atol=2e-3)


def reading(bound, walkers):
    """What a wavefunction's exchange_ratios is given."""
    ops, theta = bound.amplitude.reader(np, np.dtype(np.float64))
    return ops, theta, Walkers(ops.coordinates(walkers.r), walkers.s)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_three_bodies_equal_the_sum_over_triples(n):
    r = np.random.default_rng(n).normal(size=(5, n, 3))
    known = np.zeros(5)
    for j in range(n):
        for i, k in combinations([m for m in range(n) if m != j], 2):
            known += 0.8 * radial(r[:, i] - r[:, j]) * radial(r[:, j] - r[:, k])
    np.testing.assert_allclose(
        ThreeBody(radial, 0.8).local(Walkers(r, None), None), known, atol=1e-12
    )


@pytest.mark.parametrize("radius", [0.5, 1.8, 4.0])
def test_images_equal_a_sum_over_cells(radius):
    box = Box([2.0, 2.5, 3.0])
    x = np.random.default_rng(1).uniform(-4, 4, (20, 3))
    reach = np.array(list(product(range(-20, 21), repeat=3))) * box.lengths
    known = [np.exp(-((v + reach) ** 2).sum(axis=1) / radius**2).sum() for v in x]
    g = GaussianImages(radius, box)
    np.testing.assert_allclose(g(x), known, rtol=1e-12)
    np.testing.assert_allclose(g(STANDIN.asarray(x)).get(), known, rtol=1e-12)
    np.testing.assert_allclose(
        GaussianImages(radius)(x), np.exp(-(x * x).sum(axis=1) / radius**2), rtol=1e-14
    )
    # the average over the cell is the transform at 0
    grid = np.stack(np.meshgrid(*(np.arange(16) * a / 16 for a in box.lengths)), axis=-1)
    if radius > 1:
        mean = g(grid.reshape(-1, 3)).mean()
        assert mean == pytest.approx(g.transform(0.0) / box.volume, rel=1e-9)


def test_exact_terms_of_plane_waves():
    """MeV a neutron at 0.04 fm^-3: kinetic, pairs, three-body, together."""
    system = NeutronMatter()
    m = system.box.filled(7)
    terms = {k: v / 14 for k, v in system.plane_wave_terms([m, m]).items()}
    assert terms["kinetic"] == pytest.approx(14.1183, abs=5e-5)
    assert terms["pair"] == pytest.approx(-7.3208, abs=6e-5)
    assert terms["three_body"] == pytest.approx(0.1826, abs=5e-5)
    assert sum(terms.values()) == pytest.approx(6.9802, abs=5e-5)


def determinants(system, occupied, r):
    """Amplitude of both determinants of exp(i k.r) at r (n, 3), and with spins i, j exchanged."""
    k = [system.box.wave_vectors(m) for m in occupied]
    n = [len(m) for m in k]
    return np.prod(
        [
            np.linalg.det(np.exp(1j * x @ q.T)) if len(q) else 1.0
            for x, q in zip((r[: n[0]], r[n[0] :]), k, strict=True)
        ]
    )


def test_three_body_energy_of_few_waves_by_quadrature():
    """Two up and one down in a small box: <V> over a grid of relative positions, spectral for
    these smooth functions.
    """
    system = NeutronMatter(3, 0.08, polarisation=1 / 3, twist=[0.1, 0.0, 0.0])
    occupied = [system.box.filled(2), system.box.filled(1)]
    known = system.plane_wave_terms(occupied)
    rng = np.random.default_rng(4)
    shift = rng.uniform(size=(4096, 3, 3))
    r = system.box.lengths * shift
    weight = np.array([abs(determinants(system, occupied, x)) ** 2 for x in r])
    values = system.terms["three_body"].local(Walkers(r, None), None)
    mean = (weight * values).sum() / weight.sum()
    error = np.std(weight * (values - mean)) / weight.mean() / np.sqrt(len(r))
    assert abs(mean - known["three_body"]) < 4 * error
    assert error < 0.1 * known["three_body"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"particles": 1}, "at least 2"),
        ({"density": 0.0}, "density"),
        ({"model": "p"}, "expected 'o' or 'o_1.1'"),
        ({"polarisation": 0.3}, "expected one of"),
        ({"twist": [0.1]}, "3 numbers"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ValueError, match=words):
        NeutronMatter(**options)
