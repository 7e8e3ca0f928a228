"""Observables of spins against their definitions, and in an evaluation against exact expectation
values.
"""

import numpy as np
import pytest

from tests.runs import datasets, same, vmcnet
from tests.spins import amplitudes, states, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.observables import Correlations, Magnetisation, StaggeredMagnetisation, StructureFactor
from vmcnet.systems import Heisenberg, Potts, TransverseIsing
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
    lattice, walkers = system.lattice, system.start(Stream(1, 0, 0, 0), 5)
    s, n = walkers.s.astype(float), system.particles
    found = {o.name: o.measure(walkers, None) for o in system.observables}
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
            found["structure_factor"][:, m], abs(s @ phase) ** 2 / n, atol=1e-11
        )
    if lattice.sublattice is not None:
        np.testing.assert_allclose(
            found["staggered"][:, 0], (s * lattice.sublattice).mean(axis=1), atol=1e-14
        )
    else:
        assert "staggered" not in found
    for o in system.observables:
        assert found[o.name].shape == (5, len(o.labels))


def test_an_open_lattice_has_no_momenta():
    system = Heisenberg([4], periodic=False)
    assert [o.name for o in system.observables] == ["magnetisation", "staggered"]
    with pytest.raises(ValueError, match="structure_factor: the lattice has no translations"):
        StructureFactor(system)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Magnetisation(Potts([3, 3])), "magnetisation is a function of spins"),
        (lambda: StaggeredMagnetisation(TransverseIsing([5])), "no two sublattices"),
        (lambda: Correlations(TransverseIsing(sites=3, edges=[[0, 1], [1, 2]])), "translations"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.processes
def test_evaluation(tmp_path):
    """Means over the run against <psi| . |psi> of the same parameters; the same bits on two ranks;
    shown by the report.
    """
    (tmp_path / "job.toml").write_text(JOB)
    done = vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "one.h5")
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "two.h5", ranks=2)
    same(tmp_path / "one.h5", tmp_path / "two.h5")
    assert "staggered m " in done.stdout and "structure_factor (" in done.stdout
    found, s = datasets(tmp_path / "one.h5"), states(6)
    system = TransverseIsing([6])
    probability = np.abs(amplitudes(BinaryRBM(system), found["parameters/theta"], s)) ** 2
    for o in system.observables:
        x, place = o.measure(walkers_of(s), None), f"evaluation/0/observables/{o.name}"
        exact = (probability[:, None] * x).sum(axis=0) / probability.sum()
        assert found[f"{place}/series"].shape == (200, x.shape[1])
        assert [t.decode() for t in found[f"{place}/labels"]] == list(o.labels)
        means = found[f"{place}/mean"].mean(axis=0)  # two halves of 100
        error = np.maximum(means.std(axis=1, ddof=1) / 16, 1e-12)
        assert (abs(means.mean(axis=1) - exact) < 4 * error).all() and error.max() < 0.03
        np.testing.assert_allclose(
            found[f"{place}/series"].mean(axis=0), means.mean(axis=1), rtol=1e-10, atol=1e-12
        )
