"""vmcnet whose rank RANK is killed (or stopped, or stalls, or raises) at its N-th population step: killed_rank.py HOW RANK N arguments ..."""

import os
import signal
import sys
import time

from vmcnet import cli
from vmcnet.population import Population

how, rank, at = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
advance, calls = Population.advance, [0]


def broken(self, *arguments, **options):
    calls[0] += 1
    if self.comm.rank == rank and calls[0] == at:
        if how == "raise":
            raise ZeroDivisionError("made by the test")
        if how == "stall":
            time.sleep(1000)
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)
    return advance(self, *arguments, **options)


Population.advance = broken
cli.main(sys.argv[4:])
