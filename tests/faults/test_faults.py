"""Everything that can go wrong around a run: it ends soon, not with 0, with one clear line, and
goes on to the same bits once mended.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.faults.shim import HERE, Server, built
from tests.faults.test_kills import JOB as ROLLING
from tests.runs import BIN, JOB, appears, datasets, same, start, vmcnet
from vmcnet.storage.atomic import FileProblem, previous_path
from vmcnet.storage.checkpoint import checkpoint_path, read_checkpoint
from vmcnet.storage.run_file import RunFile

LONG = JOB.replace("iterations = 12", "iterations = 300").replace(
    "checkpoint_every = 5", "checkpoint_every = 20"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(built(tmp_path_factory.mktemp("shim")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Undisturbed runs of the small job, the long one and the one that rolls back."""
    folder = tmp_path_factory.mktemp("whole")
    for name, text in (("small", JOB), ("long", LONG), ("rolling", ROLLING)):
        (folder / f"{name}.toml").write_text(text)
        vmcnet("run", folder / f"{name}.toml", "--output", folder / f"{name}.h5")
    return folder


def one_line(code, said, *words):
    """The status is not 0, and one line, with the words, says why."""
    lines = [line for line in said.splitlines() if line.startswith("vmcnet: ")]
    assert code not in (0, 124, 137) and len(lines) == 1 and "Traceback" not in said, (code, said)
    assert all(str(w) in lines[0] for w in words), lines[0]


def broken(how, rank, at, *arguments, ranks=1):
    """killed_rank.py; the finished process and its seconds."""
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    begun = time.monotonic()
    done = subprocess.run(
        [
            "timeout",
            "-k",
            "5",
            "60",
            *launcher,
            sys.executable,
            str(HERE / "killed_rank.py"),
            how,
            str(rank),
            str(at),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
    )
    return done, time.monotonic() - begun


# the disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("NOT TESTED: a full disk, because this user may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(whole, small_disk):
    run = small_disk / "run.h5"
    process = start("run", whole / "long.toml", "--output", run)
    appears(run, process)
    with open(small_disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(1024))
        except OSError:
            pass
    out, err = process.communicate(timeout=20)
    one_line(process.returncode, err, run.parent, "No space left on device", "last complete one")
    assert not list(small_disk.glob("*.partial"))
    with h5py.File(run):
        pass
    (small_disk / "filler").unlink()
    vmcnet("resume", run, ranks=2)
    same(whole / "long.h5", run)


def test_full_disk_under_standard_output(whole, tmp_path):
    run = tmp_path / "run.h5"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(BIN / "vmcnet"), "run", str(whole / "small.toml"), "--output", str(run)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
        )
    one_line(done.returncode, done.stderr, "No space left on device", "vmcnet resume")
    vmcnet("resume", run)
    same(whole / "small.h5", run)


def test_read_only_output(whole, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = vmcnet("run", whole / "small.toml", "--output", small_disk / "run.h5", check=False)
    one_line(done.returncode, done.stderr, small_disk, "not writable", "--output")
    done = vmcnet(
        "run", whole / "small.toml", "--output", small_disk / "new" / "run.h5", check=False, ranks=2
    )
    one_line(done.returncode, done.stderr, small_disk, "cannot be created", "--output")


ERRORS = {
    28: "No space left on device",
    5: "Input/output error",
    30: "Read-only file system",
    116: "Stale file handle",
}


@pytest.mark.parametrize(
    "at",
    [pytest.param(at, marks=[] if at % 40 == 2 else pytest.mark.verify) for at in range(2, 222, 4)],
)
def test_the_disk_refuses_at_any_call(whole, server, tmp_path, at):
    """From the at-th call on every write fails; once the disk is well again the run ends with the
    same bits.
    """
    run, error = tmp_path / "run" / "run.h5", list(ERRORS)[at // 4 % 4]
    code, said = server.run(
        "run",
        whole / "rolling.toml",
        "--output",
        run,
        log=tmp_path / "log",
        SHIM_MATCH=tmp_path / "run",
        SHIM_AT=at,
        SHIM_MODE=error,
    )
    assert code == 2
    one_line(code, said, tmp_path / "run", ERRORS[error])
    code, said = server.run(
        "run", whole / "rolling.toml", "--output", run, "--continue", log=tmp_path / "log"
    )
    assert code == 0, said
    same(whole / "rolling.h5", run)


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_directory_disappears(whole, tmp_path, ranks):
    run = tmp_path / "folder" / "run.h5"
    process = start("run", whole / "long.toml", "--output", run, ranks=ranks)
    appears(run, process)
    shutil.rmtree(run.parent)
    out, err = process.communicate(timeout=20)
    one_line(process.returncode, err, run.parent, "No such file or directory")


# damaged and mistaken files


def test_damaged_run_files_and_checkpoints(whole, tmp_path):
    """500 single-bit flips of the run file, 200 truncations of both: each is refused by name, and
    the previous one offered.
    """
    for path in (whole / "small.h5", checkpoint_path(whole / "small.h5")):
        for copied in (path, previous_path(path)):
            shutil.copy(copied, tmp_path / copied.name)
    rng = np.random.default_rng(5)
    run, checkpoint = tmp_path / "small.h5", tmp_path / "small.checkpoint.h5"
    for path, read, flips in ((run, RunFile.open, 500), (checkpoint, read_checkpoint, 0)):
        good = path.read_bytes()
        damaged = []
        for place in {
            *range(40),
            *range(504, 520),
            len(good) - 1,
            *rng.integers(len(good), size=3 * flips),
        }:
            bad = bytearray(good)
            bad[place] ^= 1 << int(rng.integers(8))
            damaged.append(bytes(bad))
        damaged = (
            damaged[:flips]
            + [
                good[:n]
                for n in {0, 1, 511, 512, 513, len(good) - 1, *rng.integers(len(good), size=600)}
            ][:200]
        )
        assert len(damaged) == flips + 200
        for bad in damaged:
            path.write_bytes(bad)
            with pytest.raises(FileProblem) as refused:
                read(path)
            assert str(path) in str(
                refused.value
            ) and f"{previous_path(path)} can be used with: vmcnet resume --previous" in str(
                refused.value
            )
        path.write_bytes(good)
        read(path)


@pytest.mark.parametrize("which", [("run",), ("checkpoint",), ("run", "checkpoint")])
def test_a_damaged_pair_goes_on_from_the_previous_one(whole, server, tmp_path, which):
    run = tmp_path / "folder" / "run.h5"
    server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        log=tmp_path / "log",
        SHIM_MATCH=run.parent,
        SHIM_LOG=tmp_path / "operations",
    )
    at = 1 + (tmp_path / "operations").read_text().splitlines().index(
        f"write {run.with_name('run.evaluation.h5.partial')}"
    )
    code, said = server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--overwrite",
        log=tmp_path / "log",
        SHIM_MATCH=run.parent,
        SHIM_AT=at,
        SHIM_MODE="before",
    )
    assert code == -9, said
    for name in which:
        path = run if name == "run" else checkpoint_path(run)
        path.write_bytes(path.read_bytes()[:-1])
    for arguments in (
        ("resume", run),
        ("run", whole / "small.toml", "--output", run, "--continue"),
    ):
        code, said = server.run(*arguments, log=tmp_path / "log")
        one_line(
            code, said, run if "run" in which else checkpoint_path(run), "damaged", "--previous"
        )
    code, said = server.run("resume", run, "--previous", log=tmp_path / "log")
    assert code == 0, said
    same(whole / "small.h5", run)


def test_files_of_another_run_and_of_another_version(whole, server, tmp_path):
    runs = [tmp_path / name for name in ("a.h5", "b.h5")]
    for run in runs:
        server.run("run", whole / "small.toml", "--output", run, log=tmp_path / "log")
    shutil.copy(runs[0], runs[1])
    code, said = server.run("resume", runs[1], log=tmp_path / "log")
    one_line(code, said, checkpoint_path(runs[1]), "belongs to another run")
    file = RunFile.open(runs[0])
    file.attributes["schema"] = 7
    file.write()
    for command in ("resume", "evaluate", "report"):
        code, said = server.run(command, runs[0], log=tmp_path / "log")
        one_line(code, said, runs[0], "run file schema 7, this version reads 1")


def test_two_launches_of_one_run(whole, tmp_path):
    run = tmp_path / "run.h5"
    first = start("run", whole / "long.toml", "--output", run, ranks=2)
    appears(run, first)
    done = vmcnet("run", whole / "long.toml", "--output", run, "--continue", ranks=2, check=False)
    one_line(done.returncode, done.stderr, run, "another run is writing it")
    assert first.communicate(timeout=60)[1] == "" and first.returncode == 0
    same(whole / "long.h5", run)


# time and ranks


def test_the_clock_jumps(whole, server, tmp_path):
    """Ten years forth and back at every look: neither the wall-time limit nor checkpoints nor the
    watchdog go by the clock of the day.
    """
    run = tmp_path / "run.h5"
    code, said = server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        "run.wall_time=600",
        "--set",
        "run.watchdog_minutes=1",
        log=tmp_path / "log",
        SHIM_JUMP=10 * 365 * 86400,
    )
    assert code == 0, said
    same(whole / "small.h5", run)
    with h5py.File(run) as file:
        assert abs(int(file.attrs["started"][:4]) - time.localtime().tm_year) > 5, (
            "the clock did not jump"
        )
        assert (file["training/seconds"][:] > 0).all() and file["training/seconds"][:].sum() < 60


@pytest.mark.parametrize(
    ("how", "rank", "ranks"),
    [("stall", 0, 1), ("stall", 1, 3), ("stall", 0, 2), ("stop", 1, 3), ("stop", 0, 2)],
)
def test_a_rank_that_stalls(whole, tmp_path, how, rank, ranks):
    """Asleep in its own work it says so itself; stopped as a whole, the ranks that wait for it
    do.
    """
    limit, run = 3.0, tmp_path / "run.h5"
    done, seconds = broken(
        how,
        rank,
        10,
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        f"run.watchdog_minutes={limit / 60}",
        ranks=ranks,
    )
    assert seconds < limit + 20
    stuck = f"rank {rank} is stuck in its own work" if how == "stall" else "waits for another rank"
    one_line(
        done.returncode, done.stderr, "run.watchdog_minutes = 0.05", stuck, f"vmcnet resume {run}"
    )
    vmcnet("resume", run)
    same(whole / "small.h5", run)


def test_a_watchdog_that_is_off_or_patient_lets_a_slow_iteration_be(whole, tmp_path):
    for limit in (0, 1):
        vmcnet(
            "run",
            whole / "small.toml",
            "--output",
            tmp_path / f"{limit}.h5",
            "--set",
            f"run.watchdog_minutes={limit}",
        )


def test_a_rank_that_raises(whole, tmp_path):
    run = tmp_path / "run.h5"
    done, seconds = broken("raise", 1, 10, "run", whole / "small.toml", "--output", run, ranks=3)
    assert done.returncode not in (0, 124) and seconds < 20
    assert (
        done.stderr.count("[rank 1] ZeroDivisionError: made by the test") == 1
        and "[rank 0]" not in done.stderr
    )
    vmcnet("resume", run, ranks=2)
    same(whole / "small.h5", run)


@pytest.mark.verify
def test_a_rank_that_refuses_alone_speaks_when_rank_0_has_nothing_to_say(whole, tmp_path):
    done, seconds = broken(
        "refuse", 1, 10, "run", whole / "small.toml", "--output", tmp_path / "run.h5", ranks=2
    )
    assert seconds < 20
    one_line(done.returncode, done.stderr, "made by the test")


# energies


def test_nan_once_is_rolled_back_on_any_number_of_ranks(whole, tmp_path):
    """Population step 12 of rank 0's first block, which is block 0 on any number of ranks: training
    iteration 7, checkpoint 5.
    """
    for ranks in (1, 3):
        run = tmp_path / f"{ranks}.h5"
        done, _ = broken("nan", 0, 12, "run", whole / "small.toml", "--output", run, ranks=ranks)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("rollback")]
        assert (
            len(lines) == 1
            and "rollback 1 of 3" in lines[0]
            and "block 0 (rank 0) at training iteration 7" in lines[0]
        )
        assert "back from iteration 7 to 5, steps times 0.5" in lines[0]
    same(tmp_path / "1.h5", tmp_path / "3.h5")
    with h5py.File(tmp_path / "1.h5") as file:
        assert (
            file["rollbacks/reached"][:].tolist() == [7]
            and file["rollbacks/back_to"][:].tolist() == [5]
            and file["rollbacks/scale"][:].tolist() == [0.5]
        )
        rates = file["training/learning_rate"][:]
        assert rates.tolist() == [0.01] * 5 + [0.005] * 7
    ours, theirs = (
        datasets(tmp_path / "1.h5")["training/energy"],
        datasets(whole / "small.h5")["training/energy"],
    )
    assert ours[:5].tobytes() == theirs[:5].tobytes() and ours[5] != theirs[5], (
        "the second attempt must draw words of its own"
    )


@pytest.mark.parametrize(
    ("at", "phase"),
    [(5, "training iteration 0"), (12, "training iteration 7"), (23, "evaluation iteration 2")],
)
def test_nan_without_a_way_back_stops_all_ranks(whole, tmp_path, at, phase):
    """No checkpoint before it, no rollback allowed, parameters frozen: status 1, one line that
    names rank, block and iteration, the walkers kept.
    """
    run = tmp_path / "run.h5"
    done, seconds = broken(
        "nan",
        1,
        at,
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        f"training.rollbacks={0 if at == 12 else 3}",
        ranks=2,
    )
    assert seconds < 20
    one_line(
        done.returncode,
        done.stderr,
        "NaN or infinite",
        "block 4 (rank 1)",
        phase,
        "run.nonfinite.h5",
    )
    assert read_checkpoint(tmp_path / "run.nonfinite.h5").arrays["r"].shape == (8, 8, 2, 2)
    if phase != "training iteration 0":
        vmcnet("resume", run)
        with h5py.File(run) as file:
            assert len(file["training/energy"]) == 12 and "evaluation/0" in file


def test_nan_that_comes_back_uses_up_the_rollbacks(whole, tmp_path):
    run = tmp_path / "run.h5"
    done, seconds = broken("nans", 0, 12, "run", whole / "small.toml", "--output", run)
    assert seconds < 20
    one_line(done.returncode, done.stderr, "NaN or infinite")
    assert done.stdout.count("rollback ") >= 1


def test_a_training_that_diverges(whole, server, tmp_path):
    """A learning rate 1000 times too high: it says each rollback in log and file, then gives up."""
    run = tmp_path / "run.h5"
    code, said = server.run(
        "run",
        whole / "rolling.toml",
        "--output",
        run,
        "--set",
        "optimizer.learning_rate=300",
        "--set",
        "training.rollbacks=2",
        log=tmp_path / "log",
    )
    assert code == 1
    one_line(
        code,
        said,
        "standard deviations",
        "training.rollbacks = 2 are used up",
        "lower optimizer.learning_rate",
    )
    assert [line.split(":")[0] for line in said.splitlines() if line.startswith("rollback")] == [
        "rollback 1 of 2",
        "rollback 2 of 2",
    ]
    with h5py.File(run) as file:
        assert file["rollbacks/scale"][:].tolist() == [0.5, 0.25]
    code, said = server.run("resume", run, "--set", "training.rollbacks=20", log=tmp_path / "log")
    assert code == 0, said
    with h5py.File(run) as file:
        assert len(file["training/energy"]) == 12 and len(file["rollbacks/scale"]) > 2


def test_a_rollback_is_exact_across_a_stop(whole, tmp_path):
    """Stopped by hand in the middle, on another number of ranks afterwards: it goes back to the
    same place.
    """
    run = tmp_path / "run.h5"
    vmcnet(
        "run",
        whole / "rolling.toml",
        "--output",
        run,
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
    )
    assert (
        not Path(checkpoint_path(run, "rollback")).exists()
        or read_checkpoint(checkpoint_path(run, "rollback")).numbers["iteration"] <= 4
    )
    vmcnet(
        "resume", run, "--set", "training.iterations=12", "--set", "evaluation.steps=10", ranks=3
    )
    same(whole / "rolling.h5", run)
