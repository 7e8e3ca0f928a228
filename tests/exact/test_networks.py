"""Networks for two electrons from their job files: within 1e-3 above exact, and no evaluation below
it by more than its error allows.
"""

import subprocess

import h5py
import numpy as np
import pytest

from tests.exact.energies import TWO_ELECTRONS
from tests.runs import ROOT, command
from vmcnet.config import load_job
from vmcnet.engine.evaluation import evaluate
from vmcnet.engine.population import Population
from vmcnet.engine.training import TrainingResult, TrainingState
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.runs.building import build

CASES = [
    ("quantum_dot_2_network", 2, 1.0),
    ("quantum_dot_2_network", 2, 0.28),
    ("quantum_dot_2_network", 2, 0.1),
    ("quantum_dot_2_3d", 3, 0.5),
]
SEEDS, WALKERS, STEPS = 20, 128, 60


def deviations(path, name, omega):
    """(E - exact, error) of SEEDS evaluations of a trained run file, each with random numbers of
    its own.
    """
    system, psi, *_, sampler = build(
        load_job(ROOT / "jobs" / f"{name}.toml", [f"system.omega={omega}"])
    )
    with h5py.File(path) as file:
        theta, step = file["parameters/theta"][()], float(file["training/step_size"][-1])
    found = []
    for seed in range(SEEDS):
        population = Population(
            system, psi, sampler, SerialCommunicator(), 1000 + seed, WALKERS, WALKERS
        )
        population.start()
        done = evaluate(
            TrainingResult(TrainingState(theta, {}, step), population),
            steps=STEPS,
            interval=3,
            warmup=25,
        )
        found.append((done.energy - system.reference[0], done.error))
    return np.array(found).T


def check(path, name, dimensions, omega):
    """How many of the evaluations lie below exact by 3 sigma; fails beyond the bounds of one
    run.
    """
    difference, error = deviations(path, name, omega)
    z, mean = difference / error, difference.mean()
    assert TWO_ELECTRONS[dimensions, omega] == pytest.approx(
        build(load_job(ROOT / "jobs" / f"{name}.toml", [f"system.omega={omega}"]))[0].reference[0],
        abs=6e-8,
    )
    assert error.max() < 1e-3 and mean < 1e-3 and mean > -4 * difference.std() / np.sqrt(SEEDS - 1)
    assert z.min() > -4.0, z
    return int((z < -3.0).sum())


@pytest.mark.verify
def test_networks_from_job_files(tmp_path):
    below = 0
    for name, dimensions, omega in CASES:
        path = tmp_path / f"{name}-{omega}.h5"
        done = subprocess.run(
            command(
                "run",
                ROOT / "jobs" / f"{name}.toml",
                "--set",
                f"system.omega={omega}",
                "--set",
                "evaluation.steps=0",
                "--output",
                path,
            ),
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == 0, done.stderr
        below += check(path, name, dimensions, omega)
    assert below <= 2
