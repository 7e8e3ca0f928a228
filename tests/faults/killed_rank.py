"""vmcnet whose rank RANK meets something at its N-th population step: killed_rank.py HOW RANK N
arguments ...

HOW: kill, stop (SIGSTOP), pause (SIGSTOP, woken after a second), stall, raise, refuse (a
FileProblem), nan (its first block's energies, this once), nans (from then on), the name of a
signal, nolock (flock fails from the start), or remove:PATH.
"""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import vmcnet.engine.population
from vmcnet import cli
from vmcnet.engine.population import Population
from vmcnet.estimators.energy import LocalEnergies
from vmcnet.storage.atomic import FileProblem

energies = vmcnet.engine.population.local_energies


def arm(how: str, rank: int, at: int) -> None:
    advance, calls = Population.advance, [0]

    def broken(self, *arguments, **options):
        calls[0] += 1
        if how in ("nan", "nans"):
            bad = self.comm.rank == rank and (calls[0] == at or (how == "nans" and calls[0] > at))
            vmcnet.engine.population.local_energies = not_finite if bad else energies
        elif self.comm.rank == rank and calls[0] == at:
            meet(how)
        return advance(self, *arguments, **options)

    if how == "nolock":
        fcntl.flock = no_locks
    else:
        Population.advance = broken


def meet(how: str) -> None:
    if how == "raise":
        raise ZeroDivisionError("made by the test")
    if how == "refuse":
        raise FileProblem("made by the test")
    if how == "stall":
        time.sleep(1000)
    if how.startswith("remove:"):
        path = Path(how.removeprefix("remove:"))
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    elif how == "pause":
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        number = {"stop": signal.SIGSTOP, "kill": signal.SIGKILL}.get(how)
        os.kill(os.getpid(), number or getattr(signal, how))


def no_locks(*arguments):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def not_finite(*arguments):
    vmcnet.engine.population.local_energies = energies
    found = energies(*arguments)
    return LocalEnergies(found.total * float("nan"), found.terms)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    cli.main(sys.argv[4:])
