"""A run opened from Python says what its file holds; results can be pickled; one glance tells."""

import copy
import pickle
import shutil

import h5py
import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import LONGEST, start, vmcnet
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.paths import folder_of

pytestmark = pytest.mark.processes


def test_what_a_run_holds(run):
    with pytest.raises(ValueError, match="expected the path of a run file, found 3"):
        vmc.open_run(3)
    opened = vmc.open_run(run)
    with h5py.File(run) as file:
        np.testing.assert_array_equal(opened.training["energy"], file["training/energy"])
        assert set(opened.parameters) == set(file["parameters"]) - {"theta"}
        steps, half = len(file["evaluation/0/energy"]), len(file["evaluation/0/energy"]) // 2
        mean = file["evaluation/0/walker_mean"][:, 0]
        mean = (half * mean[0] + (steps - half) * mean[1]) / steps
    found = opened.evaluations[0]
    assert found.energy == pytest.approx(mean.mean(), rel=1e-13)
    assert found.error == pytest.approx(np.sqrt(mean.var(ddof=1) / len(mean)), rel=1e-12)
    assert opened.system.particles == 2 and opened.wavefunction.layout.size > 0
    assert opened.job.name == "small" and opened.state == "done"
    lines = repr(opened).splitlines()
    assert len(lines) == 3 and "done, 12 iterations" in lines[1] and "evaluation 0" in lines[2]


def test_the_wavefunction_has_its_parameters(run):
    opened = vmc.open_run(run)
    walkers = opened.walkers
    assert walkers.r.shape == (64, 2, 2) and walkers.log_psi.shape == (64,)
    again = opened.wavefunction.bind(opened.wavefunction.layout.pack(opened.parameters))
    np.testing.assert_allclose(again.log(walkers.r, walkers.s), walkers.log_psi, rtol=1e-12)


def test_a_run_travels(run):
    """Pickled, with what was asked of it before: the same numbers there."""
    opened = vmc.open_run(run)
    walkers, first = opened.walkers, opened.evaluations[0].energy
    there = pickle.loads(pickle.dumps((opened, opened.psi, opened.evaluations)))
    np.testing.assert_array_equal(there[0].training["energy"], opened.training["energy"])
    np.testing.assert_array_equal(there[1].log(walkers.r, walkers.s), walkers.log_psi)
    np.testing.assert_array_equal(there[0].walkers.log_psi, walkers.log_psi)
    assert there[2][0].energy == there[0].evaluations[0].energy == first


MISTAKES = {
    "a series": (lambda r: r.training["Energy"], KeyError, "did you mean 'energy'"),
    "another series": (lambda r: r.training["xyz"], KeyError, "known: acceptance, "),
    "a parameter": (lambda r: r.parameters["beta"], KeyError, r"mean 'jastrow\.beta_unlike'"),
    "an evaluation": (lambda r: r.evaluations[7], IndexError, "no evaluation 7: there are 1"),
    "a name": (lambda r: r.evaluate(observables=["density"]), ValueError, r"Density\(system\)"),
    "a rank": (lambda r: r.evaluate(comm=3), ValueError, "comm must be a communicator .*got int"),
    "settings": (lambda r: r.resume(settings=["a"]), ValueError, "must be a dictionary"),
    "iterations twice": (lambda r: r.resume(iterations=3, settings={"training.iterations": 4}),
                         ValueError, "exclude each other"),
    "one walker": (lambda r: r.psi.log(*(x[0] for x in (r.walkers.r, r.walkers.s))), ValueError,
                   r"expected r \(W, n, d\) and s \(W, n\), found \(2, 2\) and \(2,\)"),
    "the run": (lambda r: vmc.evaluate(r), ValueError, r"open_run\(path\)\.evaluate"),
    "its path": (lambda r: vmc.limits(str(r.path)), ValueError, r"open_run\(path\)\.limits"),
    "no path": (lambda r: vmc.open_run(""), ValueError, "expected the path of a run file"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line(run, name):
    mistake, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words) as found:
        mistake(vmc.open_run(run))
    assert "\n" not in str(found.value)


def test_evaluating_from_python(run):
    """As the command does on the same walkers; the next call draws other numbers."""
    opened = vmc.open_run(run)
    first, second = opened.evaluate(steps=30), opened.evaluate(steps=30)
    assert first.steps == 30 and first.energy != second.energy
    vmcnet("evaluate", copied(run), "--steps", 30)
    assert vmc.open_run(run.with_name("copy.h5")).evaluations[1].energy == first.energy


def copied(run):
    copy = run.with_name("copy.h5")
    shutil.copy(run, copy)
    shutil.copytree(folder_of(run), folder_of(copy))
    return copy


def test_evaluating_a_file_alone(run, tmp_path):
    """Without its checkpoint walkers start anew."""
    shutil.copy(run, tmp_path / "alone.h5")
    opened = vmc.open_run(tmp_path / "alone.h5")
    found, kept = opened.evaluate(steps=200, interval=2), opened.evaluations[0]
    assert abs(found.energy - kept.energy) < 5 * np.hypot(found.error, kept.error)
    with pytest.raises(FileProblem, match="no such checkpoint"):
        assert opened.walkers


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(FileProblem, match="no such run file"):
        vmc.open_run(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"text")
    with pytest.raises(FileProblem, match="damaged or no run file"):
        vmc.open_run(tmp_path / "b.h5")


def test_a_run_that_goes_on_and_one_that_was_killed(run, tmp_path):
    path = tmp_path / "long.h5"
    settings = ("--set", "training.iterations=1000000", "--set", "run.checkpoint_every=100000")
    process = start("run", run.with_name("job.toml"), "--output", path, *settings)
    try:
        while "training" not in process.stderr.readline():
            assert process.poll() is None, process.communicate()
        opened = vmc.open_run(path)
        assert opened.state == "running" and f"process {process.pid}" in repr(opened)
        process.kill()
        process.wait()
        assert opened.state == "stopped" and "vmcnet resume goes on" in repr(opened)
    finally:
        process.kill()
        process.communicate()


def test_a_run_that_was_stopped(run, tmp_path):
    path = tmp_path / "run.h5"
    settings = ("--set", "training.iterations=100000", "--set", "training.divergence=0")
    done = start("run", run.with_name("job.toml"), "--output", path, *settings)
    while "training" not in done.stderr.readline():
        assert done.poll() is None, done.communicate()
    (tmp_path / "run.h5.STOP").touch()
    out, err = done.communicate(timeout=LONGEST)
    assert done.returncode == 0, out + err
    assert vmc.open_run(path).state == "stopped"


@pytest.fixture(scope="module")
def results():
    dot = vmc.systems.QuantumDot(2)
    psi = vmc.wavefunctions.GaussianRBM(dot, hidden=2) * vmc.wavefunctions.PadeJastrow(dot)
    chain = vmc.systems.TransverseIsing(extent=[6])
    machine = vmc.wavefunctions.BinaryRBM(chain, alpha=1)
    sizes = {"iterations": 3, "walkers": 64, "block": 32, "warmup": 2}
    return [
        vmc.train(dot, psi, optimizer=vmc.optimizers.Adam(0.02), **sizes),
        vmc.train(chain, machine, optimizer=vmc.optimizers.SGD(0.02), **sizes),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_results_travel(results, which):
    """A pickled result is evaluated to the same bits."""
    result = results[which]
    there = pickle.loads(pickle.dumps(result))
    expected = vmc.evaluate(copy.deepcopy(result), steps=6, warmup=1)
    found = vmc.evaluate(there, steps=6, warmup=1)
    assert found.energy == expected.energy and found.error == expected.error
    assert pickle.loads(pickle.dumps(found)).energy == found.energy


@pytest.mark.parametrize("which", [0, 1])
def test_one_glance(results, which):
    """At most a few short lines, whatever is printed in a notebook."""
    result = results[which]
    shown = (
        result,
        vmc.evaluate(result, steps=6, warmup=1),
        result.population.system,
        result.population.wavefunction,
    )
    for thing in shown:
        text = repr(thing)
        assert len(text.splitlines()) <= 4 and len(text) < 400 and " object at 0x" not in text
