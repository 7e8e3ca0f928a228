"""vmcnet whose rank RANK meets something at its N-th population step: killed_rank.py HOW RANK N
arguments ...

HOW: kill, stop (SIGSTOP), stall, raise, refuse (a FileProblem), nan (its first block's energies,
this once), nans (from then on).
"""

import os
import signal
import sys
import time

import vmcnet.engine.population
from vmcnet import cli
from vmcnet.engine.population import Population
from vmcnet.estimators.energy import LocalEnergies
from vmcnet.storage.atomic import FileProblem

how, rank, at = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
advance, calls = Population.advance, [0]
energies = vmcnet.engine.population.local_energies


def broken(self, *arguments, **options):
    calls[0] += 1
    if how in ("nan", "nans"):
        bad = self.comm.rank == rank and (calls[0] == at or (how == "nans" and calls[0] > at))
        vmcnet.engine.population.local_energies = not_finite if bad else energies
    elif self.comm.rank == rank and calls[0] == at:
        if how == "raise":
            raise ZeroDivisionError("made by the test")
        if how == "refuse":
            raise FileProblem("made by the test")
        if how == "stall":
            time.sleep(1000)
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
    return advance(self, *arguments, **options)


def not_finite(*arguments):
    vmcnet.engine.population.local_energies = energies
    found = energies(*arguments)
    return LocalEnergies(found.total * float("nan"), found.terms)


Population.advance = broken
cli.main(sys.argv[4:])
