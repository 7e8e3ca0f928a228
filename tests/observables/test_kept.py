"""Observables on a grid in a run file, and drawn from it."""

import runpy

import numpy as np
import pytest

from tests.runs import ROOT
from vmcnet.config import parse_observables
from vmcnet.engine.evaluation import finish, initial_evaluation, run_evaluation
from vmcnet.engine.population import Population
from vmcnet.engine.results import summarize
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.runs.building import observables_of
from vmcnet.runs.contents import content_of, evaluation_result
from vmcnet.sampling import Gaussian
from vmcnet.storage.run_file import RunFile
from vmcnet.systems import QuantumDot
from vmcnet.wavefunctions import GaussianEnvelope


@pytest.mark.processes
def test_the_run_file_keeps_them_and_the_figure_script_reads_them(tmp_path, monkeypatch):
    """A file with a density, pairs and a map: read again, and by analysis/plot_observables.py."""
    plot = pytest.importorskip("matplotlib") and runpy.run_path(
        str(ROOT / "analysis" / "plot_observables.py")
    )
    system = QuantumDot(2)
    tables = parse_observables(["density, bins=6", "pair_distribution", "density_map, bins=3"], "")
    people = Population(system, GaussianEnvelope(system), Gaussian(), SerialCommunicator(), 5, 8, 8)
    people.start()
    state = initial_evaluation(people, 0, 1.0, observables_of(tables, system))
    nothing = lambda *arguments: 0  # noqa: E731
    plan = {"steps": 4, "interval": 1, "warmup": 1}
    run_evaluation(people, np.zeros(1), state, **plan, record=nothing, save=nothing, poll=nothing)
    file = RunFile.create(tmp_path / "run.h5", "", 0, 1, 1)
    measured, file.parameters = finish(people, state), {"theta": np.zeros(1)}
    file.evaluations[0] = content_of(measured, {**plan, "iteration": 0})
    file.write()
    content = RunFile.open(tmp_path / "run.h5").evaluations[0]
    again, first = evaluation_result(content, system), summarize(measured)
    assert str(again) == str(first) and again.warnings == first.warnings
    for name, kept in first.observables.items():
        found = again.observables[name]
        np.testing.assert_array_equal(found.mean, kept.mean)
        assert found.labels == kept.labels and set(found.grid) == set(kept.grid)
    monkeypatch.setattr("sys.argv", ["plot", str(tmp_path / "run.h5"), "--figure", "f.png"])
    monkeypatch.chdir(tmp_path)
    plot["main"]()
    assert (tmp_path / "f.png").stat().st_size > 10_000
    found = plot["gridded"](tmp_path / "run.h5")
    assert set(found) == {"density", "pair_distribution", "density_map"}
    mean, error = plot["mean_and_error"](found["density"])
    assert mean.shape == error.shape == (6,) and mean.max() > 0.0
