"""200 kills: at every kind of write of a run with warm-up, training, rollbacks and an evaluation,
and of any rank at any iteration.

Whatever is killed, every file stays readable, the last checkpoint is the last that was finished,
and the resumed run, in half of the cases on another number of ranks, ends with the bits of the
undisturbed one. 20 of the cases run in `make test`, all in `make verify`.
"""

import os

import h5py
import numpy as np
import pytest

from tests.faults.cases import broken, wait_until_free
from tests.runs import same
from tests.runs import vmcnet as command
from vmcnet import cli
from vmcnet.runs import session
from vmcnet.storage.checkpoint import read_checkpoint
from vmcnet.storage.paths import checkpoint_path
from vmcnet.storage.run_file import RunFile

JOB = """
name = "killed"
seed = 3
[system]
type = "quantum_dot"
[[wavefunction]]
type = "gaussian_rbm"
hidden = 2
[[wavefunction]]
type = "pade_jastrow"
beta = 1.0
[sampling]
walkers = 16
block = 4
steps = 3
warmup = 3
[optimizer]
type = "sgd"
learning_rate = 0.3
max_norm = 1e6
[training]
iterations = 12
rollbacks = 8
divergence = 2.0
[evaluation]
steps = 10
warmup = 2
[run]
checkpoint_every = 4
"""
KINDS = ("write", "fsync", "rename", "link", "unlink", "truncate")
WRITES, RANKS, SHORT = 170, 30, 10


class Undisturbed:
    """The run that nothing happens to: its folder, the calls it makes to the disk, what each
    checkpoint that it writes holds.
    """

    def __init__(self, folder, server):
        self.folder = folder
        self.job = folder / "job.toml"
        self.job.write_text(JOB)
        log = folder / "operations"
        code, said = server.run(
            "run",
            self.job,
            "--output",
            folder / "run" / "run.h5",
            log=folder / "log",
            SHIM_MATCH=folder / "run",
            SHIM_LOG=log,
        )
        assert code == 0, said
        self.operations = log.read_text().splitlines()
        self.checkpoints = []
        write = session.write_checkpoint

        def noted(path, checkpoint):
            self.checkpoints.append(contents(path, checkpoint))
            write(path, checkpoint)

        session.write_checkpoint = noted
        try:
            with pytest.raises(SystemExit):
                cli.main(["run", str(self.job), "--output", str(folder / "again.h5")])
        finally:
            session.write_checkpoint = write
        same(folder / "run" / "run.h5", folder / "again.h5")


def contents(path, checkpoint):
    """(kind of the file, where it stands)."""
    keys = (
        ("iteration", "warmed", "rollbacks")
        if "iteration" in checkpoint.numbers
        else ("done", "warmed", "number")
    )
    return path.stem, tuple(int(checkpoint.numbers[k]) for k in keys)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, server):
    return Undisturbed(tmp_path_factory.mktemp("undisturbed"), server)


def test_the_run_meets_every_kind_of_write_and_rolls_back(undisturbed):
    assert {line.split()[0] for line in undisturbed.operations} == set(KINDS) and len(
        undisturbed.operations
    ) >= WRITES
    with h5py.File(undisturbed.folder / "run" / "run.h5") as file:
        assert len(file["rollbacks/reached"]) == 3 and file["rollbacks/scale"][-1] == 0.125
        assert file["training/learning_rate"][-1] == 0.3 / 8 and len(file["training/energy"]) == 12


def place(case, undisturbed):
    """Which call is the last, and how: the first cases take one of each kind, the others are spread
    over all calls.
    """
    kinds = [line.split()[0] for line in undisturbed.operations]
    if case < len(KINDS):
        at = [k for k, kind in enumerate(kinds) if kind == KINDS[case]][
            -(1 + case) % kinds.count(KINDS[case])
        ]
    else:
        at = case * 977 % len(kinds)
    return at + 1, (
        "torn" if kinds[at] == "write" and case % 3 else ("before", "after")[case // 2 % 2]
    )


def check_files(run, undisturbed, log=None, at=0, mode=""):
    """Every file is whole; with the log of a kill at a call, the checkpoint is the last that
    reached its name.
    """
    for path in run.parent.rglob("*.h5"):
        with h5py.File(path) as file:
            assert int(file.attrs["schema"]) == 1
        if path.stem not in ("run", "run.previous"):
            read_checkpoint(path)
    if not run.exists():
        return
    found, file = read_checkpoint(checkpoint_path(run)), RunFile.open(run)
    assert (
        file.rows >= found.numbers["iteration"]
        and len(file.rollbacks.get("reached", ())) >= found.numbers["rollbacks"]
    )
    if log is not None:
        done = log.read_text().splitlines()[: at if mode == "after" else at - 1]
        count = done.count(f"rename {checkpoint_path(run)}")
        expected = [c for c in undisturbed.checkpoints if c[0] == "checkpoint"]
        assert contents(checkpoint_path(run), found) == expected[count - 1]


def go_on(run, undisturbed, server, ranks, log):
    if ranks == 1:
        code, said = (
            server.run("run", undisturbed.job, "--output", run, "--continue", log=log)
            if not run.exists()
            else server.run("resume", run, log=log)
        )
        assert code == 0, said
    elif run.exists():
        command("resume", run, ranks=ranks)
    else:
        command("run", undisturbed.job, "--output", run, "--continue", ranks=ranks)
    check_files(run, undisturbed)
    same(undisturbed.folder / "run" / "run.h5", run)


def quick(count):
    return [pytest.param(k, marks=[] if k < SHORT else pytest.mark.verify) for k in range(count)]


@pytest.mark.parametrize("case", quick(WRITES))
def test_killed_at_a_write(case, undisturbed, server, tmp_path):
    at, mode = place(case, undisturbed)
    run, log = tmp_path / "run" / "run.h5", tmp_path / "operations"
    code, said = server.run(
        "run",
        undisturbed.job,
        "--output",
        run,
        log=tmp_path / "log",
        SHIM_MATCH=tmp_path / "run",
        SHIM_LOG=log,
        SHIM_AT=at,
        SHIM_MODE=mode,
    )
    assert code == -9, said
    assert [line.replace(str(tmp_path / "run"), "") for line in log.read_text().splitlines()] == [
        line.replace(str(undisturbed.folder / "run"), "") for line in undisturbed.operations[:at]
    ]
    check_files(run, undisturbed, log, at, mode)
    go_on(run, undisturbed, server, 1 + case % 2 * (1 + case // 2 % 2), tmp_path / "log")


@pytest.mark.parametrize("case", quick(RANKS))
def test_a_rank_is_killed(case, undisturbed, server, tmp_path):
    """Of three ranks: at a population step (two thirds of the cases), or rank 0 at a write."""
    run, log = tmp_path / "run" / "run.h5", tmp_path / "operations"
    run.parent.mkdir()
    environ, at, mode = {**os.environ, "OMP_NUM_THREADS": "1"}, 0, ""
    if case % 3 == 2:
        at, mode = place(case + WRITES, undisturbed)
        environ.update(
            LD_PRELOAD=str(server.preloaded),
            SHIM_MATCH=str(run.parent),
            SHIM_LOG=str(log),
            SHIM_AT=str(at),
            SHIM_MODE=mode,
        )
    step = 1000 if mode else 1 + case * 7 % 36  # with a kill at a write: none
    done = broken(
        "kill", case // 3 % 3, step, "run", undisturbed.job, "--output", run,
        ranks=3, env=environ,
    )  # fmt: skip
    assert done.returncode not in (0, 124) and "Traceback" not in done.stderr, (
        done.stdout + done.stderr
    )
    wait_until_free(run)
    check_files(run, undisturbed, log if mode else None, at, mode)
    go_on(run, undisturbed, server, 1 + case % 2, tmp_path / "log")


def test_a_kill_is_noticed_by_this_test(undisturbed, server, tmp_path):
    """What the comparison must catch: a checkpoint with another step size ends elsewhere."""
    run = tmp_path / "run" / "run.h5"
    code, _ = server.run(
        "run",
        undisturbed.job,
        "--output",
        run,
        log=tmp_path / "log",
        SHIM_MATCH=tmp_path / "run",
        SHIM_AT=100,
        SHIM_MODE="before",
    )
    assert code == -9
    found = read_checkpoint(checkpoint_path(run))
    found.numbers["step_size"] = float(np.nextafter(found.numbers["step_size"], 2.0))
    session.write_checkpoint(checkpoint_path(run), found)
    with pytest.raises(AssertionError):
        go_on(run, undisturbed, server, 1, tmp_path / "log")
