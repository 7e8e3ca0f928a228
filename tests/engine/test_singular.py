"""How E_L diverges: Pareto shapes p/(2 beta + c) of places whose powers are known."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.engine.test_doubts import HEAVY, Power, frozen, pair, said
from tests.runs import JOB, vmcnet
from vmcnet.engine.singular import _of_path, shapes
from vmcnet.sampling import Gaussian
from vmcnet.storage.run_file import RunFile
from vmcnet.systems import Particles, QuantumDot, TrappedBosons
from vmcnet.wavefunctions import (
    GaussianEnvelope,
    HardCoreJastrow,
    PadeJastrow,
    Slater,
)

PLACE = np.array([0.7, -0.4])


def near(system, psi, theta=None, distance=0.05):
    """Shapes near eight walkers whose second particle is so close to the first; one particle:
    so close to (0.7, -0.4).
    """
    stream = vmc.backend.stream.Stream(3, 3, 0, 0)
    theta = psi.start(stream) if theta is None else np.asarray(theta, float)
    walkers = system.start(stream, 8)
    r, away = walkers.r.copy(), stream.normal((8, system.dimensions))
    away *= distance / np.linalg.norm(away, axis=1, keepdims=True)
    r[:, -1] = away + (r[:, 0] if system.particles > 1 else PLACE)
    return shapes(system, psi.bind(theta), r[None], walkers.s[None], 0.3)


@pytest.mark.parametrize(("name", "shape"), list(zip(HEAVY, (1.0, 2 / 3.4, 0.5), strict=True)))
def test_places_without_variance(name, shape):
    system, psi, theta, _ = HEAVY[name]()
    np.testing.assert_allclose(near(system, psi, theta), shape, rtol=0.02)


def test_a_missing_cusp_in_three_dimensions_keeps_its_variance():
    dot = QuantumDot(2, dimensions=3)
    found = near(dot, GaussianEnvelope(dot), [np.log(0.4)])
    np.testing.assert_allclose(found, 1 / 3, rtol=0.02)


def test_a_centre_of_force_in_a_potential_of_ones_own():
    """-1/r at a place of the plane: c = 2."""
    potentials = {
        "trap": lambda r: 0.5 * (r**2).sum(axis=(1, 2)),
        "centre": lambda r: -(1.0 / np.linalg.norm(r - PLACE, axis=2)).sum(axis=1),
    }
    system = Particles(1, 2, potentials)
    found = near(system, GaussianEnvelope(system), [np.log(0.5)])
    np.testing.assert_allclose(found, 0.5, rtol=0.02)


def test_nodes_and_walls_have_one_third():
    """The nodes of a determinant that is not exact, from wherever walkers start; spheres with the
    wrong envelope. What diverges there has p = beta = c = 1.
    """
    dot = QuantumDot(4, spin_projection=1.0)
    spheres = TrappedBosons(3, 1.0, 3, diameter=0.3)
    hard = GaussianEnvelope(spheres) * HardCoreJastrow(spheres)
    found = near(dot, Slater(dot) * PadeJastrow(dot), distance=1.0)
    assert (found > 0.0).any()
    np.testing.assert_allclose(found[found > 0.0], 1 / 3, rtol=0.02)
    np.testing.assert_allclose(near(spheres, hard, distance=0.31), 1 / 3, rtol=0.02)


def test_what_grows_outwards_does_not_diverge():
    """E_L of a Gaussian that is too wide or narrow grows as r^2, with x^6 as r^6."""
    boson = TrappedBosons(2, 1.0, 2)
    steep = Particles(2, 1, {"v": lambda r: (r**6).sum(axis=(1, 2))})
    dot = QuantumDot(2)
    for system, psi in (
        (boson, GaussianEnvelope(boson, 0.2)),
        (steep, GaussianEnvelope(steep, 0.9)),
        (dot, GaussianEnvelope(dot) * PadeJastrow(dot)),
    ):
        assert (near(system, psi) == 0.0).all()


def test_what_grows_without_coming_nearer_to_anything_does_not_diverge():
    """log|E_L|, log|psi| and length of an ascent out of a trap, between two waves of a network."""
    path = [(-2.87, 4.57, 0.71), (-0.49, 0.17, 0.68), (2.72, -3.33, 0.32), (3.11, -6.45, 0.50)]
    here = np.array([[0.0], [6.0]])

    def at(moved):
        return np.full((2, len(moved)), 3.0)

    assert _of_path(np.array(path), at, here, np.ones(2), np.eye(2).reshape(2, 2, 1)) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_a_tail_that_only_looks_heavy_is_not_said(seed):
    """cosh 4x under a Gaussian: E_L is lognormal far out, with all its moments; its sampled tail is
    suspect.
    """
    system = Particles(1, 1, {"v": lambda r: np.cosh(4.0 * r).sum(axis=(1, 2))})
    psi = GaussianEnvelope(system)
    result = frozen(system, psi, Gaussian(), [np.log(0.5)], walkers=512, seed=seed)
    found = vmc.evaluate(result, steps=100, interval=5, warmup=20)
    assert found.tail.suspect and not said(found, "heavy tails"), found.tail


def test_a_zero_that_is_strong_enough():
    """2/x^2 with |x|^2.3 between bosons: shape 2/5.6."""
    line = Particles(2, 1, pair(lambda x: 2.0 / x**2))
    np.testing.assert_allclose(near(line, Power(line), [np.log(2.3)]), 2 / 5.6, rtol=0.02)


@pytest.mark.processes
def test_the_same_on_other_ranks_and_in_the_file(tmp_path):
    """A dot without its cusp: found by rank 0 of three as by one, and said by every report."""
    job, found = tmp_path / "job.toml", []
    job.write_text(JOB.replace('[[wavefunction]]\ntype = "pade_jastrow"\n', ""))
    settings = ["training.iterations=1", "evaluation={steps=400, interval=4}"]
    options = [x for s in settings for x in ("--set", s)]
    for ranks in (1, 3):
        run = tmp_path / f"{ranks}.h5"
        said = vmcnet("run", job, "--output", run, *options, ranks=ranks).stdout
        found.append(RunFile.open(run).evaluations[0]["attributes"]["singular"])
        assert "0.5 where it diverges" in said
        assert "0.5 where it diverges" in vmcnet("report", run).stdout
    assert found[0] == found[1] and abs(found[0] - 0.5) < 0.02
