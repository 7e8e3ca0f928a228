"""Launchers that do not fit are refused, and an exception on one rank ends all of them, named."""

import os
import subprocess
import sys

import pytest

from tests.runs import JOB, vmcnet
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
