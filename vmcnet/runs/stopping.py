"""Why a run should stop: signals, wall time, a STOP file. Polled once an iteration; the flag rides
on the rows of blocks. And a watchdog.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from vmcnet.engine.stop_flags import CHECKPOINT, FILE, SIGNAL, WALL_TIME
from vmcnet.runs.progress import say

REASONS = {FILE: "the STOP file", WALL_TIME: "the wall-time limit", SIGNAL: "a signal"}
SUSPENDED = 2.0  # seconds between two looks of the watchdog, beyond what it meant to wait
SMALL = 4096  # bytes: a request to stop is empty, or a word
REQUEUE = 85  # exit status: checkpointed before the end, run me again


ENDS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,  # a terminal that closes
    signal.SIGUSR1,  # SLURM
    signal.SIGUSR2,  # SGE
    signal.SIGXCPU,  # limits of CPU time: the shell's, SGE's, HTCondor's
)


class StopRequest:
    """poll() -> 0 or a flag. Handlers only set a flag; every rank may see a signal, rank 0 alone
    looks at clock and files.
    """

    def __init__(
        self, rank: int, stop_file: Path | None, wall_time: float | None, checkpoint_seconds: float
    ):
        self._rank, self.file, self._wall = rank, stop_file, wall_time
        self._start = self._saved = self._looked = time.monotonic()
        self._every, self._signal = checkpoint_seconds, 0
        self._before: dict = {}

    def listen(self) -> None:
        """Signals of schedulers and closed terminals and the first Ctrl-C ask for a stop at the
        next iteration; a second Ctrl-C interrupts.
        """
        if threading.current_thread() is not threading.main_thread():  # others get no signals
            return
        for number in ENDS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._handle)

    def deaf(self) -> None:
        """Signals mean again what they did before `listen`."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _handle(self, number, frame):
        if number == signal.SIGINT and self._signal:
            raise KeyboardInterrupt
        self._signal = SIGNAL

    def forget_old(self) -> None:
        """A STOP file from before the start asks for nothing: one note, and it goes."""
        if self.file is not None and self.file.is_file():
            say(f"note: {self.file} was there before the start: removed, going on")
            self.honoured()

    def honoured(self) -> None:
        """The STOP file shall not stop the next start; one with contents of its own is left."""
        try:
            if self.file.stat().st_size < SMALL:
                self.file.unlink()
        except OSError:
            pass

    def saved(self) -> None:
        self._saved = time.monotonic()

    def poll(self) -> int:
        if self._signal:
            return self._signal
        if self._rank:
            return 0
        now = time.monotonic()
        if self._wall is not None and now - self._start > self._wall:
            return WALL_TIME
        if self.file is not None and now - self._looked > 0.25:
            self._looked = now
            if self.file.is_file():
                return FILE
        return CHECKPOINT if now - self._saved > self._every else 0


class Watchdog:
    """A thread that ends its own process when no iteration finished for `limit` seconds; 0: never.

    Handlers do not run inside a blocking MPI call, a thread does. A rank that is stuck in its own
    work speaks first; those that wait for it
    in a collective give it GRACE seconds more, rank 0 less than the others, so that one line is
    printed.
    """

    GRACE = 4.0

    def __init__(self, comm, limit: float, what_next: str):
        self._comm, self._limit, self._next = comm, limit, what_next
        self._beat = time.monotonic()
        self._ended = threading.Event()

    def start(self) -> None:
        if self._limit:
            self.beat()
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self) -> None:
        self._beat = time.monotonic()

    def stop(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        tick = min(1.0, self._limit / 10)
        last = time.monotonic()
        while not self._ended.wait(tick):
            now = time.monotonic()
            if now - last > tick + SUSPENDED:  # this process was asleep as a whole
                self._beat += now - last - tick
            last = now
            waiting = self._comm.waiting
            grace = self.GRACE * (1 + (self._comm.rank > 0)) if waiting else 0.0
            if time.monotonic() - self._beat > self._limit + grace:
                where = "waits for another rank" if waiting else "is stuck in its own work"
                line = (
                    "vmcnet: no iteration finished within run.watchdog_minutes = "
                    f"{self._limit / 60:g}; rank {self._comm.rank} {where} "
                    f"and ends; {self._next}\n"
                )
                os.write(2, line.encode())
                os._exit(1)
