"""A start on an empty cache: what a second process compiles, and that it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs import JOB, LONGEST, ROOT, same, vmcnet
from vmcnet.config import load_job
from vmcnet.runs.rehearsal import rehearse

JOBS = [p for p in sorted((ROOT / "vmcnet/jobs").glob("*.toml")) if not p.stem.endswith("data")]
FEW = ["sampling.walkers=8", "sampling.block=4"]
LOADED = """
import sys
from pathlib import Path
from vmcnet import cli
from vmcnet.config import load_job
from vmcnet.kernels.one_compiles import OneCompiles
from vmcnet.runs.rehearsal import rehearse

loaded, read = [], OneCompiles._read
def noted(self, *given):
    loaded.append(self.name)
    return read(self, *given)
OneCompiles._read = noted
short = ["sampling.warmup=0", "training.iterations=1", "evaluation.steps=0", *sys.argv[3:]]
job = load_job(Path(sys.argv[1]), short)
rehearse(job)
rest = len(loaded)
rehearse(job, moves=True)
both = len(loaded)
try:
    cli.main(["run", sys.argv[1], "--output", sys.argv[2], "--quiet"]
             + [word for setting in short for word in ("--set", setting)])
except SystemExit as ended:
    assert not ended.code
print(rest, both - rest, *loaded[both:])
"""
FORKED = """
import os, sys, time
from vmcnet.runs.rehearsal import fork
def work():
    part = sys.argv[1] + ".part"
    with open(part, "w") as out:
        out.write(str(os.getpid()))
    os.rename(part, sys.argv[1])
    if sys.argv[2] == "stays":
        time.sleep(600)
    raise ValueError("of no interest")
fork(work)
sys.stdin.readline()
while sys.argv[2] == "ends":
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:  # none is left
        break
    time.sleep(0.01)
"""


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("path", JOBS, ids=lambda p: p.stem)
def test_every_job_can_be_rehearsed(path, moves):
    rehearse(load_job(path, FEW), moves=moves)


@pytest.mark.processes
@pytest.mark.parametrize("name", ["quantum_dot_2", "heisenberg_chain_40"])
def test_two_rehearsals_load_all_that_a_first_row_needs(tmp_path, name):
    """Kernels of the gradient or natural gradient, then those of the moves, then no other."""
    few = "sampling.walkers=64", "sampling.block=32"
    words = [ROOT / f"vmcnet/jobs/{name}.toml", tmp_path / "run.h5", *few]
    found = subprocess.run(
        [sys.executable, "-c", LOADED, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    rest, moves, *others = found.stdout.splitlines()[-1].split()
    assert int(rest) > 5 and int(moves) > 1 and not others


def _forked(tmp_path, how):
    """A program that forked, and the number of its fork."""
    path = tmp_path / "fork"
    program = subprocess.Popen(
        [sys.executable, "-c", FORKED, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _until(path.exists)
    return program, int(path.read_text())


def _until(holds):
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def _gone(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_a_fork_ends_with_its_parent(tmp_path, how):
    """However that ends, and nothing of the fork keeps its streams open."""
    program, number = _forked(tmp_path, "stays")
    assert not _gone(number)
    if how:
        program.send_signal(how)
    assert program.communicate("\n") == ("", "")
    _until(lambda: _gone(number))


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_a_fork_that_ends_leaves_no_word_and_no_process(tmp_path):
    program, number = _forked(tmp_path, "ends")
    assert program.communicate("\n") == ("", "") and program.returncode == 0
    assert _gone(number)


@pytest.mark.processes
@pytest.mark.verify
def test_an_empty_cache_changes_no_bit(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    for name, ranks in (("warm", 1), ("one", 1), ("two", 2)):
        cache = {"NUMBA_CACHE_DIR": str(tmp_path / name)} if name != "warm" else {}
        path = tmp_path / f"{name}.h5"
        vmcnet(
            "run",
            tmp_path / "job.toml",
            "--output",
            path,
            ranks=ranks,
            env={**os.environ, **cache},
            cwd=tmp_path,
        )
        if cache:
            same(tmp_path / "warm.h5", path)
            assert list((tmp_path / name).rglob("*.nbc"))
