"""Exact ground states have one local energy at every point, through the code that a run uses."""

import h5py
import numpy as np
import pytest

from tests.exact.energies import ideal_gas
from tests.exact.states import Taut
from tests.runs import ROOT, vmcnet
from vmcnet.engine.evaluation import evaluate
from vmcnet.engine.training import train
from vmcnet.estimators.energy import local_energies
from vmcnet.optimizers import SGD
from vmcnet.systems import QuantumDot, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM


def random_walkers(system, count=500):
    """Points far into the tails, where the terms cancel least kindly."""
    r = np.random.default_rng(1).normal(
        0.0, 1.5 * system.length, (count, system.particles, system.dimensions)
    )
    return Walkers(r, system.labels(count))


def energies(system, psi, theta):
    walkers = random_walkers(system)
    bound = psi.bind(theta)
    return local_energies(
        system.terms, walkers.with_log(bound.log(walkers.r, walkers.s)), bound
    ).total


def oscillator_theta(system, form):
    """The machine without couplings: a Gaussian of the oscillator's width."""
    psi = GaussianRBM(system, 3, form)
    width = system.length if form == "F" else system.length / np.sqrt(2.0)
    visible = system.particles * system.dimensions
    return psi, psi.layout.pack(
        {
            "a": np.zeros(visible),
            "b": np.array([0.3, -1.0, 0.0]),
            "weights": np.zeros((visible, 3)),
            "width": width,
        }
    )


@pytest.mark.parametrize("omega", [1.0, 0.28])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_oscillator(dimensions, omega):
    system = TrappedBosons(5, omega, dimensions)
    psi = GaussianEnvelope(system)
    exact = ideal_gas(5, dimensions, omega)
    assert (
        np.max(np.abs(energies(system, psi, psi.layout.pack({"alpha": 0.5 * omega})) - exact))
        < 1e-9
    )
    for form in ("F", "sqrtF"):
        assert np.max(np.abs(energies(system, *oscillator_theta(system, form)) - exact)) < 1e-9


@pytest.mark.parametrize("dimensions", [2, 3])
def test_two_electrons(dimensions):
    psi = Taut(dimensions)
    system = QuantumDot(2, psi.omega, dimensions)
    assert np.max(np.abs(energies(system, psi, np.array([psi.slope])) - psi.energy)) < 1e-9
    assert np.ptp(energies(system, psi, np.array([psi.slope + 0.01]))) > 1e-3, (
        "a wrong state must not look exact"
    )


def test_two_electrons_through_the_loops():
    psi = Taut(2)
    system = QuantumDot(2)
    result = train(system, psi, optimizer=SGD(1e-9), iterations=3, walkers=64, block=16, warmup=10)
    assert np.max(np.abs(result.series["energy"] - 3.0)) < 1e-9
    assert np.max(result.series["gradient_norm"]) < 1e-9
    done = evaluate(result, steps=20, warmup=2)
    assert (
        abs(done.energy - 3.0) < 1e-9
        and done.variance < 1e-18
        and done.error < 1e-10
        and not done.warnings
    )


@pytest.mark.processes
def test_the_job_file(tmp_path):
    done = vmcnet("run", ROOT / "jobs" / "oscillator_exact.toml", "--output", tmp_path / "run.h5")
    assert "15.000000" in done.stdout and "warning" not in done.stdout
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.max(np.abs(file["training/energy"][:] - 15.0)) < 1e-9
        assert np.max(np.abs(file["evaluation/0/energy"][:] - 15.0)) < 1e-9
        assert np.max(file["evaluation/0/variance"][:]) < 1e-18
