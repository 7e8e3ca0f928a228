"""Observables in space against closed forms: oscillators, free fermions in a box, sum rules."""

import json
import sys

import numpy as np
import pytest

import vmcnet as vmc
from tests.device import fakecupy  # noqa: F401  makes the stand-in
from vmcnet.backend.arrays import to_host
from vmcnet.config import parse_observables
from vmcnet.config.explain import variants
from vmcnet.config.observables import ObservableTable
from vmcnet.engine.population import Population
from vmcnet.observables import (
    Density,
    DensityMap,
    MomentumDistribution,
    PairDistribution,
    Radius,
    StaticStructureFactor,
    TotalSpin,
    Virial,
)
from vmcnet.observables.base import joined
from vmcnet.observables.bins import ball, ball_in_box, counted, texts
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parameters import Layout
from vmcnet.runs.building import observables_of
from vmcnet.sampling import Gaussian
from vmcnet.systems import (
    ClassicalIsing,
    ElectronGas,
    QuantumDot,
    TransverseIsing,
    TrappedBosons,
)
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, PadeJastrow, Wavefunction
from vmcnet.wavefunctions.plane_waves import real_waves

WALKERS = 20_000
DOT, GAS = QuantumDot(2), ElectronGas(14, 1.0)


def ground_state(particles, dimensions, walkers=WALKERS):
    """Independent walkers of the oscillator's ground state at omega = 1, with psi."""
    system = TrappedBosons(particles, 1.0, dimensions)
    psi = GaussianEnvelope(system).bind(np.array([np.log(0.5)]))
    r = np.random.default_rng(1).normal(0.0, np.sqrt(0.5), (walkers, particles, dimensions))
    return system, psi, Walkers(r, system.labels(walkers))


def agree(x, exact, widths=4.5, unit=0.0):
    """Means of x (W, K) within their errors of `exact` (K,); unit: what a count adds to a bin, so
    that a bin into which hardly anything falls is held to the error of the counts expected.
    """
    variance = np.maximum(x.var(axis=0), exact * unit) + 1e-12
    error = np.sqrt(variance / len(x) + (unit / len(x)) ** 2)
    assert (np.abs(x.mean(axis=0) - exact) < widths * error).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_density_of_an_oscillator(dimensions):
    """n(r) = N pi^(-d/2) exp(-r^2), averaged over each shell; the whole is N."""
    system, psi, walkers = ground_state(3, dimensions)
    found = Density(system, bins=25, extent=6.0)
    x, edges = found.measure(walkers, psi), found.grid["r"]
    r = edges[:-1, None] + (np.arange(200) + 0.5) / 200 * edges[1]
    shell = r ** (dimensions - 1)
    exact = (np.exp(-(r**2)) * shell).sum(axis=1) / shell.sum(axis=1)
    volumes = np.diff(ball(edges, dimensions))
    agree(x, 3 * np.pi ** (-0.5 * dimensions) * exact, unit=1 / volumes)
    np.testing.assert_allclose(x @ volumes, 3.0, rtol=1e-12)


@pytest.mark.parametrize("axes", [(0,), (2, 0), (0, 1, 2)])
def test_density_map_of_an_oscillator(axes):
    system, psi, walkers = ground_state(2, 3)
    found = DensityMap(system, axes=axes, bins=8, extent=4.5)
    x = found.measure(walkers, psi)
    edges = found.grid[f"x{axes[0]}"]
    from math import erf

    one = np.diff([0.5 * erf(e) for e in edges]) / np.diff(edges)
    exact = one
    for _ in axes[1:]:
        exact = np.multiply.outer(exact, one)
    agree(x, 2 * exact.ravel(), unit=np.diff(edges)[0] ** -len(axes))
    np.testing.assert_allclose(x.sum(axis=1) * np.diff(edges)[0] ** len(axes), 2.0, rtol=1e-9)


def test_the_order_of_cells_and_of_spins():
    """The last axis runs fastest; spins up come first."""
    system = DOT
    walkers = Walkers(np.array([[[-1.5, 0.5], [1.5, -0.5]]]), np.array([[1, -1]], np.int8))
    found = DensityMap(system, bins=4, extent=2.0, by_spin=True)
    x = found.measure(walkers, None)[0]
    assert np.flatnonzero(x).tolist() == [0 * 4 + 2, 16 + 3 * 4 + 1] and x.max() == 1.0
    assert found.labels[2] == "n up[0, 2]" and found.labels[29] == "n down[3, 1]"
    radial = Density(system, bins=4, extent=4.0, by_spin=True)
    y = radial.measure(walkers, None)[0]
    assert np.flatnonzero(y).tolist() == [1, 5] and radial.labels[1] == "n up(1.5)"


def test_radius_of_an_oscillator():
    system, psi, walkers = ground_state(3, 2)
    found = Radius(system)
    x = found.measure(walkers, psi)
    agree(x, np.array([0.5 * np.sqrt(np.pi), 1.0]))
    value, error = found.derived({"r^2": x[:, 1]}, {})["rms radius"]
    assert abs(value - 1.0) < 4 * error < 0.02


def test_pairs_of_an_oscillator():
    """Distances of two independent Gaussians: P(r) = exp(-r^2/2)/(2 pi) in two dimensions."""
    system, psi, walkers = ground_state(4, 2)
    found = PairDistribution(system, bins=20, extent=8.0)
    x, edges = found.measure(walkers, psi), found.grid["r"]
    exact = -np.diff(np.exp(-0.5 * edges**2)) / found.grid["volume"]
    agree(x, exact, unit=1 / 6 / found.grid["volume"])
    np.testing.assert_allclose(x @ found.grid["volume"], 1.0, rtol=1e-9)


def test_momenta_of_an_oscillator():
    """n(k) = N pi^(-d/2) exp(-k^2) along an axis."""
    for dimensions in (1, 2):
        system, psi, walkers = ground_state(2, dimensions)
        found = MomentumDistribution(system, shells=8, largest=2.5, extent=4.0)
        exact = 2 * np.pi ** (-0.5 * dimensions) * np.exp(-(found.grid["k"] ** 2))
        agree(found.measure(walkers, psi), exact)


def test_virial_of_a_dot():
    """r . grad V = 2 V_trap - V_coulomb of every walker; of an oscillator the ratio is 1."""
    dot = DOT
    psi = (GaussianEnvelope(dot) * PadeJastrow(dot)).bind(np.log([0.5, 0.4]))
    r = np.random.default_rng(2).normal(size=(100, 2, 2))
    walkers = Walkers(r, dot.labels(100))
    parts = {name: term.local(walkers, psi) for name, term in dot.terms.items()}
    found = Virial(dot).measure(walkers, psi)[:, 0]
    np.testing.assert_allclose(found, 2 * parts["trap"] - parts["coulomb"], rtol=1e-7, atol=1e-7)
    system, psi, walkers = ground_state(2, 3)
    virial = Virial(system)
    x = virial.measure(walkers, psi)[:, 0]
    kinetic = system.terms["kinetic"].local(walkers, psi)
    value, error = virial.derived({"kinetic": kinetic, "r.grad V": x}, {})["virial ratio"]
    assert abs(value - 1.0) < 4 * error < 0.05


# boxes


@pytest.mark.parametrize(
    "lengths", [(2.0,), (2.0, 3.0), (2.0, 2.0), (2.0, 2.0, 2.0), (1.0, 2.0, 3.0)]
)
def test_ball_in_box(lengths):
    """Against counting the points of a fine grid; the whole box at its corner."""
    lengths = np.array(lengths)
    points = {1: 4000, 2: 800, 3: 120}[len(lengths)]
    axes = [(np.arange(points) + 0.5) / points * x - 0.5 * x for x in lengths]
    square = sum(np.meshgrid(*[a**2 for a in axes], indexing="ij"))
    corner = 0.5 * np.sqrt((lengths**2).sum())
    for radius in np.linspace(0.1, 1.0, 10) * corner:
        exact = (square < radius**2).mean() * lengths.prod()
        assert abs(ball_in_box(radius, lengths) - exact) < 3e-3 * lengths.prod(), radius
    small = 0.49 * lengths.min()
    assert ball_in_box(small, lengths) == pytest.approx(float(ball(small, len(lengths))), rel=1e-9)
    assert ball_in_box(1.0001 * corner, lengths) == pytest.approx(lengths.prod(), rel=1e-9)


class FreeFermions(Wavefunction):
    """The product of a determinant of real plane waves for either spin; closed shells."""

    name, decays = "free_fermions", True

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout, self.box = Layout().add("unused"), system.box
        self.counts = [int((system.spins == s).sum()) for s in (1, -1)]
        self.waves = [real_waves(system.box, system.box.filled(m)) for m in self.counts if m]

    def initial(self, stream):
        return {"unused": 0.0}

    def log_psi(self, ops, theta, walkers):
        total, phase, first = 0.0, None, 0
        for (k, angle), m in zip(self.waves, filter(None, self.counts), strict=True):
            x = ops.take(walkers.r, np.arange(first, first + m))
            orbitals = ops.cos(ops.affine(x, ops.fixed(k), ops.fixed(angle)))
            sign, log = ops.slogdet(orbitals)
            total, phase, first = log + total, sign if phase is None else phase * sign, first + m
        return phase, total


@pytest.fixture(scope="module")
def gas():
    """5 + 5 free fermions in a square: samples of |psi|^2, far from one another."""
    system = ElectronGas(10, 1.0, 2)
    psi = FreeFermions(system)
    people = Population(system, psi, Gaussian(), SerialCommunicator(), 3, 512, 512)
    people.start()
    samples = []
    for k in range(16):
        people.advance(np.zeros(1), 2, k, 60 if k else 200, 0.35, measure=False)
        samples.append(people.members[0].r.copy())
    r = system.box.wrap(np.concatenate(samples))
    return system, psi.bind(np.zeros(1)), Walkers(r, system.labels(len(r)))


def test_structure_factor_of_plane_waves(gas):
    """S(k) = 1 - (1/N) sum_sigma #{occupied k1 - k2 = k}."""
    system, psi, walkers = gas
    found = StaticStructureFactor(system, shells=6)
    occupied = [tuple(m) for m in system.box.filled(5)]
    exact = []
    for shell in system.box.shells(7)[1:]:
        pairs = [
            sum((a[0] - k[0], a[1] - k[1]) in occupied for a in occupied) for k in shell.tolist()
        ]
        exact.append(1.0 - 2.0 * np.mean(pairs) / 10)
    assert exact[0] < 0.7 and exact[-1] > 0.7
    agree(found.measure(walkers, psi), np.array(exact))


def test_pair_distribution_of_plane_waves(gas):
    """g = 1 for opposite spins, 1 - |sum_k exp(i k.r)|^2/N_up^2 for equal ones; sum rules."""
    system, psi, walkers = gas
    found = PairDistribution(system, bins=20, by_spin=True)
    x, volume, edges = found.measure(walkers, psi), found.grid["volume"], found.grid["r"]
    length = system.box.lengths[0]
    a = (np.arange(600) + 0.5) / 600 * length - 0.5 * length
    points = np.stack(np.meshgrid(a, a), axis=-1).reshape(-1, 2)
    waves = system.box.wave_vectors(system.box.filled(5))
    hole = 1.0 - np.abs(np.exp(1j * points @ waves.T).sum(axis=1)) ** 2 / 25
    place = np.digitize(np.sqrt((points**2).sum(axis=1)), edges) - 1
    equal = np.bincount(place, hole, 20) / np.bincount(place, minlength=20)
    agree(x[:, :19], equal[:19], 5.0)
    agree(x[:, 20:39], np.ones(19), 5.0)
    assert x[:, 0].mean() < 0.1 < 0.9 < x[:, :19].mean(axis=0).max()
    density = 5 / system.box.volume
    np.testing.assert_allclose(density * (x[:, :20] - 1) @ volume, -1.0, atol=1e-9)
    np.testing.assert_allclose(density * (x[:, 20:] - 1) @ volume, 0.0, atol=1e-9)
    every = PairDistribution(system, bins=20)
    y = every.measure(walkers, psi)
    np.testing.assert_allclose(2 * density * (y - 1) @ volume, -1.0, atol=1e-9)


def test_momenta_of_plane_waves(gas):
    """Occupied below the Fermi momentum, empty above it; a density map is uniform."""
    system, psi, walkers = gas
    found = MomentumDistribution(system, shells=5)
    agree(found.measure(walkers, psi), np.array([1.0, 1.0, 0.0, 0.0, 0.0]))
    cells = DensityMap(system, bins=3)
    agree(cells.measure(walkers, psi), np.full(9, 10 / system.box.volume))


def test_spin_of_plane_waves(gas):
    """A closed shell of both spins is a singlet in every walker; polarised it has S = N/2."""
    system, psi, walkers = gas
    some = Walkers(walkers.r[:50], walkers.s[:50])
    assert np.abs(TotalSpin(system).measure(some, psi)).max() < 1e-6
    polarised = ElectronGas(5, 1.0, 2, polarisation=1.0)
    psi = FreeFermions(polarised).bind(np.zeros(1))
    r = np.random.default_rng(3).random((4, 5, 2)) * polarised.box.lengths
    spin = TotalSpin(polarised).measure(Walkers(r, polarised.labels(4)), psi)
    np.testing.assert_array_equal(spin, np.full((4, 1), 2.5 * 3.5))


class Odd(Wavefunction):
    """(x_1 - x_2) exp(-(r_1^2 + r_2^2)/2): the triplet with S_z = 0."""

    name, decays = "odd", True

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout = Layout().add("unused")

    def initial(self, stream):
        return {"unused": 0.0}

    def log_psi(self, ops, theta, walkers):
        first, second = ops.pairs(walkers.r)
        x = ops.sum(ops.component(first - second, 0), axis=-1)
        sign, log = ops.slogdet(ops.reshape(x, (1, 1)))
        return sign, log - 0.5 * ops.total(walkers.r**2)


def test_spin_of_two_electrons():
    dot = DOT
    r = np.random.default_rng(4).normal(size=(30, 2, 2))
    walkers = Walkers(r, dot.labels(30))
    singlet = GaussianEnvelope(dot).bind(np.array([0.0]))
    np.testing.assert_allclose(TotalSpin(dot).measure(walkers, singlet), 0.0, atol=1e-12)
    triplet = Odd(dot).bind(np.zeros(1))
    np.testing.assert_allclose(TotalSpin(dot).measure(walkers, triplet), 2.0, atol=1e-12)


def test_counted():
    x = counted(np.array([[0.1, 0.9, -0.1, 5.0], [0.1, 0.2, 0.3, 0.6]]), 1.0, 0.0, 0.5, 2)
    assert x.tolist() == [[1, 1], [3, 1]]


def test_labels_differ_however_fine_the_bins():
    found = Density(DOT, bins=30_000).labels
    assert len(set(found)) == 30_000 and found[0] == "n(8.3333e-05)"
    assert texts([0.1, 0.2]) == ["0.1", "0.2"]


@pytest.mark.parametrize("kind", [TotalSpin, MomentumDistribution, Virial, Density])
def test_on_a_device(kind):
    """The stand-in for CuPy gives the numbers of the host."""
    dot = DOT
    psi = GaussianEnvelope(dot) * PadeJastrow(dot)
    r, s = np.random.default_rng(6).normal(size=(20, 2, 2)), dot.labels(20)
    found = []
    for xp in (np, sys.modules["fakecupy"]):
        bound = psi.bind(np.log([0.5, 0.4]))
        walkers = Walkers(xp.asarray(r), xp.asarray(s))
        found.append(to_host(kind(dot).measure(walkers, bound)))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-11)


# in evaluations and jobs


def test_in_an_evaluation_in_float32():
    """All of a dot's observables at once; float32 walkers; the same energies as without them."""
    system = DOT
    psi = GaussianEnvelope(system) * PadeJastrow(system)
    names = ("density", "density_map", "radius", "pair_distribution", "momentum_distribution")
    tables = parse_observables([*names, "virial", "total_spin"], "test")
    found = {}
    for precision in ("float64", "float32"):
        result = vmc.train(
            system,
            psi,
            optimizer=vmc.optimizers.Adam(0.05),
            iterations=40,
            walkers=256,
            precision=precision,
        )
        found[precision] = vmc.evaluate(
            result, steps=50, interval=5, observables=observables_of(tables, system)
        ).observables
    a, b = found["float64"], found["float32"]
    for name in a:
        difference = a[name].mean - b[name].mean
        error = np.hypot(a[name].error, b[name].error) + 1e-9
        assert (np.abs(difference) < 5.5 * error).mean() > 0.995, name
    ratio, error = a["virial"].derived["virial ratio"]
    assert abs(ratio - 1.0) < 0.05 and error < 0.04
    assert abs(a["total_spin"]["S^2"].mean) < 1e-9
    assert a["radius"].derived["rms radius"][0] == pytest.approx(1.14, abs=0.05)


SYSTEMS = [
    DOT,
    GAS,
    TransverseIsing([4, 4]),
    ClassicalIsing([4, 4]),
]


@pytest.mark.parametrize("name", sorted(set(variants(ObservableTable)) - {"user"}))
def test_every_table_builds_what_it_names(name):
    """On a system that fits, with labels as many as columns; refused in one line elsewhere."""
    fits = 0
    for system in SYSTEMS:
        walkers = system.start(vmc.backend.stream.Stream(1, 0, 0, 0), 8)
        psi = GaussianEnvelope(SYSTEMS[0]).bind(np.array([0.0]))
        try:
            (made,) = observables_of(parse_observables([name], "test"), system)
        except ValueError as error:
            assert "\n" not in str(error) and name in str(error)
            continue
        fits += 1
        assert made.name == name and len(set(made.labels)) == len(made.labels)
        if isinstance(made, MomentumDistribution | TotalSpin) and system.box is not None:
            continue
        x = made.measure(walkers, psi)
        assert x.shape == (8, len(made.labels)) and np.isfinite(x).all()
        json.dumps({k: np.asarray(v).tolist() for k, v in made.grid.items()})
    assert fits >= 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Density(GAS), "density_map in a periodic box"),
        (lambda: DensityMap(DOT, axes=(0, 2)), r"axes \[0, 2\]: expected different ones"),
        (lambda: DensityMap(DOT, axes=(0, 0)), "expected different ones"),
        (lambda: PairDistribution(QuantumDot(1)), "at least 2 particles"),
        (lambda: StaticStructureFactor(DOT), "needs a periodic box"),
        (lambda: Virial(GAS), "walls of a box"),
        (lambda: Virial(TrappedBosons(2, 1.0, 3, diameter=0.1)), "hard spheres"),
        (lambda: Density(DOT, bins=2.5), "density bins must be a whole number, got 2.5"),
        (lambda: Density(DOT, extent=-1.0), "density extent must be above 0"),
        (lambda: DensityMap(DOT, axes=0), "density_map axes must be a list of whole numbers"),
        (lambda: DensityMap(DOT, bins=1001), r"1001\^2 cells are more than 1000000"),
        (lambda: PairDistribution(GAS, bins=0), "pair_distribution bins must be at least 1"),
        (lambda: MomentumDistribution(DOT, largest=np.nan), "largest must be a finite number"),
        (lambda: joined((), Radius(DOT)), "observables must be a list of observables"),
        (lambda: TotalSpin(TransverseIsing([4])), "what moves in TransverseIsing are spins"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
