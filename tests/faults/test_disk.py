"""A disk that is full, read-only or gone: one clear line, and the same bits once it is well."""

import shutil
import subprocess

import h5py
import pytest

from tests.faults.cases import Held, one_line
from tests.runs import BIN, LONGEST, same, vmcnet


def test_full_disk(whole, small_disk, tmp_path):
    run = small_disk / "run.h5"
    with Held(tmp_path / "held", 10, "run", whole / "small.toml", "--output", run) as held:
        with open(small_disk / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1024))
            except OSError:
                pass
        code, _, err = held.go_on()
    one_line(code, err, run.parent, "No space left on device", "last complete one")
    assert not list(small_disk.glob("*.partial"))
    with h5py.File(run):
        pass
    (small_disk / "filler").unlink()
    vmcnet("resume", run, ranks=2)
    same(whole / "small.h5", run)


def test_full_disk_under_standard_output(whole, tmp_path):
    run = tmp_path / "run.h5"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(BIN / "vmcnet"), "run", str(whole / "small.toml"), "--output", str(run)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LONGEST,
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
    arguments = ("run", whole / "small.toml", "--output", run)
    with Held(tmp_path / "held", 10, *arguments, ranks=ranks) as held:
        shutil.rmtree(run.parent)
        code, _, err = held.go_on()
    one_line(code, err, run.parent, "No such file or directory")
