"""Observables of spins against their definitions, and in an evaluation against exact expectation
values.
"""

import numpy as np
import pytest

from tests.runs import datasets, same, vmcnet
from tests.spins import amplitudes, states
from vmcnet.backend.stream import Stream
from vmcnet.observables.spins import SpinObservables
from vmcnet.systems import Heisenberg, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM

JOB = """
name = "observed"
seed = 3
[system]
type = "transverse_ising"
extent = [6]
[[wavefunction]]
type = "binary_rbm"
spread = 0.3
[sampling]
walkers = 256
block = 32
steps = 1
warmup = 5
proposal = "spin_flip"
[training]
iterations = 0
[evaluation]
steps = 200
interval = 3
"""


@pytest.mark.parametrize("extent", [[6], [4, 6], [3, 3, 3]])
def test_definitions(extent):
    system = TransverseIsing(extent)
    lattice, s = system.lattice, system.start(Stream(1, 0, 0, 0), 5).s.astype(float)
    found = SpinObservables(lattice).measure(s)
    np.testing.assert_allclose(
        found["magnetisation"], np.stack([s.mean(1), abs(s.mean(1)), s.mean(1) ** 2], 1), atol=1e-14
    )
    for g, sites in enumerate(lattice.translations):
        np.testing.assert_allclose(
            found["correlations"][:, g], (s * s[:, sites]).mean(axis=1), atol=1e-12
        )
    for m, momentum in enumerate(lattice.positions):
        phase = np.exp(-2j * np.pi * (lattice.positions / np.array(extent)) @ momentum)
        np.testing.assert_allclose(
            found["structure_factor"][:, m], abs(s @ phase) ** 2 / lattice.sites, atol=1e-11
        )
    if lattice.sublattice is not None:
        np.testing.assert_allclose(
            found["staggered"][:, 0], (s * lattice.sublattice).mean(axis=1), atol=1e-14
        )
    else:
        assert "staggered" not in found


def test_an_open_lattice_has_no_momenta():
    assert SpinObservables(Heisenberg([4], periodic=False).lattice).names == [
        "magnetisation",
        "staggered",
    ]


@pytest.mark.processes
def test_evaluation(tmp_path):
    """Means over the run against <psi| . |psi> of the same parameters; the same bits on two ranks;
    shown by the report.
    """
    (tmp_path / "job.toml").write_text(JOB)
    done = vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "one.h5")
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "two.h5", ranks=2)
    same(tmp_path / "one.h5", tmp_path / "two.h5")
    assert "staggered" in done.stdout and "structure_factor" in done.stdout
    found, s = datasets(tmp_path / "one.h5"), states(6)
    system = TransverseIsing([6])
    probability = np.abs(amplitudes(BinaryRBM(system), found["parameters/theta"], s)) ** 2
    for name, x in SpinObservables(system.lattice).measure(s).items():
        exact = (probability[:, None] * x).sum(axis=0) / probability.sum()
        series = found[f"evaluation/0/observables/{name}"]
        assert series.shape == (200, x.shape[1])
        error = np.maximum(2 * series.std(axis=0) / np.sqrt(200), 1e-12)
        assert (abs(series.mean(axis=0) - exact) < 4 * error).all() and error.max() < 0.03
