"""A start on an empty cache of compiled kernels: two processes compile, each what the other has not
begun. The one that makes the run compiles in the order of an iteration, moves first; the other
rehearses the iteration's end first, on walkers of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.config import Job
from vmcnet.config.user import user_tables
from vmcnet.engine.population import TRAINING, Population
from vmcnet.kernels.one_compiles import at_first_miss
from vmcnet.optimizers.base import started
from vmcnet.optimizers.natural_gradient import directed
from vmcnet.parallel.communicators import Communicator, SerialCommunicator
from vmcnet.parallel.exact_sum import merged_rows
from vmcnet.runs.building import device_of, made_of, sampler_of
from vmcnet.walkers import Walkers

PR_SET_PDEATHSIG = 1  # of Linux's prctl


@contextmanager
def rehearsed(comm: Communicator, job: Job) -> Iterator[None]:
    """Where a kernel turns out to be missing within it, two processes compile: the first two ranks
    of a machine, or a single process that has two processors and its fork, which ends by itself and
    with its parent. The run does not depend on it.
    """
    work = partial(_quietly, job, comm.size, comm.size > 1 and comm.local_rank == 0)
    # what is a user's own is called by the run alone
    if job.data or user_tables(job) or job.run.device != "cpu" or comm.local_rank > 1:
        yield
    elif comm.size > 1:
        with at_first_miss(work):
            yield
    elif isinstance(comm, SerialCommunicator) and _may_fork():
        with at_first_miss(partial(fork, work)):
            yield
    else:
        yield


def _may_fork() -> bool:
    return (
        sys.platform == "linux"
        and len(os.sched_getaffinity(0)) > 1
        and threading.active_count() == 1
    )


def fork(work: Callable[[], None]) -> None:
    """The process that does `work`, with no file, stream or signal of this one's."""
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of BLAS: they end before the fork
        child = os.fork()
    if child:
        threading.Thread(target=os.waitpid, args=(child, 0), daemon=True).start()
        return
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            work()
    finally:
        os._exit(0)


def _quietly(*arguments: Any) -> None:
    """What is wrong with a job is said by the run itself."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            rehearse(*arguments)
    except Exception:
        return


class Drawn(Stream):
    """Random numbers that NumPy makes: these kernels another process compiles."""

    def __init__(self) -> None:
        super().__init__(0, 0, 0, 0)
        self._numpy = np.random.default_rng(0)

    def words(self, n: int) -> np.ndarray:
        return self._numpy.integers(0, 2**64, n, np.uint64)

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._numpy.random(shape)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._numpy.standard_normal(shape)


def rehearse(job: Job, ranks: int = 1, moves: bool = False) -> None:
    """A training iteration at walkers of its own, as many blocks as a rank has but at most two: its
    beginning, moves and local energies; or the rest of it and then local energies.
    """
    system, wavefunction, _, natural = made_of(job)
    sampler = sampler_of(job.sampling, system, wavefunction)
    device = device_of(job, system, wavefunction, sampler)
    block, random = job.sampling.block, Stream(0, 0, 0, 0) if moves else Drawn()
    blocks = max(1, min(2, job.sampling.walkers // (block * ranks)))
    people = Population(
        system, wavefunction, sampler, SerialCommunicator(), 0, blocks * block, block, device
    )
    for b in people.own:
        fresh = system.start(random, block)
        people.members[b] = Walkers(*device.place(fresh.r, fresh.s))
    theta = wavefunction.start(random)
    if moves:
        people.advance(theta, TRAINING, 0, 1, job.sampling.step_size * system.length)
        return

    def learned(weights: dict) -> None:
        if natural is None:
            people.gradient(theta, weights)
        else:
            tangents = people.tangents(theta, weights)
            directed(natural, tangents, started(natural, len(theta)), 0)

    guess = random.normal((block,)).astype(device.dtype)  # of most: E_L is real
    learned(dict.fromkeys(people.own, guess))
    merged_rows(people.comm, np.zeros((blocks, people.row.length)), blocks, people.row.kinds)
    summary, energies = people.advance(theta, TRAINING, 0, 0, 1.0)
    weights = people.weights(summary, energies, job.training.clip)
    if weights[0].dtype != guess.dtype:
        learned(weights)
