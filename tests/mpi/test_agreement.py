"""Ranks that were started differently are refused by rank and key; other processors are noted."""

import os
import re
import subprocess
import sys

import h5py
import pytest

from tests.runs import BIN, JOB, LONGEST, ROOT


@pytest.fixture
def job(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    return tmp_path / "job.toml"


def apart(first, second, environ=()):
    """Two ranks with a command each."""
    program = ["vmcnet"] if first[0] != "python" else []
    one = [str(BIN / x) if x in ("vmcnet", "python") else str(x) for x in [*program, *first]]
    two = [str(BIN / x) if x in ("vmcnet", "python") else str(x) for x in [*program, *second]]
    return subprocess.run(
        ["timeout", "-k", "5", str(LONGEST), BIN / "mpiexec", "-n", "1", *one]
        + [":", "-n", "1", "env", *environ, *two],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


DIFFERENT = {
    "a key": (["--set", "sampling.steps=4"], "rank 1 was started with sampling.steps = 4, rank 0"),
    "another name": (["--output", "other.h5"], "rank 1 was started with output = other.h5"),
    "a flag": (["--continue"], "rank 1 was started with --continue = True"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(k, marks=pytest.mark.verify if k != "a key" else ()) for k in DIFFERENT]
)
def test_differing_ranks_are_refused(tmp_path, job, case):
    more, words = DIFFERENT[case]
    run = ("run", job, "--output", tmp_path / "run.h5")
    done = apart(run, (*run, *more))
    lines = re.findall("vmcnet: .*", done.stderr)
    assert done.returncode and len(lines) == 1 and words in lines[0], done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["job.toml"]


@pytest.mark.verify
def test_another_command(tmp_path, job):
    done = apart(("run", job), ("resume", tmp_path / "run.h5"))
    assert done.returncode and "rank 1 was started with command = resume" in done.stderr


def test_mixed_processors_are_noted_and_recorded(tmp_path, job):
    run = ("run", job, "--output", tmp_path / "run.h5")
    generic = ("NUMBA_CPU_NAME=generic", f"NUMBA_CACHE_DIR={tmp_path / 'cache'}")
    done = apart(run, run, generic)
    assert done.returncode == 0, done.stderr
    assert "note: not all ranks compute alike (rank 1: " in done.stderr
    with h5py.File(tmp_path / "run.h5") as file:
        assert "rank 1: target generic" in file.attrs["mixed"]


SCRIPT = """
import vmcnet as vmc
dot = vmc.systems.QuantumDot(particles=2)
psi = vmc.wavefunctions.GaussianEnvelope(dot)
result = vmc.train(dot, psi, optimizer=vmc.optimizers.Adam(0.02), iterations=3, walkers=64, block=8)
comm = result.population.comm
energy = result.series["energy"][-1].hex()
print(f"rank {comm.rank} of {comm.size} {energy}", flush=True)
"""


def test_a_script_under_a_launcher_connects_by_itself(tmp_path):
    (tmp_path / "own.py").write_text(SCRIPT)
    alone, both = (
        subprocess.run(
            ["timeout", "-k", "5", str(LONGEST), *launcher, sys.executable, tmp_path / "own.py"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for launcher in ([], [BIN / "mpiexec", "-n", "2"])
    )
    energy = alone.stdout.split()[-1]
    # A launcher may join the lines of two ranks: the words are looked for, not the lines.
    words = sorted(re.findall(r"rank \d of \d -?0x[0-9a-f.]+p[+-]\d+", both.stdout))
    assert words == [f"rank {k} of 2 {energy}" for k in (0, 1)], both.stdout + both.stderr
