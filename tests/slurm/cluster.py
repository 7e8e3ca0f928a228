"""A private SLURM of two nodes on this machine, for tests: munge, one controller, two node daemons
with host names, ports and job numbers of their own (mpich names its shared memory after the job).

Needs root and the packages slurm-wlm and munge; neither systemd nor cgroups. Everything lives in
one folder; `stop` ends what `start` started.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

CONFIGURATION = """
ClusterName=vmcnet
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
FirstJobId={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
PlugStackConfig=/dev/null
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
GresTypes=gpu
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
MinJobAge=300
InactiveLimit=0
Waittime=0
OverTimeLimit=0
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{second}] CPUs=2 \\
 Gres=gpu:2 RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 \\
 PreemptMode=REQUEUE GraceTime=0 OverSubscribe=NO
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF \\
 OverSubscribe=NO
"""
# pretended: empty files that are counted and bound like devices
GPUS = "NodeName=n[1-2] Name=gpu File={folder}/gpu[0-1]\n"
NODE = (
    'hostname n{k}; mount --bind "{folder}/hosts" /etc/hosts; exec slurmd -f '
    '"{folder}/slurm.conf" -N n{k}'
)


LIMIT = 600.0  # seconds


def missing() -> str:
    """Why no private SLURM can run here, or nothing."""
    absent = [
        program
        for program in ("munged", "slurmctld", "slurmd", "srun", "sbatch", "unshare")
        if shutil.which(program) is None
    ]
    if absent:
        return (
            f"{', '.join(absent)} not installed: apt-get install -y --no-install-recommends "
            "slurm-wlm munge"
        )
    if os.getuid():
        return "a private SLURM needs root"
    return (
        ""
        if subprocess.run(["unshare", "-m", "-u", "true"], capture_output=True).returncode == 0
        else "name spaces (unshare -m -u) are not allowed here"
    )


class Cluster:
    """Two nodes of two pretended CPUs, partitions `low` (preempted by requeueing) and `high`."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.environ = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        folder, host = self.folder, socket.gethostname().split(".")[0] or "localhost"
        folder.chmod(0o755)
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] % 20000 + 20000
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=folder, host=host, port=port, first=port + 1, second=port + 2
            )
        )
        (folder / "gres.conf").write_text(GPUS.format(folder=folder))
        for gpu in ("gpu0", "gpu1"):
            (folder / gpu).touch()
        (folder / "hosts").write_text(
            Path("/etc/hosts").read_text() + "127.0.0.1 n1\n127.0.0.1 n2\n"
        )
        for command in (
            [
                "munged",
                "--force",
                f"--key-file={folder}/munge.key",
                f"--socket={folder}/munge.socket",
                f"--pid-file={folder}/munged.pid",
                f"--log-file={folder}/munged.log",
                f"--seed-file={folder}/munged.seed",
                "--num-threads=2",
            ],
            ["slurmctld", "-f", str(folder / "slurm.conf")],
            *(
                [
                    "unshare",
                    "-m",
                    "-u",
                    "--propagation",
                    "private",
                    "sh",
                    "-c",
                    NODE.format(folder=folder, k=k),
                ]
                for k in (1, 2)
            ),
        ):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT, env=self.environ
            )
            assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
        self.wait(
            lambda: (
                self.call("sinfo", "-h", "-p", "low", "-N", "-o", "%t").split() == ["idle", "idle"]
            ),
            "two idle nodes",
        )

    def stop(self) -> None:
        """End jobs, daemons, and the steps that outlive both."""
        self.call("scancel", "--user=root", "-Q", check=False)
        for _ in range(300):
            if not self.call("squeue", "-h", check=False).strip():
                break
            time.sleep(0.1)
        for name in ("slurmd.n1", "slurmd.n2", "slurmctld", "munged"):
            try:
                pid = int((self.folder / f"{name}.pid").read_text())
                os.kill(pid, signal.SIGTERM)
                for _ in range(50):
                    os.kill(pid, 0)
                    time.sleep(0.1)
                os.kill(pid, signal.SIGKILL)
            except (OSError, ValueError):
                pass
        for pid in self._holders():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _holders(self) -> list[int]:
        """Other processes that hold a file of this cluster's folder open: its slurmstepd."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    held = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
                    if any(name.startswith(f"{self.folder}/") for name in held):
                        found.append(int(entry.name))
        return found

    def call(self, *command, check=True) -> str:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=LIMIT, env=self.environ
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, *arguments, **environ) -> str:
        """sbatch; the job's id."""
        done = subprocess.run(
            ["sbatch", "--parsable", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env={**self.environ, **environ},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def field(self, job: str, name: str) -> str:
        """One field of scontrol show job."""
        return next(
            (
                word.split("=", 1)[1]
                for word in self.call("scontrol", "show", "job", job).split()
                if word.startswith(f"{name}=")
            ),
            "",
        )

    def wait(self, condition, what: str, seconds: float = LIMIT) -> None:
        """Until the condition holds; the limit is for what never comes, not for what is slow."""
        begun = time.monotonic()
        while not condition():
            logs = "\n".join(f"{p.name}: {p.read_text()[-600:]}" for p in self.folder.glob("*.log"))
            assert time.monotonic() - begun < seconds, (
                f"no {what} within {seconds} s\n{self.call('squeue', '-a', check=False)}{logs}"
            )
            time.sleep(0.1)
