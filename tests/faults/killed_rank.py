"""vmcnet whose rank RANK meets something at its N-th population step: killed_rank.py HOW RANK N
arguments ...

HOW: kill, stop (SIGSTOP), pause (SIGSTOP, woken after a second), stall, raise, refuse (a
FileProblem), nan (its first block's energies, this once), nans (from then on), differ (its
parameters, in the last bit), the name of a signal, twice:SIGNAL, nolock (flock fails from the
start), remove:PATH, stop:PATH (a file that asks for a stop) or hold:PATH (makes the file and waits
until somebody removes it).
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

import numpy as np

import vmcnet.engine.population
from vmcnet import cli
from vmcnet.engine.population import Population
from vmcnet.estimators.energy import LocalEnergies
from vmcnet.storage.atomic import FileProblem

energies = vmcnet.engine.population.local_energies


def arm(how: str, rank: int, at: int) -> None:
    advance, calls = Population.advance, [0]

    def broken(self, theta, *arguments, **options):
        calls[0] += 1
        if how in ("nan", "nans"):
            bad = self.comm.rank == rank and (calls[0] == at or (how == "nans" and calls[0] > at))
            vmcnet.engine.population.local_energies = not_finite if bad else energies
        elif how == "differ" and self.comm.rank == rank and calls[0] >= at:
            theta = np.nextafter(theta, np.inf)
        elif self.comm.rank == rank and calls[0] == at:
            meet(how)
        return advance(self, theta, *arguments, **options)

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
        time.sleep(1e6)
    kind, _, path = how.partition(":")
    path = Path(path)
    if kind == "remove":
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    elif kind == "hold":
        path.touch()
        while path.exists():
            time.sleep(0.01)
    elif how.startswith("stop:"):
        path.touch()
        time.sleep(0.3)  # it is looked for every quarter of a second
    elif kind == "twice":
        for _ in range(2):
            os.kill(os.getpid(), getattr(signal, path.name))
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
    if "ERRORS" in os.environ:  # a file for standard error: a launcher that is slow drops lines
        os.dup2(os.open(os.environ["ERRORS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    arm(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    cli.main(sys.argv[4:])
