"""Launchers that do not fit are refused, and an exception on one rank ends all of them, named."""

import os
import subprocess
import sys
import time

import pytest

from tests.runs import BIN, JOB, vmcnet
from vmcnet.parallel.communicators import (
    LaunchError,
    SerialCommunicator,
    connect,
    launched_processes,
    owned_blocks,
)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    return tmp_path / "job.toml"


def test_every_block_has_one_owner():
    for blocks in (1, 2, 7, 8, 64):
        for size in range(1, min(blocks, 9) + 1):
            shares = [owned_blocks(rank, size, blocks) for rank in range(size)]
            assert [b for share in shares for b in share] == list(range(blocks))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(LaunchError, match="4 ranks were started for 3 blocks"):
        owned_blocks(0, 4, 3)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (1, "")),
        ({"PMI_SIZE": "4"}, (4, "PMI_SIZE")),
        ({"OMPI_COMM_WORLD_SIZE": "2", "PMI_SIZE": "x"}, (2, "OMPI_COMM_WORLD_SIZE")),
        ({"SLURM_STEP_NUM_TASKS": "8"}, (8, "SLURM_STEP_NUM_TASKS")),
        ({"MPI_LOCALNRANKS": "3"}, (3, "MPI_LOCALNRANKS")),
    ],
)
def test_launcher_variables(environ, expected):
    assert launched_processes(environ) == expected


def test_without_a_launcher_no_mpi_is_loaded():
    code = (
        "import sys; from vmcnet.parallel.communicators import connect; "
        "comm = connect({}); assert comm.size == 1; "
        "assert not [m for m in sys.modules if m.startswith('mpi4py')]"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert isinstance(connect({}), SerialCommunicator)


def test_a_launcher_that_does_not_reach_the_library_is_refused(job, tmp_path):
    """As with mpich's library under Open MPI's launcher: N worlds of size 1, which would all write
    one file.
    """
    environ = {**os.environ, "OMPI_COMM_WORLD_SIZE": "4"}
    done = vmcnet("run", job, "--output", tmp_path / "run.h5", check=False, env=environ)
    assert done.returncode == 2 and done.stdout == ""
    assert (
        done.stderr.startswith("vmcnet: OMPI_COMM_WORLD_SIZE=4")
        and done.stderr.count("\n") == 1
        and "mpiexec" in done.stderr
    )
    assert not (tmp_path / "run.h5").exists()


def test_more_ranks_than_blocks(job, tmp_path):
    done = vmcnet(
        "run",
        job,
        "--output",
        tmp_path / "run.h5",
        "--set",
        "sampling.walkers=16",
        ranks=3,
        check=False,
    )
    assert (
        done.returncode == 2
        and "3 ranks were started for 2 blocks" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert done.stderr.count("vmcnet:") == 1 and not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_an_exception_on_one_rank_ends_all(job, tmp_path, rank):
    """The others wait in a collective; within seconds the launcher returns, and the traceback names
    the rank.
    """
    script = tmp_path / "broken.py"
    script.write_text(f"""
import sys
from vmcnet import cli
from vmcnet.engine.population import Population
advance = Population.advance
def broken(self, theta, stage, iteration, *rest, **options):
    if self.comm.rank == {rank} and iteration == 2 and stage == 2:
        raise ZeroDivisionError("made by the test")
    return advance(self, theta, stage, iteration, *rest, **options)
Population.advance = broken
cli.main(sys.argv[1:])
""")
    begun = time.monotonic()
    done = subprocess.run(
        [
            "timeout",
            "-k",
            "5",
            "60",
            str(BIN / "mpiexec"),
            "-n",
            "3",
            sys.executable,
            str(script),
            "run",
            str(job),
            "--output",
            str(tmp_path / "run.h5"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode not in (0, 124, 137) and time.monotonic() - begun < 20
    assert f"[rank {rank}] ZeroDivisionError: made by the test" in done.stderr
    assert (
        f"[rank {rank}] Traceback" in done.stderr and f"[rank {(rank + 1) % 3}]" not in done.stderr
    )


def test_a_killed_rank_ends_the_launcher(job, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text("""
import os, signal, sys
from vmcnet import cli
from vmcnet.engine.population import Population
advance = Population.advance
def killed(self, theta, stage, iteration, *rest, **options):
    if self.comm.rank == 1 and iteration == 2 and stage == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return advance(self, theta, stage, iteration, *rest, **options)
Population.advance = killed
cli.main(sys.argv[1:])
""")
    done = subprocess.run(
        [
            "timeout",
            "-k",
            "5",
            "60",
            str(BIN / "mpiexec"),
            "-n",
            "2",
            sys.executable,
            str(script),
            "run",
            str(job),
            "--output",
            str(tmp_path / "run.h5"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode not in (0, 124)


def test_ranks_with_different_parameters_are_found(job, tmp_path):
    script = tmp_path / "different.py"
    script.write_text("""
import sys
import numpy as np
from vmcnet import cli
from vmcnet.engine.population import Population
advance = Population.advance
def different(self, theta, stage, iteration, *rest, **options):
    if self.comm.rank == 1 and iteration == 3 and stage == 2:
        theta = np.nextafter(theta, np.inf)
    return advance(self, theta, stage, iteration, *rest, **options)
Population.advance = different
cli.main(sys.argv[1:])
""")
    done = subprocess.run(
        [
            "timeout",
            "-k",
            "5",
            "60",
            str(BIN / "mpiexec"),
            "-n",
            "2",
            sys.executable,
            str(script),
            "run",
            str(job),
            "--output",
            str(tmp_path / "run.h5"),
        ],
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode == 1 and "iteration 3: the ranks hold different parameters" in done.stderr
    )
