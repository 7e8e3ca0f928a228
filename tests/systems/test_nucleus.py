"""Light nuclei: the interaction against spin-isospin matrices, the centre of mass, the deuteron."""

from itertools import combinations, product

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.engine.fitting import fit
from vmcnet.hamiltonians.nucleons import NUCLEONS, NucleonPairs, same_isospin, same_spin
from vmcnet.parameters import Layout
from vmcnet.systems import Nucleus
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import MessagePassing, NetworkJastrow, SShell, Wavefunction

PAULI = [np.array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])]


class AnyLabels(Wavefunction):
    """psi(r, s) without symmetry: log and sign from tables over labels and particles."""

    name = "any"

    def __init__(self, particles):
        self.particles, self.dimensions, self.layout = particles, 2, Layout()
        rng = np.random.default_rng(particles)
        self.a = rng.normal(size=(particles, 5))
        self.b = rng.normal(size=(particles, 5))

    def log_psi(self, ops, theta, walkers):
        xp, places = ops.xp, ops.xp.arange(self.particles)
        a, b = (xp.asarray(x)[places, walkers.s].astype(ops.real_dtype) for x in (self.a, self.b))
        first = ops.sum(walkers.r * ops.constant(a[:, :, None]), axis=-1)
        sign = xp.where(xp.sin(3.0 * b.sum(axis=1)) > 0, 1.0, -1.0)
        return sign, ops.sum(first + ops.constant(b * b), axis=-1)


def dot_product(n, i, j, isospin):
    """sigma_i . sigma_j or tau_i . tau_j on all 4^n labels, in the order of `product`."""
    out, keys = np.zeros((4**n, 4**n), complex), sorted(NUCLEONS)
    for sigma in PAULI:
        one = np.zeros((4, 4), complex)
        for (x, a), (y, b) in product(enumerate(keys), repeat=2):
            p, q = NUCLEONS[a], NUCLEONS[b]
            if p[1 - isospin] == q[1 - isospin]:
                one[x, y] = sigma[p[isospin], q[isospin]]
        big = np.eye(1)
        for k in range(n):
            big = np.kron(big, one if k in (i, j) else np.eye(4))
        out += big
    return out


def gaussian(height, width):
    return lambda x: height * np.exp(-(x * x).sum(axis=-1) / width**2)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_pairs_equal_the_dense_matrix(n):
    """u_s P0(spin) P1(isospin) + u_t P1(spin) P0(isospin) on every state of the labels, at one r;
    P0 = (1 - sigma.sigma)/4, P1 = (3 + sigma.sigma)/4. On the stand-in too.
    """
    s, psi = np.array(list(product(sorted(NUCLEONS), repeat=n)), np.int8), AnyLabels(n)
    r = np.repeat(np.random.default_rng(5).normal(size=(1, n, 2)), len(s), axis=0)
    bound = psi.bind(np.zeros(0))
    phase, log = bound.amplitude(r, s)
    amplitude, h = phase * np.exp(log), 0.0
    us, ut = gaussian(-1.3, 1.1), gaussian(0.8, 0.7)
    for i, j in combinations(range(n), 2):
        spin, isospin = (dot_product(n, i, j, k) for k in (0, 1))
        one, apart = np.eye(4**n), r[0, i] - r[0, j]
        h = h + us(apart) * (one - spin) @ (3 * one + isospin) / 16
        h = h + ut(apart) * (3 * one + spin) @ (one - isospin) / 16
    known = h @ amplitude / amplitude
    found = NucleonPairs(us, ut).local(Walkers(r, s), bound)
    np.testing.assert_allclose(found, known, atol=1e-10 * np.abs(known).max())
    part = Walkers(fakecupy.asarray(r[:9]), fakecupy.asarray(s[:9]))
    functions = [
        lambda x, h=h, w=w: h * fakecupy.exp(-(x * x).sum(axis=-1) / w**2)
        for h, w in ((-1.3, 1.1), (0.8, 0.7))
    ]
    moved = NucleonPairs(*functions).local(part, bound)
    np.testing.assert_allclose(moved.get(), found[:9], rtol=1e-10)


def test_labels():
    a, b = (np.array(x, np.int8) for x in zip(*product(NUCLEONS, repeat=2), strict=True))
    parts = [(NUCLEONS[x], NUCLEONS[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert same_spin(a, b).tolist() == [1 if p[0] == q[0] else -1 for p, q in parts]
    assert same_isospin(a, b).tolist() == [1 if p[1] == q[1] else -1 for p, q in parts]


@pytest.mark.parametrize("numbers", [(1, 1), (1, 2), (2, 2)])
def test_wavefunction(numbers):
    """Jets; psi changes sign where two particles are exchanged with their labels; moving all
    particles together changes the centre's factor alone; equal labels: 0.
    """
    system = Nucleus(*numbers)
    psi = SShell(system) * NetworkJastrow(system, MessagePassing(width=3, passes=1, spread=0.3))
    assert fit(system, psi) is not None
    bound, walkers = psi.bind(psi.start(Stream(2, 0, 0, 0))), system.start(Stream(1, 0, 0, 0), 3)
    r, s = walkers.r, walkers.s
    check_jet(bound.log, r, *bound.jet(walkers), s)
    phase, log = bound.amplitude(r, s)
    order = [1, 0, *range(2, system.particles)]
    other_phase, other = bound.amplitude(r[:, order], s[:, order])
    assert np.array_equal(other_phase, -phase)
    np.testing.assert_allclose(other, log, rtol=1e-12)
    shift = np.array([0.3, -0.2, 0.5])
    centres = [(x.mean(axis=1) ** 2).sum(axis=1) for x in (r + shift, r)]
    moved = bound.log(r + shift, s) - log
    np.testing.assert_allclose(moved, -0.5 * (centres[0] - centres[1]), atol=1e-10)
    s = s.copy()
    s[:, 1] = s[:, 0]
    assert not bound.amplitude(r, s)[0].any()


def test_the_centre_of_mass_costs_nothing():
    """Kinetic energy and trap of exp(-R^2/2 b^2) cancel in every walker."""
    system = Nucleus(2, 2)
    psi = SShell(system)
    values = {"kappa": 1e-9, "gamma": 1e-9, "core": 1.0}
    bound, walkers = psi.bind(psi.layout.pack(values)), system.start(Stream(1, 0, 0, 0), 5)
    terms = [system.terms[k].local(walkers, bound) for k in ("kinetic", "centre_of_mass")]
    np.testing.assert_allclose(terms[0] + terms[1], 0.0, atol=1e-6)
    assert np.abs(terms[0]).max() > 1.0


def test_the_virial_is_that_of_the_potential():
    """r . grad of the strengths alone: ratios of psi under exchanges stay where they are."""
    system = Nucleus(1, 1)
    psi = SShell(system) * NetworkJastrow(system, MessagePassing(width=3, passes=1, spread=0.3))
    bound, walkers = psi.bind(psi.start(Stream(2, 0, 0, 0))), system.start(Stream(1, 0, 0, 0), 5)
    pairs, trap = (system.terms[k] for k in ("pairs", "centre_of_mass"))

    def slope(u):
        return lambda x: (u(1.0001 * x) - u(0.9999 * x)) / 2e-4

    known = NucleonPairs(slope(pairs._singlet), slope(pairs._triplet)).local(walkers, bound)
    at_rest = trap.local(Walkers(0.0 * walkers.r, walkers.s), bound)
    known = known + 2.0 * (trap.local(walkers, bound) - at_rest)
    found = vmc.observables.Virial(system).measure(walkers, bound)[:, 0]
    np.testing.assert_allclose(found, known, rtol=1e-5)


@pytest.mark.parametrize("numbers", [(1, 1), (1, 2), (2, 2)])
def test_masses_apart(numbers):
    """Kinetic energy by differences, every particle with the mass of its label, labels in any
    order; float32 beside it, and on the stand-in.
    """
    system = Nucleus(*numbers)
    psi = SShell(system) * NetworkJastrow(system, MessagePassing(width=3, passes=1, spread=0.3))
    theta, start = psi.start(Stream(2, 0, 0, 0)), system.start(Stream(1, 0, 0, 0), 4)
    r, s = start.r, np.random.default_rng(1).permuted(start.s, axis=1)
    bound, h, known = psi.bind(theta), 1e-3, 0.0
    middle, mass = bound.log(r, s), {0: 939.56542, 1: 938.272088}
    for i, k in product(range(system.particles), range(3)):
        step = np.zeros(r.shape[1:])
        step[i, k] = h
        logs = [bound.log(r + x * step, s) - middle for x in (-2, -1, 1, 2)]
        low, near, next_, far = np.exp(logs)
        second = (-low + 16 * near - 30 + 16 * next_ - far) / (12 * h * h)
        m = np.array([mass[NUCLEONS[label][1]] for label in s[:, i].tolist()])
        known = known - 197.3269804**2 / (2 * m) * second
    kinetic = system.terms["kinetic"]
    np.testing.assert_allclose(kinetic.local(Walkers(r, s), bound), known, rtol=1e-7)
    single = kinetic.local(Walkers(r.astype(np.float32), s), bound)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, known, rtol=1e-4, atol=1e-3)
    moved = kinetic.local(Walkers(fakecupy.asarray(r), fakecupy.asarray(s)), bound)
    np.testing.assert_allclose(moved.get(), known, rtol=1e-7)


def test_the_centre_of_mass_is_uncoupled_in_the_mean():
    """With masses apart, kinetic and centre_of_mass at R and -R have the mean they have at R = 0,
    whatever R: what couples them is odd in R.
    """
    system = Nucleus(1, 2)
    psi = SShell(system) * NetworkJastrow(system, MessagePassing(width=3, passes=1, spread=0.3))
    bound, walkers = psi.bind(psi.start(Stream(2, 0, 0, 0))), system.start(Stream(1, 0, 0, 0), 4)
    inside = walkers.r - walkers.r.mean(axis=1, keepdims=True)

    def energy(shift):
        moved = Walkers(inside + shift, walkers.s)
        return sum(system.terms[k].local(moved, bound) for k in ("kinetic", "centre_of_mass"))

    shift = np.array([0.7, -0.4, 1.1])
    up, down = energy(shift), energy(-shift)
    np.testing.assert_allclose((up + down) / 2, energy(0.0), rtol=1e-10)
    assert 1e-4 < np.abs(up - down).max() < 0.1  # the masses differ by 1.4e-3


def test_the_deuteron_by_its_radial_equation():
    assert Nucleus(1, 1).reference[0] == pytest.approx(-2.2422, abs=1e-4)
    assert Nucleus(2, 2).reference is None


def test_protons_repel_each_other():
    """At large distance by e^2/r = 1.44 MeV fm/r; finite at contact; neutrons do not."""
    system = Nucleus(2, 2)
    r = np.zeros((2, 4, 3))
    r[:, 1, 0], r[:, 2, 1], r[:, 3, 2] = (9.0, 1e-4), 3.0, 4.0
    found = system.terms["coulomb"].local(Walkers(r, system.labels(2)), None)
    assert found[0] == pytest.approx(1.4399645 / 9.0, rel=1e-6)
    assert found[1] == pytest.approx(1.4399645 * 4.27 * 5 / 16, rel=1e-3)
    assert (
        "coulomb" not in Nucleus(1, 2).terms and "coulomb" not in Nucleus(2, 2, charges=False).terms
    )


@pytest.mark.verify
def test_the_deuteron_by_sampling():
    """-2.2422 within 0.003 MeV, with a network beside the pair."""
    system = Nucleus(1, 1)
    psi = SShell(system) * NetworkJastrow(system, MessagePassing(width=8, passes=1))
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.1),
        natural_gradient=vmc.optimizers.SPRING(1e-3, max_norm=3.0),
        iterations=150,
        walkers=512,
        clip=5.0,
    )
    found = vmc.evaluate(result, steps=200, interval=10)
    assert found.error < 0.003 and abs(found.energy + 2.2422) < 0.003


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Nucleus(0, 2), "expected 1 or 2 of each"),
        (lambda: Nucleus(3, 2), "protons"),
        (lambda: Nucleus(1, 1, model="x"), "expected 'o' or 'o_1.1'"),
        (lambda: SShell(vmc.systems.QuantumDot(2)), "centre of mass, such as Nucleus"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
