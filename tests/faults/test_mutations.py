"""Changed run files, checkpoints and data files: whatever they hold, a command ends with a report
or with one line; no traceback, no crash, no memory that the file does not account for.

120 of the cases run in `make test`, 2000 in `make verify`, 200 of those as processes.
"""

import shutil

import numpy as np
import pytest

from tests.config.test_malformed import call
from tests.faults.mutations import data_file, mutate
from tests.runs import JOB
from tests.storage.test_samples import LEARN
from vmcnet.storage.paths import checkpoint_path

SMALL = JOB.replace("walkers = 64", "walkers = 16")
LEARN = LEARN.replace("iterations = 4", "iterations = 2").replace("steps = 0", "steps = 4")
ROWS = np.random.default_rng(1).integers(2, size=(20, 9))
IN_PROCESS, AS_PROCESSES, QUICK, MEGABYTES = 2000, 200, 120, 500


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A finished run, one that was stopped in its evaluation, and one that learned from data."""
    folder = tmp_path_factory.mktemp("originals")
    (folder / "job.toml").write_text(SMALL)
    (folder / "learn.toml").write_text(LEARN)
    np.save(folder / "samples.npy", ROWS.astype(np.uint8))
    from vmcnet import cli
    from vmcnet.runs.evaluations import Evaluations

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(a) for a in arguments])
        assert end.value.code == 0

    run("run", folder / "job.toml", "--output", folder / "run.h5")
    run("run", folder / "learn.toml", "--output", folder / "learn.h5")
    save = Evaluations._save

    def stopped(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    Evaluations._save = stopped
    try:
        with pytest.raises(SystemExit):
            cli.main(["run", str(folder / "job.toml"), "--output", str(folder / "half.h5")])
    finally:
        Evaluations._save = save
    assert checkpoint_path(folder / "half.h5", "evaluation").exists()
    return folder


def prepared(originals, folder, case):
    """(arguments, what was changed) of a case in a fresh copy."""
    rng = np.random.default_rng([17, case])
    shutil.copytree(originals, folder)
    if case % 5 == 4:
        name = f"samples{('.npy', '.csv', '.txt', '.npy')[case // 5 % 4]}"
        changed = data_file(folder / name, ROWS, rng)
        command = ("check", "run")[case // 20 % 2]
        arguments = [command, folder / "learn.toml", "--set", f"data.file={folder / name}"]
        if command == "run":
            arguments += ["--output", folder / "new.h5"]
        return arguments, changed
    stem = ("run", "half", "learn", "run")[case // 5 % 4]
    run = folder / f"{stem}.h5"
    path = (run, run, checkpoint_path(run), checkpoint_path(run, "evaluation"))[case % 5]
    path = path if path.exists() else checkpoint_path(run)
    command = ("report", "resume", "evaluate")[0 if case % 5 == 0 else 1 + case // 20 % 2]
    arguments = [command, run, *(("--steps", "4") if command == "evaluate" else ())]
    return arguments, f"{path.name}: {mutate(path, rng)}"


def fine(code, out, err, changed):
    assert code in (0, 1, 2), (changed, code, out, err)
    assert "Traceback" not in out + err and "[rank" not in err, (changed, err)
    said = [line for line in err.splitlines() if line.startswith("vmcnet: ")]
    assert len(said) == (code != 0), (changed, code, err)
    assert len(err) < 4000, (changed, err)


@pytest.mark.parametrize(
    "part",
    [pytest.param(k, marks=[] if k < QUICK // 20 else pytest.mark.verify) for k in range(100)],
)
def test_in_this_process(originals, tmp_path, capsys, part):
    for case in range(20 * part, 20 * part + 20):
        folder = tmp_path / str(case)
        arguments, changed = prepared(originals, folder, case)
        fine(*call(capsys, *arguments), f"case {case}: {changed}")
        shutil.rmtree(folder)


@pytest.mark.verify
def test_as_processes(originals, tmp_path, server):
    for case in range(0, IN_PROCESS, IN_PROCESS // AS_PROCESSES):
        case += case // 10 % 10
        folder = tmp_path / str(case)
        arguments, changed = prepared(originals, folder, case)
        code, said = server.run(*arguments, log=tmp_path / "log")
        lines = [line for line in said.splitlines() if line.startswith("vmcnet: ")]
        assert code in (0, 1, 2) and "Traceback" not in said, (case, changed, code, said)
        assert len(lines) == (code != 0), (case, changed, said)
        assert server.peak < 1024 * MEGABYTES, (case, changed, server.peak)
        shutil.rmtree(folder)
