"""No run, name or option replaces or deletes what is not this run's own; files as version 0.1 laid
them out are read, adopted and resumed.
"""

import os
import shutil

import numpy as np
import pytest

from tests.config.test_malformed import call, refused
from tests.runs import JOB, same
from vmcnet.storage.paths import checkpoint_path, companions, folder_of, old_path, previous_run
from vmcnet.storage.run_file import RunFile

pytestmark = pytest.mark.processes
SHORT = JOB.replace("iterations = 12", "iterations = 6").replace("walkers = 64", "walkers = 16")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, made once."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "job.toml").write_text(SHORT)
    from vmcnet import cli

    with pytest.raises(SystemExit) as end:
        cli.main(["run", str(folder / "job.toml"), "--output", str(folder / "dot.h5")])
    assert end.value.code == 0
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "here")
    return tmp_path / "here"


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def old_layout(run):
    """As version 0.1 would have left it."""
    for path in companions(run):
        if path.exists():
            path.rename(old_path(run, path.stem))
    folder_of(run).rmdir()


@pytest.mark.parametrize("name", ["dot.previous", "dot.checkpoint", "dot.rollback", "dot.h5.run"])
def test_names_like_companions_lose_nothing(folder, capsys, monkeypatch, name):
    """Runs of names that were once those of another's files: both live, in either order."""
    monkeypatch.chdir(folder)
    first = ("run", "job.toml", "--set", f'name="{name}"', "--set", "seed=11")
    assert call(capsys, *first)[0] == 0
    before = contents(folder / "runs")
    assert call(capsys, "run", "job.toml", "--set", 'name="dot"')[0] == 0
    after = contents(folder / "runs")
    assert before.items() <= after.items()
    code, out, _ = call(capsys, "report", *sorted(p for p in (folder / "runs").glob("*.h5")))
    assert code == 0 and out.count("evaluation 0") == 2


def test_overwrite_replaces_run_files_alone(folder, capsys):
    job, run = folder / "job.toml", folder / "dot.h5"
    np.save(folder / "data.npy", np.zeros(3))
    (folder / "notes.txt").write_text("precious")
    (folder / "empty.h5").touch()
    os.link(job, folder / "same.toml")
    (folder / "job.h5").symlink_to(job)
    shutil.copy(checkpoint_path(run), folder / "copy.h5")
    before = contents(folder)
    for output in (
        *("job.toml", "same.toml", "job.h5", "notes.txt", "data.npy", "copy.h5", "empty.h5", "."),
        *("dot.h5.run", "dot.h5.run/checkpoint.h5", "dot.h5.run/run.previous.h5", "dot.h5.STOP"),
        *("dot.h5.run/new.h5",),
    ):
        refused(call(capsys, "run", job, "--output", folder / output, "--overwrite"), "--output")
        assert contents(folder) == before, output
    for text in ("", "new/"):
        refused(call(capsys, "run", job, "--output", text), "name a file")
    assert call(capsys, "run", job, "--output", run, "--overwrite")[0] == 0
    assert contents(folder).keys() == before.keys()


def test_the_old_layout_is_reported_adopted_and_resumed(folder, capsys):
    run, whole = folder / "dot.h5", folder / "whole.h5"
    more = ("--set", "training.iterations=9")
    assert call(capsys, "run", folder / "job.toml", "--output", whole)[0] == 0
    assert call(capsys, "resume", whole, *more)[0] == 0
    old_layout(run)
    code, out, err = call(capsys, "report", *sorted(folder.glob("dot*.h5")))
    assert code == 0 and "evaluation 0" in out, (
        "its previous run file has no evaluation, but is one"
    )
    assert "left out" in err
    refused(call(capsys, "report", old_path(run, "checkpoint")), f"of the run {run}")
    stranger = old_path(run, "rollback")
    shutil.copy(checkpoint_path(whole), stranger)
    assert call(capsys, "resume", run, *more)[0] == 0
    assert stranger.exists() and not old_path(run, "checkpoint").exists()
    same(whole, run)


def test_the_old_layout_goes_on_from_the_one_before(folder, capsys):
    run = folder / "dot.h5"
    old_layout(run)
    damaged = old_path(run, "checkpoint")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    refused(call(capsys, "resume", run), "damaged", "--previous")
    assert call(capsys, "resume", run, "--previous")[0] == 0


def test_overwriting_a_run_of_the_old_layout_takes_its_own_files_alone(folder, capsys):
    run = folder / "dot.h5"
    old_layout(run)
    stranger = old_path(run, "rollback")
    assert call(capsys, "run", folder / "job.toml", "--output", folder / "other.h5")[0] == 0
    shutil.copy(checkpoint_path(folder / "other.h5"), stranger)
    before = stranger.read_bytes()
    previous = old_path(run, "run.previous")
    refused(
        call(capsys, "run", folder / "job.toml", "--output", previous, "--overwrite"),
        f"belongs to the run {run}",
    )
    assert call(capsys, "run", folder / "job.toml", "--output", run, "--overwrite")[0] == 0
    assert stranger.read_bytes() == before and not old_path(run, "checkpoint").exists()


def test_checkpoints_whose_run_file_is_gone_are_kept(folder, capsys):
    """And a folder of somebody else's files."""
    run = folder / "dot.h5"
    before = contents(folder_of(run))
    run.unlink()
    code, _, err = call(capsys, "run", folder / "job.toml", "--output", run, "--continue")
    assert code == 0 and f"moved to {run}.run.1" in err
    kept = folder / "dot.h5.run.1"
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == {
        p.name: data for p, data in before.items()
    }
    new = folder / "new.h5"
    folder_of(new).mkdir()
    checkpoint_path(new).write_text("of another program")
    (folder_of(new) / "more.txt").write_text("more")
    assert call(capsys, "run", folder / "job.toml", "--output", new, "--overwrite")[0] == 0
    assert (folder / "new.h5.run.1" / "checkpoint.h5").read_text() == "of another program"
    assert (folder_of(new) / "more.txt").read_text() == "more"


def test_links_are_resolved_once(folder, capsys):
    (folder / "scratch").mkdir()
    link, real = folder / "link.h5", folder / "scratch" / "real.h5"
    link.symlink_to("scratch/real.h5")
    assert call(capsys, "run", folder / "job.toml", "--output", link)[0] == 0
    assert link.is_symlink() and real.exists() and not folder_of(link).exists()
    assert call(capsys, "resume", link, "--set", "training.iterations=8")[0] == 0
    assert call(capsys, "evaluate", link, "--steps", "4")[0] == 0
    assert call(capsys, "report", link)[0] == 0 and link.is_symlink()
    assert len(RunFile.open(real).evaluations) == 3


def test_a_stop_file_from_before(folder, capsys):
    run = folder / "new.h5"
    stop = folder / "new.h5.STOP"
    stop.touch()
    code, _, err = call(capsys, "run", folder / "job.toml", "--output", run)
    assert code == 0 and f"note: {stop} was there before the start" in err and not stop.exists()
    same(folder / "dot.h5", run)


def test_previous_twice(folder, capsys):
    """Two names of one file leave no third one."""
    run = folder / "dot.h5"
    for _ in range(2):
        assert call(capsys, "resume", run, "--previous")[0] == 0
    assert {p.name for p in folder_of(run).iterdir()} <= {p.name for p in companions(run)}
    assert previous_run(run).exists()


REFUSED = [
    "training.start_from='none.h5'",
    "training.start_from='job.toml'",
    "observable=[{type='density'}, {type='density'}]",
    "observable=[{type='structure_factor'}]",
    "wavefunction=[{type='pade_jastrow'}]",
    "wavefunction=[{type='own:Stops'}]",
    "wavefunction=[{type='own:Loops'}]",
    "wavefunction=[{type='own:Bare'}]",
    "wavefunction=[{type='own:Fails'}]",
    "wavefunction=[{type='leaves:Any'}]",
    "wavefunction=[{type='own:Plain', beta={a=1}}]",
    "system={type='trapped_bosons', particles=60, diameter=1.0}",
    "data={file='none.npy'}",
]
OWN = """
import vmcnet as vmc
from vmcnet.parameters import Layout

class Plain(vmc.wavefunctions.Wavefunction):
    name, decays = "plain", True
    def __init__(self, system, beta=1.0):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.beta = float(beta)
        self.layout = Layout().add("a", ())
    def initial(self, stream):
        return {"a": self.beta}
    def log_psi(self, ops, theta, walkers):
        return None, ops.total(walkers.r**2) * (-0.5) * theta["a"]

class Stops(Plain):
    def __init__(self, system):
        raise SystemExit(0)

class Loops(Plain):
    def __init__(self, system):
        self.__init__(system)

class Bare(Plain):
    def log_psi(self, ops, theta, walkers):
        return ops.total(walkers.r**2)

class Fails(Plain):
    def log_psi(self, ops, theta, walkers):
        raise KeyError("beta")
"""


@pytest.mark.parametrize("setting", REFUSED)
def test_a_refused_start_deletes_nothing(folder, capsys, setting, monkeypatch):
    """With --overwrite too: the run that is there goes when nothing can be refused any more."""
    monkeypatch.chdir(folder)
    (folder / "own.py").write_text(OWN)
    (folder / "leaves.py").write_text("raise SystemExit(0)\n")
    before = contents(folder)
    found = call(
        capsys, "run", folder / "job.toml", "--output", "dot.h5", "--overwrite", "--set", setting
    )
    refused(found)
    after = {p: b for p, b in contents(folder).items() if "__pycache__" not in p.parts}
    assert after == before
