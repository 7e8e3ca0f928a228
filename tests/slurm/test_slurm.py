"""A real SLURM of two nodes, four ranks: each way in which a job is stopped ends in a checkpoint,
and the job goes on under the same id.
"""

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.runs import BIN, JOB, ROOT, same, vmcnet
from tests.slurm.cluster import Cluster, missing

LONG = JOB.replace("iterations = 12", "iterations = 250").replace(
    "checkpoint_every = 5", "checkpoint_every = 1000"
)
REASON = missing()
if REASON:
    warnings.warn(f"SLURM IS NOT TESTED: {REASON}", stacklevel=1)
pytestmark = pytest.mark.skipif(bool(REASON), reason=f"SLURM IS NOT TESTED: {REASON}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "long.toml").write_text(LONG)
    (folder / "small.toml").write_text(JOB)
    vmcnet("run", folder / "long.toml", "--output", folder / "long.h5")
    vmcnet("run", folder / "small.toml", "--output", folder / "small.h5")
    return folder


ENVIRON = {"VMCNET": str(BIN / "vmcnet"), "PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin"}


class Submitted:
    """A job of two nodes and four ranks."""

    def __init__(self, cluster, whole, folder, script, *options, arguments=(), **environ):
        self.cluster, self.run, self.out = cluster, folder / "run.h5", folder / "out"
        self.id = cluster.submit(
            "--nodes=2",
            "--ntasks-per-node=2",
            "--ntasks=4",
            f"--output={self.out}",
            *options,
            ROOT / "jobs" / script,
            whole / "long.toml",
            "--output",
            self.run,
            *arguments,
            **{**ENVIRON, **environ},
        )

    def said(self):
        return self.out.read_text() if self.out.exists() else ""

    def until(self, text, count=1):
        """Until it has printed `text`; a job that has failed will not."""

        def there():
            ended = self.cluster.field(self.id, "JobState") == "FAILED"
            assert not ended or self.said().count(text) >= count, self.said()
            return self.said().count(text) >= count

        self.cluster.wait(there, f"{count} times {text!r}")

    def training(self):
        """Until it trains."""
        self.until("training 1/")

    def ends(self, whole, starts=2):
        """Requeued under its id, resumed, and with the bits of the undisturbed run."""
        self.cluster.wait(
            lambda: (
                self.cluster.field(self.id, "JobState")
                in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
            ),
            f"end of {self.said()}",
        )
        said = self.said()
        assert self.cluster.field(self.id, "JobState") == "COMPLETED", said
        assert (
            f"start {starts - 1} of job {self.id}" in said and "evaluation 0: 64 walkers" in said
        ), said
        assert (
            said.count("with a checkpoint; go on with: vmcnet resume") == starts - 1
            and "Traceback" not in said
        ), said
        same(whole / "long.h5", self.run)


def rows(path):
    with h5py.File(path) as file:
        return file["training/energy"][()]


def test_time_limit_with_a_signal_to_every_rank(cluster, whole, tmp_path):
    """A time limit of two minutes, the signal a minute before; SLURM looks every half minute, and
    a look before srun has tasks would lose the signal. The job is without end until a STOP file.
    """
    job = Submitted(
        cluster,
        whole,
        tmp_path,
        "cpu.sbatch",
        "--time=2",
        "--signal=USR1@60",
        arguments=("--set", "training.iterations=1000000"),
    )
    job.until("stopped by a signal")
    assert "TIME LIMIT" not in job.said(), job.said()
    reached = len(rows(job.run))
    cluster.call("scontrol", "update", f"JobId={job.id}", "TimeLimit=10")
    job.until("start 1 of job")
    job.until("training ", count=job.said().count("training ") + 2)
    (tmp_path / "run.h5.STOP").touch()
    cluster.wait(lambda: cluster.field(job.id, "JobState") == "COMPLETED", f"end of {job.said()}")
    assert "stopped by the STOP file" in job.said() and "Traceback" not in job.said()
    expected, found = rows(whole / "long.h5"), rows(job.run)
    assert len(found) > reached > 0 and np.array_equal(
        found[: len(expected)], expected[: len(found)]
    )


def test_signal_to_the_batch_shell_is_handed_on(cluster, whole, tmp_path):
    job = Submitted(cluster, whole, tmp_path, "requeue.sbatch")
    job.training()
    cluster.call("scancel", "--batch", "--signal=USR1", job.id)
    job.until("stopped by a signal")
    job.ends(whole)


def test_scancel_usr1(cluster, whole, tmp_path):
    """On GPUs as SLURM counts them: one a rank; the job itself computes on the CPU."""
    job = Submitted(
        cluster,
        whole,
        tmp_path,
        "gpu.sbatch",
        "--gpus-per-node=2",
        "--cpus-per-task=1",
        VMCNET_DEVICE="cpu",
    )
    assert "gpu:2" in cluster.call("scontrol", "show", "job", job.id), cluster.call(
        "scontrol", "show", "job", job.id
    )
    job.training()
    cluster.call("scancel", "-s", "USR1", job.id)
    job.until("stopped by a signal")
    job.ends(whole)


@pytest.mark.parametrize("script", ["cpu.sbatch", "requeue.sbatch"])
def test_scontrol_requeue(cluster, whole, tmp_path, script):
    job = Submitted(cluster, whole, tmp_path, script)
    job.training()
    cluster.call("scontrol", "requeue", job.id)
    job.until("stopped by a signal")
    job.ends(whole)


def test_preempted_by_a_higher_partition(cluster, whole, tmp_path):
    job = Submitted(cluster, whole, tmp_path, "requeue.sbatch", "--partition=low")
    job.training()
    other = cluster.submit(
        "--partition=high", "--nodes=2", "--ntasks=4", "--output=/dev/null", "--wrap=sleep 1"
    )
    job.until("stopped by a signal")
    cluster.wait(
        lambda: cluster.field(other, "JobState") == "COMPLETED", "end of the job that preempts"
    )
    job.ends(whole)


def test_mpiexec_inside_a_batch_script(cluster, whole, tmp_path):
    job = Submitted(
        cluster,
        whole,
        tmp_path,
        "cpu.sbatch",
        "--time=10",
        arguments=("--set", "training.iterations=12"),
        VMCNET_MPI="none",
    )
    cluster.wait(lambda: cluster.field(job.id, "JobState") in ("COMPLETED", "FAILED"), "end")
    assert cluster.field(job.id, "JobState") == "COMPLETED", job.said()
    same(whole / "small.h5", job.run)


def test_a_rank_that_dies_ends_the_job(cluster, whole, tmp_path):
    """Without --kill-on-bad-exit=1 the others would wait until the time limit, four hours."""
    program = tmp_path / "dies"
    program.write_text(
        f'#!/bin/sh\nexec {BIN}/python {ROOT}/tests/faults/killed_rank.py kill 1 20 "$@"\n'
    )
    program.chmod(0o755)
    job = Submitted(cluster, whole, tmp_path, "cpu.sbatch", VMCNET=str(program))
    cluster.wait(lambda: cluster.field(job.id, "JobState") in ("COMPLETED", "FAILED"), "end")
    assert cluster.field(job.id, "JobState") == "FAILED", job.said()
    vmcnet("resume", job.run, ranks=2)
    same(whole / "long.h5", job.run)


def test_array(cluster, whole, tmp_path):
    """A sweep of three values; each run is that of the same job by hand.

    One task at a time: both nodes are one machine, and two steps of mpich that start on one machine
    at once read each other's addresses.
    """
    job = cluster.submit(
        "--array=0-2%1",
        "--nodes=2",
        "--ntasks=4",
        f"--output={tmp_path}/%A_%a.out",
        ROOT / "jobs" / "array.sbatch",
        whole / "small.toml",
        "system.omega",
        1.0,
        0.5,
        0.25,
        **ENVIRON,
        VMCNET_RUNS=str(tmp_path),
    )
    runs = [tmp_path / f"small-system.omega={value}.h5" for value in (1.0, 0.5, 0.25)]
    cluster.wait(
        lambda: not cluster.call("squeue", "-h", "-j", job, check=False).strip(), "end of the array"
    )
    said = "".join(p.read_text() for p in Path(tmp_path).glob("*.out"))
    assert all(run.exists() for run in runs) and said.count("evaluation 0:") == 3, said
    same(whole / "small.h5", runs[0])
    vmcnet(
        "run", whole / "small.toml", "--set", "system.omega=0.25", "--output", tmp_path / "hand.h5"
    )
    same(tmp_path / "hand.h5", runs[2])


GAS = """
name = "gas"
seed = 3
[system]
type = "electron_gas"
particles = 10
dimensions = 2
r_s = 2.0
[[wavefunction]]
type = "slater"
[sampling]
walkers = 64
block = 16
steps = 4
warmup = 4
[training]
iterations = 0
[evaluation]
steps = 20
warmup = 2
[twists]
random = 2
"""


def test_twists_as_tasks_of_an_array(cluster, tmp_path):
    """Each task makes the run of its twist, to the bit, and the report joins them."""
    (tmp_path / "gas.toml").write_text(GAS)
    job = cluster.submit(
        "--array=0-1%1",
        "--nodes=2",
        "--ntasks=4",
        f"--output={tmp_path}/%A_%a.out",
        ROOT / "jobs" / "array.sbatch",
        tmp_path / "gas.toml",
        "twists.number",
        1,
        2,
        **ENVIRON,
        VMCNET_RUNS=str(tmp_path),
    )
    vmcnet("run", tmp_path / "gas.toml", "--output", tmp_path / "hand.h5")
    cluster.wait(
        lambda: not cluster.call("squeue", "-h", "-j", job, check=False).strip(), "end of the array"
    )
    said = "".join(p.read_text() for p in tmp_path.glob("*.out"))
    runs = [tmp_path / f"gas-twists.number={number}.h5" for number in (1, 2)]
    assert all(run.exists() for run in runs), said
    by_hand = [tmp_path / f"hand.twist-{number}.h5" for number in (1, 2)]
    for task, hand in zip(runs, by_hand, strict=True):
        same(hand, task)
    joined, hand = (
        [s for s in vmcnet("report", "--twists", *found).stdout.splitlines() if "statistical" in s]
        for found in (runs, by_hand)
    )
    assert len(joined) == 3 and joined == hand


def test_a_launcher_without_mpi_is_refused(cluster, whole, tmp_path):
    """srun --mpi=none would start four runs of size 1 that all write one file."""
    done = cluster.call(
        "srun",
        "--mpi=none",
        "--ntasks=2",
        BIN / "vmcnet",
        "run",
        whole / "small.toml",
        "--output",
        tmp_path / "run.h5",
        check=False,
    )
    assert done == "" and not (tmp_path / "run.h5").exists()
