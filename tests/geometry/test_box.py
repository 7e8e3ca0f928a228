"""Periodic boxes: wrapping, images, shells of wave vectors, and a run with a potential of a user's
in one.
"""

from itertools import product

import numpy as np
import pytest

import vmcnet as vmc
from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.engine.population import TRAINING, Population
from vmcnet.geometry.box import Box
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parameters import Layout
from vmcnet.sampling import Gaussian
from vmcnet.systems import Particles, QuantumDot
from vmcnet.wavefunctions import GaussianEnvelope, PadeJastrow, Wavefunction


def nearest(box, x):
    """The shortest of the images of x (d,), by search."""
    images = [x + np.array(m) * box.lengths for m in product(range(-3, 4), repeat=len(x))]
    return min(images, key=lambda v: (v * v).sum())


@pytest.mark.parametrize("lengths", [[2.0], [1.0, 3.0], [2.0, 2.0, 2.5]])
def test_wrapping_and_images(lengths):
    box, rng = Box(lengths), np.random.default_rng(3)
    r = rng.uniform(-1.5, 1.5, (6, 4, len(lengths))) * box.lengths
    inside = box.wrap(r)
    assert (inside >= 0).all() and (inside <= box.lengths).all()
    np.testing.assert_allclose((r - inside) / box.lengths, np.rint((r - inside) / box.lengths))
    pair = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    found = box.separations(r)
    for w in range(6):
        for p, (i, j) in enumerate(pair):
            np.testing.assert_allclose(found[w, p], nearest(box, r[w, i] - r[w, j]), atol=1e-12)
    np.testing.assert_allclose(box.separations(inside), found, atol=1e-12)


def test_on_a_device_and_in_single_precision():
    box, r = Box([2.0, 3.0]), np.random.default_rng(1).normal(0, 5, (3, 4, 2)).astype(np.float32)
    there = fakecupy.ndarray(r)
    for name in ("wrap", "separations"):
        found = getattr(box, name)(there)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.get(), getattr(box, name)(r))


def test_shells_of_the_cube():
    """1, 6, 12, 8, 6, 24, 24 vectors with squares 0, 1, 2, 3, 4, 5, 6 of 2 pi/L; 7 has none."""
    box = Box.cube(3.0)
    shells = box.shells(8)
    assert [len(s) for s in shells] == [1, 6, 12, 8, 6, 24, 24, 12]
    assert [set((s * s).sum(axis=1)) for s in shells] == [{k} for k in (0, 1, 2, 3, 4, 5, 6, 8)]
    assert [len(s) for s in Box.cube(1.0, 2).shells(6)] == [1, 4, 4, 4, 8, 4]
    assert shells[1].tolist() == sorted(shells[1].tolist())
    k = box.wave_vectors(shells[3])
    np.testing.assert_allclose((k**2).sum(axis=1), 3 * (2 * np.pi / 3.0) ** 2)


def test_shells_of_a_long_box():
    """All vectors below the last one are there, in order: against a search of a large cube."""
    box = Box([1.0, 2.7], twist=[0.3, -1.1])
    shells = box.shells(30)
    squares = [(box.wave_vectors(s) ** 2).sum(axis=1) for s in shells]
    known = (box.wave_vectors(list(product(range(-40, 41), repeat=2))) ** 2).sum(axis=1)
    np.testing.assert_allclose(
        np.concatenate(squares), np.sort(known)[: sum(map(len, shells))], rtol=1e-12
    )
    assert all(np.ptp(s) < 1e-9 * s.max() for s in squares)


def test_twists():
    """A generic twist leaves no degeneracy; pi on every axis makes shells of 8."""
    assert all(len(s) == 1 for s in Box.cube(2.0, 3, [0.1, 0.7, -1.9]).shells(20))
    box = Box.cube(2.0, 3, [np.pi] * 3)
    assert [len(s) for s in box.shells(3)] == [8, 24, 24]
    assert [len(s) for s in box.shells(2, twisted=False)] == [1, 6]


def test_equality():
    assert Box([1, 2]) == Box((1.0, 2.0)) and hash(Box([1, 2])) == hash(Box([1.0, 2.0]))
    assert Box([1, 2]) != Box([1, 2], [0.0, 0.1]) and Box([1, 1]).cubic and not Box([1, 2]).cubic


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([],), "a dimension"),
        (([1.0, 0.0],), "above 0"),
        (([1.0, np.nan],), "above 0"),
        (([1.0, 1.0], [0.1]), "one angle a dimension, 2"),
        (([1.0], [4.0]), "between -pi and pi"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        Box(*arguments)


# particles in a box with a potential of a user's

DEPTH, BOX = 1.0, Box([2.0])


class Waves(Wavefunction):
    """psi = exp sum_i sum_m a_m cos(2 pi m x_i/L), m = 1, 2, 3."""

    name = "waves"

    def __init__(self, system):
        self.particles, self.dimensions, self.box = system.particles, 1, system.box
        self.layout = Layout().add("a", (3, 1))

    def initial(self, stream):
        return {"a": np.zeros((3, 1))}

    def log_psi(self, ops, theta, walkers):
        x = walkers.r * (2 * np.pi / float(self.box.lengths[0]))
        waves = ops.concatenate([ops.cos(x), ops.cos(x * 2), ops.cos(x * 3)])
        return None, ops.total(ops.affine(waves, theta["a"]))


def lattice_particles(particles=2):
    return Particles(
        particles,
        1,
        {"wave": lambda r: DEPTH * np.cos(2 * np.pi * r / 2.0).sum(axis=(1, 2))},
        box=BOX,
    )


def mathieu():
    """Lowest energy of one particle in depth cos(2 pi x/L), in a basis of plane waves."""
    m = np.arange(-15, 16)
    h = np.diag(0.5 * (2 * np.pi * m / 2.0) ** 2)
    return np.linalg.eigvalsh(h + 0.5 * DEPTH * (np.eye(31, k=1) + np.eye(31, k=-1)))[0]


def test_a_potential_of_ones_own_in_a_box():
    system = lattice_particles()
    result = vmc.train(
        system,
        Waves(system),
        optimizer=vmc.optimizers.SGD(0.02),
        natural_gradient=vmc.optimizers.SR(1e-4),
        iterations=100,
        walkers=256,
        seed=2,
    )
    found = vmc.evaluate(result, steps=50)
    assert found.error < 1e-4
    assert abs(found.energy - 2 * mathieu()) < 4 * found.error + 2e-5


def test_walkers_start_uniform_and_stay_in_the_box():
    system = lattice_particles()
    start = system.start(Stream(1, 0, 0, 0), 4000).r
    assert abs(np.histogram(start, 8, (0.0, 2.0))[0] - 1000).max() < 150
    psi = Waves(system)
    people = Population(system, psi, Gaussian(), SerialCommunicator(), 1, 64, 16)
    people.start()
    for k in range(3):
        people.advance(np.zeros(3), TRAINING, k, 5, 3.0)
    outside = np.concatenate([w.r for w in people.members.values()])
    assert (outside > 2.0).any()
    people.advance(np.zeros(3), TRAINING, 3, 0, 3.0)
    inside = np.concatenate([w.r for w in people.members.values()])
    assert ((inside >= 0) & (inside <= 2.0)).all()
    np.testing.assert_allclose(BOX.wrap(outside), inside)


@pytest.mark.parametrize("lengths", [[2.0, 2.0, 2.0], [2.0, 2.5, 3.0]])
@pytest.mark.parametrize(("spins", "cusp"), [([1, -1], 0.5), ([1, 1], 0.25)])
def test_a_pade_factor_is_periodic_in_the_box(lengths, spins, cusp):
    """The slope at contact is the cusp; one particle moved by a lattice vector changes nothing."""
    box = Box(lengths)
    system = Particles(2, 3, {"none": lambda r: 0.0 * r[:, 0, 0]}, spins=spins, box=box)
    psi = PadeJastrow(system, 0.7)
    bound, r = psi.bind(psi.start(None)), system.start(Stream(2, 0, 0, 0), 5).r
    s, moved = system.labels(5), r.copy()
    moved[:, 1] += np.array([1, -2, 3]) * box.lengths
    np.testing.assert_allclose(bound.log(moved, s), bound.log(r, s), atol=1e-13)
    r[:, 1] = r[:, 0] + 1e-6 * np.arange(1, 6)[:, None] * [0.6, 0.0, 0.8]
    np.testing.assert_allclose(np.diff(bound.log(r, s)) / 1e-6, cusp, atol=1e-4)


@pytest.mark.parametrize("system", [lattice_particles(), QuantumDot(2)])
def test_factors_that_do_not_fit_the_space_are_refused(system):
    psi = Waves(lattice_particles()) if system.box is None else GaussianEnvelope(system)
    with pytest.raises(ValueError, match=r"in open space|the system is open space"):
        Population(system, psi, Gaussian(), SerialCommunicator(), 1, 16, 16)
    with pytest.raises(ValueError, match="box has 1 dimensions; expected 2"):
        Particles(2, 2, {"v": lambda r: r[:, 0, 0]}, box=BOX)


def test_a_twist_needs_a_factor_that_follows_it():
    box = Box([2.0, 2.0, 2.0], [0.0, 0.5, 0.0])
    system = Particles(2, 3, {"none": lambda r: 0.0 * r[:, 0, 0]}, box=box)
    psi = PadeJastrow(system) * PadeJastrow(system)
    with pytest.raises(ValueError, match="twist"):
        psi.check_box(box)
    psi.factors[0].twisted = True
    (psi.factors[0] * psi.factors[1]).check_box(box)
