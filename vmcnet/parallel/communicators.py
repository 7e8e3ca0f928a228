"""Ranks: who owns which blocks, how rows and vectors are joined. The only file that knows MPI.

Three collectives serve an iteration: `merged` (the rows of all blocks along a tree) and the two
integer all-reduces inside `exact_sum`. All of them give the same bits on any number of ranks.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from vmcnet.parallel.tree import Plan, plan_of

T = TypeVar("T")
Merge: TypeAlias = Callable[[np.ndarray, np.ndarray], None]


class LaunchError(RuntimeError):
    """The launcher and the MPI library do not agree, or ranks cannot be used."""


def owned_blocks(rank: int, size: int, blocks: int) -> range:
    """Contiguous share of `blocks` for `rank`; shares differ by at most one block."""
    if size > blocks:
        raise LaunchError(
            f"{size} ranks were started for {blocks} blocks of walkers; a rank needs at least one "
            "block: "
            "start fewer ranks, raise sampling.walkers or lower sampling.block"
        )
    return range(rank * blocks // size, (rank + 1) * blocks // size)


@lru_cache(maxsize=16)
def _shares(size: int, blocks: int) -> list[int]:
    """How many blocks every rank owns."""
    return [len(owned_blocks(rank, size, blocks)) for rank in range(size)]


@lru_cache(maxsize=16)
def _plan(rank: int, size: int, blocks: int) -> Plan:
    """How a rank takes part in the merging of the rows of so many blocks."""
    return plan_of(rank, size, blocks, partial(owned_blocks, size=size, blocks=blocks))


class SerialCommunicator:
    """One process: every collective returns its own argument."""

    rank, size, local_rank, waiting = 0, 1, 0, False
    mixed = ""  # in what the processors of the ranks differ

    def __init__(self) -> None:
        self.seconds = 0.0

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    def merged(self, rows: np.ndarray, blocks: int, merge: Merge) -> np.ndarray:
        """(own blocks, K) of every rank -> (K,) of all blocks, on every rank: merge(rows, pairs)
        joins rows along the tree of the blocks. Overwrites `rows`.
        """
        merge(rows, _plan(0, 1, blocks).pairs)
        return rows[0]

    def allgather(self, rows: np.ndarray, blocks: int) -> np.ndarray:
        """(own blocks, ...) of every rank -> (blocks, ...) in block order, on every rank."""
        return rows

    def gather(self, rows: np.ndarray, blocks: int) -> np.ndarray | None:
        """As allgather, but only rank 0 receives; the others get None."""
        return rows

    def reduce_max(self, integers: np.ndarray) -> np.ndarray:
        return integers

    def reduce_sum(self, integers: np.ndarray) -> np.ndarray:
        return integers

    def reduce_sum_to(self, integers: np.ndarray, root: int) -> np.ndarray | None:
        """As reduce_sum, but only rank `root` receives; the others get None."""
        return integers

    def gather_dealt(self, rows: np.ndarray, owners: tuple[int, ...]) -> np.ndarray | None:
        """A row (K,) an own item, in their order -> those of all items, on rank 0; None elsewhere.
        Item i belongs to rank owners[i].
        """
        return rows

    def allgather_dealt(self, rows: np.ndarray, owners: tuple[int, ...]) -> np.ndarray:
        """As gather_dealt, on every rank."""
        return rows

    def start_broadcast(self, values: np.ndarray, root: int) -> Any:
        """Rank root's values in the array of every rank once wait() of what is returned ends, up
        to which the array is left alone.
        """
        return self

    def wait(self) -> None:
        """The end of start_broadcast."""

    def progress(self) -> None:
        """Lets go on what was started; some libraries send only while they are called."""

    def broadcast(self, value: T) -> T:
        """Rank 0's Python object on every rank."""
        return value

    def exchange(self, value: T) -> list[T]:
        """The Python objects of all ranks, on every rank."""
        return [value]

    def abort(self, code: int) -> None:
        """End all ranks at once; a single process just returns, its caller exits."""


class MPICommunicator:
    """The same over MPI; `seconds` adds up the wall time spent inside collectives, `waiting` is
    true inside one. comm: an mpi4py communicator, default all processes of the launch.
    """

    def __init__(self, comm: Any = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `connect` says it in one line of its own, and refuses
            from mpi4py import MPI

        self._mpi = MPI
        self._comm = MPI.COMM_WORLD if comm is None else comm
        self.rank, self.size = self._comm.rank, self._comm.size
        self.local_rank = self._comm.Split_type(MPI.COMM_TYPE_SHARED).rank
        self.implementation = MPI.Get_library_version().split("\n")[0].strip()
        self.seconds, self.waiting, self.mixed = 0.0, False, ""

    def __repr__(self) -> str:
        return f"<rank {self.rank} of {self.size}>"

    def merged(self, rows: np.ndarray, blocks: int, merge: Merge) -> np.ndarray:
        plan = _plan(self.rank, self.size, blocks)
        merge(rows, plan.pairs)
        rows = rows[plan.left]
        with self._collective():
            if plan.teller is not None:
                self._comm.Send(rows, plan.teller)
                rows = np.empty((1, rows.shape[1]))
                self._comm.Recv(rows, plan.teller)
            for meeting in plan.rounds:
                both = np.empty((meeting.rows, rows.shape[1]))
                both[meeting.mine] = rows
                if meeting.partner == plan.helper:
                    self._comm.Recv(both[meeting.theirs], meeting.partner)
                else:
                    self._comm.Sendrecv(
                        rows, meeting.partner, 0, both[meeting.theirs], meeting.partner
                    )
                merge(both, meeting.pairs)
                rows = both[meeting.left]
            if plan.helper is not None:
                self._comm.Send(rows, plan.helper)
        return rows[0]

    @contextmanager
    def _collective(self) -> Iterator[None]:
        start, self.waiting = time.perf_counter(), True
        yield
        self.waiting = False
        self.seconds += time.perf_counter() - start

    def _layout(self, rows: np.ndarray, blocks: int) -> tuple[np.ndarray, list[int]]:
        rows = np.ascontiguousarray(rows)
        counts = _shares(self.size, blocks)
        if rows.shape[0] != counts[self.rank]:
            raise ValueError(
                f"rank {self.rank} gave {rows.shape[0]} rows; it owns {counts[self.rank]} of "
                f"{blocks} blocks"
            )
        width = int(np.prod(rows.shape[1:])) * rows.itemsize
        return rows, [c * width for c in counts]

    def allgather(self, rows: np.ndarray, blocks: int) -> np.ndarray:
        rows, sizes = self._layout(rows, blocks)
        out = np.empty((blocks,) + rows.shape[1:], rows.dtype)
        with self._collective():
            self._comm.Allgatherv(
                [rows, sizes[self.rank], self._mpi.BYTE], [out, sizes, None, self._mpi.BYTE]
            )
        return out

    def gather(self, rows: np.ndarray, blocks: int) -> np.ndarray | None:
        rows, sizes = self._layout(rows, blocks)
        out = np.empty((blocks,) + rows.shape[1:], rows.dtype) if self.rank == 0 else None
        receive = [out, sizes, None, self._mpi.BYTE] if self.rank == 0 else None
        with self._collective():
            self._comm.Gatherv([rows, sizes[self.rank], self._mpi.BYTE], receive)
        return out

    def _reduce(self, integers: np.ndarray, operation: Any) -> np.ndarray:
        out = np.empty_like(integers)
        with self._collective():
            self._comm.Allreduce(np.ascontiguousarray(integers), out, operation)
        return out

    def reduce_max(self, integers: np.ndarray) -> np.ndarray:
        return self._reduce(integers, self._mpi.MAX)

    def reduce_sum(self, integers: np.ndarray) -> np.ndarray:
        return self._reduce(integers, self._mpi.SUM)

    def reduce_sum_to(self, integers: np.ndarray, root: int) -> np.ndarray | None:
        out = np.empty_like(integers) if self.rank == root else None
        with self._collective():
            self._comm.Reduce(np.ascontiguousarray(integers), out, self._mpi.SUM, root)
        return out

    def gather_dealt(self, rows: np.ndarray, owners: tuple[int, ...]) -> np.ndarray | None:
        receive, out, places = self._items(rows, owners, self.rank == 0)
        with self._collective():
            self._comm.Gatherv([np.ascontiguousarray(rows), self._mpi.DOUBLE], receive)
        return None if out is None else out[places]

    def allgather_dealt(self, rows: np.ndarray, owners: tuple[int, ...]) -> np.ndarray:
        receive, out, places = self._items(rows, owners, True)
        with self._collective():
            self._comm.Allgatherv([np.ascontiguousarray(rows), self._mpi.DOUBLE], receive)
        return out[places]

    def _items(self, rows: np.ndarray, owners: tuple[int, ...], receives: bool) -> Any:
        """The buffer that receives rows by rank, the array in it, and where in that every item
        is.
        """
        if not receives:
            return None, None, None
        out = np.empty((len(owners), *rows.shape[1:]))
        width = int(np.prod(rows.shape[1:]))
        counts = [width * owners.count(rank) for rank in range(self.size)]
        places = np.empty(len(owners), int)
        places[np.argsort(owners, kind="stable")] = np.arange(len(owners))
        return [out, counts, None, self._mpi.DOUBLE], out, places

    def progress(self) -> None:
        self._comm.Iprobe()

    def start_broadcast(self, values: np.ndarray, root: int) -> Any:
        return _Sent(self, self._comm.Ibcast(values, root))

    def broadcast(self, value: T) -> T:
        with self._collective():
            return self._comm.bcast(value)

    def exchange(self, value: T) -> list[T]:
        with self._collective():
            return self._comm.allgather(value)

    def abort(self, code: int) -> None:
        self._comm.Abort(code)


class _Sent:
    """A broadcast under way, whose wait counts as one inside a collective."""

    def __init__(self, comm: MPICommunicator, request: Any) -> None:
        self._comm, self._request = comm, request

    def wait(self) -> None:
        with self._comm._collective():
            self._request.Wait()


Communicator: TypeAlias = SerialCommunicator | MPICommunicator

LAUNCHER_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")


def launched_processes(environ: Mapping[str, str] = os.environ) -> tuple[int, str]:
    """How many processes the launcher says it started, and the variable that says so."""
    found = [(int(environ[v]), v) for v in LAUNCHER_SIZES if environ.get(v, "").isdigit()]
    return max(found) if found else (1, "")


def connect(environ: Mapping[str, str] = os.environ) -> Communicator:
    """The communicator of this process: MPI under a launcher, serial otherwise.

    Raises LaunchError when several processes were started but each sees a world of size 1: every
    one of them
    would run the whole job and write the same file.
    """
    count, variable = launched_processes(environ)
    if count == 1 and not variable:
        return SerialCommunicator()
    try:
        comm = MPICommunicator()
    except (ImportError, RuntimeError) as error:
        if count == 1:
            return SerialCommunicator()
        raise LaunchError(
            f"{variable}={count} says that {count} processes were started, but mpi4py or its MPI "
            f"library cannot be loaded ({error}): install the extra 'mpi' or load the cluster's "
            "MPI module"
        ) from error
    if comm.size == 1 and count > 1:
        raise LaunchError(
            f"{variable}={count} says that {count} processes were started, but the MPI world has "
            "size 1: launcher and "
            "MPI library do not match; use the mpiexec that belongs to this Python environment, or "
            "with SLURM "
            "srun --mpi=pmi2 (mpich) or --mpi=pmix (Open MPI), or set MPI4PY_LIBMPI to the "
            "cluster's libmpi"
        )
    return comm


def communicator(comm: Communicator | None) -> Communicator:
    """The communicator that was given, or that of this process; ValueError for what is none."""
    if comm is None:
        return connect()
    # anything may be passed here by mistake, an mpi4py communicator too
    if not all(hasattr(comm, name) for name in ("local_rank", "exchange", "seconds")):
        raise ValueError(
            f"comm must be a communicator of vmcnet.connect(), got {type(comm).__name__}: leave it "
            "out, the ranks of a launcher find each other"
        )
    return comm
