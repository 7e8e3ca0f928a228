"""Checkpoints: what is written is what is read; every flipped bit is refused; a complete one exists
at any moment.
"""

import errno
import json
import os

import numpy as np
import pytest

from tests.config.test_malformed import call, refused
from tests.runs import JOB
from vmcnet.storage.atomic import FileProblem, replace_file
from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from vmcnet.storage.lock import RunLock
from vmcnet.storage.paths import checkpoint_path, folder_of, lock_path, previous_path
from vmcnet.storage.sealed import USERBLOCK

CONTENT = Checkpoint(
    {
        "theta": np.linspace(0, 1, 26),
        "r": np.random.default_rng(0).normal(size=(2, 8, 2, 2)),
        "optimizer/m": np.zeros(3),
    },
    {"iteration": 5, "step_size": 0.1 + 0.2, "run": "abc"},
)


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "run.checkpoint.h5", CONTENT)
    return tmp_path / "run.checkpoint.h5"


def test_round_trip(path):
    found = read_checkpoint(path)
    assert found.numbers.pop("schema") == 1 and found.numbers == CONTENT.numbers
    assert set(found.arrays) == set(CONTENT.arrays)
    for name, array in CONTENT.arrays.items():
        assert (
            found.arrays[name].tobytes() == array.tobytes()
            and found.arrays[name].shape == array.shape
        )


def test_500_single_bit_flips_are_all_refused_and_the_previous_one_offered(path):
    write_checkpoint(path, CONTENT)
    good, rng = path.read_bytes(), np.random.default_rng(1)
    places = {*range(40), *range(USERBLOCK - 8, USERBLOCK + 8), len(good) - 1}
    while len(places) < 500:
        places.add(int(rng.integers(len(good))))
    for place in sorted(places):
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        with pytest.raises(
            FileProblem,
            match=(
                r"run\.checkpoint\.h5: the checkpoint is damaged.*run\.checkpoint\.previous\.h5 "
                r"can be used"
            ),
        ):
            read_checkpoint(path)
    path.write_bytes(good)
    read_checkpoint(path)


def test_truncated(path):
    good = path.read_bytes()
    for length in (
        0,
        1,
        100,
        USERBLOCK - 1,
        USERBLOCK,
        USERBLOCK + 1,
        len(good) // 2,
        len(good) - 1,
    ):
        path.write_bytes(good[:length])
        with pytest.raises(FileProblem, match="damaged or no checkpoint"):
            read_checkpoint(path)


def test_the_previous_one_is_the_one_before(path):
    first = path.read_bytes()
    write_checkpoint(path, Checkpoint({}, {"iteration": 6}))
    assert (
        previous_path(path).read_bytes() == first
        and read_checkpoint(path).numbers["iteration"] == 6
    )


def test_a_write_that_fails_leaves_the_last_file(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    replace_file(path, b"one", b" and two")
    assert path.read_bytes() == b"one and two"

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        FileProblem, match=r"No space left on device.*the file on disk is the last complete one"
    ):
        replace_file(path, b"three")
    assert path.read_bytes() == b"one and two" and [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_lock(tmp_path):
    lock = RunLock(tmp_path / "run.h5")
    with pytest.raises(FileProblem, match="another run is writing it"):
        RunLock(tmp_path / "run.h5")
    lock.release()
    RunLock(tmp_path / "run.h5").release()


@pytest.mark.processes
def test_resume_refuses_a_damaged_checkpoint_and_goes_on_from_the_previous_one(tmp_path, capsys):
    (tmp_path / "job.toml").write_text(JOB)
    run = tmp_path / "run.h5"
    assert call(capsys, "run", tmp_path / "job.toml", "--output", run)[0] == 0
    main = checkpoint_path(run)
    data = bytearray(main.read_bytes())
    data[3000] ^= 4
    main.write_bytes(data)
    before = run.read_bytes()
    refused(call(capsys, "resume", run), main, "damaged", previous_path(main), "--previous")
    assert run.read_bytes() == before
    code, out, err = call(capsys, "resume", run, "--previous")
    assert code == 0 and "training 12/12" in err, out


@pytest.mark.processes
def test_checkpoints_of_another_run_and_of_another_version(tmp_path, capsys):
    (tmp_path / "job.toml").write_text(JOB)
    for name in ("a.h5", "b.h5"):
        assert call(capsys, "run", tmp_path / "job.toml", "--output", tmp_path / name)[0] == 0
    main = checkpoint_path(tmp_path / "a.h5")
    main.write_bytes(checkpoint_path(tmp_path / "b.h5").read_bytes())
    refused(call(capsys, "resume", tmp_path / "a.h5"), main, "belongs to another run")
    found = read_checkpoint(main)
    write_checkpoint(main, Checkpoint(found.arrays, {**found.numbers, "schema": 99}))
    refused(call(capsys, "resume", tmp_path / "a.h5"), main, "schema 99")
    main.unlink()
    refused(call(capsys, "resume", tmp_path / "a.h5"), main, "no such checkpoint")


# the lock and the folder of a run


def test_a_refused_start_and_an_ended_run_leave_no_lock(tmp_path):
    run = tmp_path / "run.h5"
    lock = RunLock(run)
    with pytest.raises(FileProblem, match="another run is writing it"):
        RunLock(run)
    assert lock_path(run).exists()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_is_taken_anew_or_the_run_ends(tmp_path):
    run = tmp_path / "run.h5"
    first = RunLock(run)
    lock_path(run).unlink()
    folder_of(run).rmdir()
    first.check()
    with pytest.raises(FileProblem, match="another run is writing it"):
        RunLock(run)
    lock_path(run).unlink()
    second = RunLock(run)
    with pytest.raises(
        FileProblem, match=rf"another run is writing it \(.*process {os.getpid()}\)"
    ):
        first.check()
    second.check()
    second.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    run, made = tmp_path / "run.h5", folder_of(tmp_path / "run.h5") / "lock.made"
    lock = RunLock(run)
    with pytest.raises(FileProblem, match=f"no locks .{os.strerror(number)}.*delete {made}"):
        RunLock(run)
    lock.check()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    folder_of(run).mkdir()
    for text, dead in (
        ({"host": os.uname().nodename, "pid": 2**22 + 1}, True),
        ({"host": os.uname().nodename, "pid": os.getpid(), "began": "1"}, True),
        ({"host": os.uname().nodename, "pid": os.getpid()}, False),
        ({"host": "elsewhere", "pid": 1}, False),
    ):
        made.write_text(json.dumps(text))
        if dead:
            RunLock(run).release()
            folder_of(run).mkdir(exist_ok=True)
        else:
            with pytest.raises(FileProblem, match=f"host {text['host']}, process {text['pid']}"):
                RunLock(run)
