"""Two electrons in a trap, the whole way from Python and from the README; exact energy 3
hartree.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import vmcnet as vmc
from tests.exact.energies import TWO_ELECTRONS
from tests.runs import vmcnet
from vmcnet.optimizers import Adam

ROOT = Path(__file__).parents[1]
SYSTEM = vmc.systems.QuantumDot(particles=2, omega=1.0)
EXACT = TWO_ELECTRONS[2, 1.0]


def trained(psi, rate):
    result = vmc.train(
        SYSTEM, psi, optimizer=Adam(rate), iterations=150, walkers=512, steps=8, seed=7
    )
    return vmc.evaluate(result, steps=400)


@pytest.fixture(scope="module")
def with_cusp():
    return trained(
        vmc.wavefunctions.GaussianRBM(SYSTEM, hidden=4) * vmc.wavefunctions.PadeJastrow(SYSTEM),
        0.03,
    )


def test_machine_with_cusp(with_cusp):
    found = with_cusp
    assert found.error <= 5e-4
    assert EXACT - 4 * found.error < found.energy < EXACT + 2e-3


def test_machine_alone():
    found = trained(vmc.wavefunctions.GaussianRBM(SYSTEM, hidden=4, spread=0.1), 0.05)
    assert found.error < 0.01
    assert EXACT < found.energy < EXACT + 0.09


def test_the_virial_theorem(with_cusp):
    """2 T = 2 V_trap - V_coulomb for a state whose width is trained: within its error and 0.02."""
    found = with_cusp.estimates
    off = 2 * found["kinetic"].mean - 2 * found["trap"].mean + found["coulomb"].mean
    assert abs(off) < 0.02 + 4 * 2 * (found["kinetic"].error + found["trap"].error)


@pytest.mark.processes
def test_the_readme_runs(tmp_path):
    short = ("sampling.walkers=256", "training.iterations=30", "evaluation.steps=50")
    settings = [word for value in short for word in ("--set", value)]
    run = tmp_path / "runs" / "quantum_dot_2.h5"
    vmcnet("run", ROOT / "jobs" / "quantum_dot_2.toml", "--output", run, *settings)
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    energy = r"(3\.0|2\.999)\d*\(\d+\)  variance \S+  autocorrelation time \S+"
    lines = done.stdout.splitlines()
    assert re.fullmatch(energy, lines[0]), done.stdout
    assert lines[1] == "Run runs/quantum_dot_2.h5: quantum_dot, gaussian_rbm x pade_jastrow"
    assert len(lines) == 4 and re.search(energy, lines[-1]), done.stdout
