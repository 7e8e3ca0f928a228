"""A machine trained on a chain that is solved exactly: above the exact energy, and close to it."""

import numpy as np
import pytest

from tests.runs import datasets, vmcnet
from vmcnet.exact.diagonalisation import ground_state
from vmcnet.systems import TransverseIsing

JOB = """
name = "chain"
seed = 3
[system]
type = "transverse_ising"
extent = [8]
field = 1.0
[[wavefunction]]
type = "binary_rbm"
[sampling]
walkers = 512
block = 64
steps = 1
warmup = 20
proposal = "spin_flip"
[optimizer]
type = "adam"
learning_rate = 0.03
[training]
iterations = 250
[evaluation]
steps = 100
interval = 1
"""


@pytest.mark.processes
def test_transverse_chain(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "run.h5")
    mean = datasets(tmp_path / "run.h5")["evaluation/0/walker_mean"][:, 0]
    energy, error = mean.mean(), np.sqrt(mean.mean(axis=0).var(ddof=1) / mean.shape[1])
    exact = ground_state(TransverseIsing([8])).energy
    assert -4 * error < energy - exact < 0.015 * abs(exact) / 10 and error < 0.003
