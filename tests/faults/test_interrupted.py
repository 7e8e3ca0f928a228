"""Runs that are stopped or killed in every phase go on to the same bits; a live output is
guarded.
"""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import h5py
import pytest

from tests.runs import JOB, complaints, same, start, vmcnet
from vmcnet.runs.stopping import REQUEUE

LONG = (
    JOB.replace("iterations = 12", "iterations = 200")
    .replace("steps = 20", "steps = 300")
    .replace("warmup = 4\n[training]", "warmup = 150\n[training]")
)
LONG = LONG.replace("checkpoint_every = 5", "checkpoint_every = 20").replace(
    "steps = 300\nwarmup = 4", "steps = 300\nwarmup = 100"
)
PHASES = ["warmup", "training", "equilibration", "evaluation"]


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A job of some seconds, and its uninterrupted run."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "job.toml").write_text(LONG)
    vmcnet("run", folder / "job.toml", "--output", folder / "whole.h5")
    return folder


def wait_for(process, phase):
    """Read the progress lines until a phase is under way."""
    for line in process.stderr:
        if line.startswith(phase):
            return
    raise AssertionError(process.communicate())


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def interrupt(long, path, phase, how, ranks):
    process = start("run", long / "job.toml", "--output", path, ranks=ranks)
    wait_for(process, phase)
    how(process, path)
    return finish(process)


def children(pid):
    """Processes of a launcher that run vmcnet, found through /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_text().split("\0")
                if (
                    "run" in words
                    and any(w.endswith("/vmcnet") for w in words)
                    and "mpiexec" not in words[0]
                ):
                    found.append((int(entry), words))
            except OSError:
                pass
    return found


def send(number):
    def how(process, path):
        if "mpiexec" in process.args[0]:
            for pid, words in children(process.pid):
                if str(path) in words:
                    os.kill(pid, number)
        else:
            process.send_signal(number)

    return how


def touch_stop(process, path):
    (path.parent / (path.name + ".STOP")).touch()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("name", "how", "code"),
    [("SIGTERM", send(signal.SIGTERM), REQUEUE), ("STOP file", touch_stop, 0)],
)
def test_stop_and_resume(long, tmp_path, phase, name, how, code):
    path = tmp_path / "run.h5"
    status, out, err = interrupt(long, path, phase, how, ranks=1)
    assert status == code, err
    assert "stopped by" in out and f"vmcnet resume {path}" in out and not complaints(err)
    assert not (tmp_path / "run.h5.STOP").exists()
    vmcnet("resume", path, ranks=2)
    same(long / "whole.h5", path)


@pytest.mark.parametrize("phase", ["training", "evaluation"])
def test_one_rank_that_hears_the_signal_stops_all(long, tmp_path, phase):
    """USR1 to a single rank: the flag rides on the all-gather."""
    path = tmp_path / "run.h5"

    def how(process, path):
        mine = sorted(pid for pid, words in children(process.pid) if str(path) in words)
        os.kill(mine[-1], signal.SIGUSR1)

    status, out, err = interrupt(long, path, phase, how, ranks=2)
    assert status == REQUEUE and "a signal" in out, out + err
    vmcnet("resume", path)
    same(long / "whole.h5", path)


def test_wall_time(long, tmp_path):
    path = tmp_path / "run.h5"
    done = vmcnet(
        "run", long / "job.toml", "--output", path, "--set", "run.wall_time=1", check=False, ranks=2
    )
    assert done.returncode == REQUEUE and "the wall-time limit" in done.stdout, done.stderr
    for _ in range(40):
        done = vmcnet("resume", path, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == REQUEUE, done.stderr
    same(long / "whole.h5", path)


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_at_any_moment(long, tmp_path, ranks):
    """SIGKILL again and again, at random times, with --continue: the result is that of the
    uninterrupted run.
    """
    path, rng, kills = tmp_path / "run.h5", random.Random(ranks), 0
    for life in range(60):
        process = start("run", long / "job.toml", "--output", path, "--continue", ranks=ranks)
        try:
            process.wait(
                timeout=rng.uniform(0.4, 1.4) + 0.05 * life
            )  # on a busy machine the first lives may end before a checkpoint
        except subprocess.TimeoutExpired:
            send(signal.SIGKILL)(process, path)
            process.kill()
            kills += 1
        _, _, err = finish(process)
        if process.returncode == 0:
            break
        assert "vmcnet:" not in err, err
        wait_until_free(path)
    assert process.returncode == 0 and kills >= 3
    same(long / "whole.h5", path)


def wait_until_free(path):
    for _ in range(100):
        if not any(str(path) in words for _, words in children(0)):
            return
        time.sleep(0.05)


def test_a_live_output_is_refused_by_name_of_its_holder(long, tmp_path):
    path = tmp_path / "run.h5"
    process = start("run", long / "job.toml", "--output", path)
    wait_for(process, "training")
    process.send_signal(signal.SIGSTOP)  # it holds its files, however long the others take
    for arguments in (
        ("run", long / "job.toml", "--output", path, "--overwrite"),
        ("run", long / "job.toml", "--output", path, "--continue"),
        ("resume", path),
        ("evaluate", path),
    ):
        done = vmcnet(*arguments, check=False)
        assert done.returncode == 2 and done.stdout == ""
        assert (
            f"process {process.pid}" in done.stderr
            and f"host {os.uname().nodename}" in done.stderr
            and done.stderr.count("\n") == 1
        )
    assert vmcnet("report", path).stdout.startswith(str(path)), (
        "a live file can be read at any moment"
    )
    with h5py.File(path) as file:
        assert "training" in file
    process.send_signal(signal.SIGCONT)
    status, _, err = finish(process)
    assert status == 0, err
    same(long / "whole.h5", path)


def test_the_live_file_is_always_readable(long, tmp_path):
    path = tmp_path / "run.h5"
    process, reads = (
        start("run", long / "job.toml", "--output", path, "--set", "run.checkpoint_every=1"),
        0,
    )
    while process.poll() is None:
        if path.exists():
            with h5py.File(path) as file:
                lengths = {len(v) for v in file["training"].values() if isinstance(v, h5py.Dataset)}
                assert len(lengths) <= 1
                reads += 1
        time.sleep(0.01)
    assert finish(process)[0] == 0 and reads > 50


def test_two_keyboard_interrupts(long, tmp_path):
    status, out, _ = interrupt(long, tmp_path / "run.h5", "training", send(signal.SIGINT), ranks=1)
    assert status == REQUEUE and "a signal" in out


def test_continue_starts_then_goes_on_then_does_nothing(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    arguments = ("run", tmp_path / "job.toml", "--output", tmp_path / "run.h5", "--continue")
    vmcnet(*arguments)
    before = (tmp_path / "run.h5").read_bytes()
    assert "evaluation 0" in vmcnet(*arguments).stdout
    assert (tmp_path / "run.h5").read_bytes() == before
    vmcnet(*arguments, "--set", "training.iterations=14")
    with h5py.File(tmp_path / "run.h5") as file:
        assert len(file["training/energy"]) == 14 and list(file["evaluation"]) == ["0", "1"]
