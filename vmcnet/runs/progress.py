"""What a user sees while a run goes on, on standard error: bars on a terminal, plain lines when
piped. Results alone go to standard output.
"""

from __future__ import annotations

import math
import sys
import time

from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.format import with_error


def say(text: str) -> None:
    """A note about a run that goes on."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Called on rank 0 after every iteration: phase, iterations done and in all, energy and error,
    acceptance, time left.

    A terminal shows one bar a phase; elsewhere a line is printed at most every `interval` seconds,
    and at the first and last iteration.
    """

    def __init__(self, stream=None, interval: float | None = None):
        self._stream = stream or sys.stderr
        self._bars, self._task = (
            (_bars(self._stream), None) if self._stream.isatty() else (None, None)
        )
        self._interval = interval if interval is not None else (0.2 if self._bars else 5.0)
        self._phase, self._start, self._begun, self._last, self._energies = None, 0.0, 0, -1e9, []

    def __call__(self, phase: str, done: int, total: int, row: dict) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._start, self._begun, self._last, self._energies = (
                phase,
                now,
                done - 1,
                -1e9,
                [],
            )
            if self._bars:
                self._bars.start()
                self._task = self._bars.add_task(phase, total=total, state="")
        if phase == "evaluation":
            self._energies.append(row["energy"])
        if now - self._last < self._interval and done < total:
            return
        self._last = now
        state = f"acceptance {row['acceptance']:.2f}"
        if "energy" in row:
            state = f"energy {with_error(*self._estimate(row))}  {state}"
        if self._bars:
            self._bars.update(self._task, completed=done, state=state)
            return
        rate = (done - self._begun) / max(now - self._start, 1e-9)
        left = (
            f"  left {_duration((total - done) / rate)}" if self._begun + 1 < done < total else ""
        )
        self._stream.write(f"{phase} {done}/{total}  {state}{left}\n")
        self._stream.flush()

    def _estimate(self, row):
        """Energy and error: of this iteration in training, of all measurements so far in an
        evaluation (blocking; NaN before its plateau).
        """
        if not self._energies:
            return row["energy"], row["error"]
        if len(self._energies) < 2:
            return row["energy"], math.nan
        blocking = blocking_error(self._energies)
        return blocking.mean, blocking.error

    def close(self) -> None:
        """Leave the terminal as it was; what is printed next stands below the bars."""
        if self._bars:
            self._bars.stop()
        self._phase = None


class Silent:
    """Shows nothing."""

    def __call__(self, phase: str, done: int, total: int, row: dict) -> None:
        pass

    def close(self) -> None:
        pass


def _bars(stream):
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(compact=True),
    )
    return Bars(*columns, console=Console(file=stream), refresh_per_second=5)


def _duration(seconds: float) -> str:
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    return (
        f"{seconds // 60}:{seconds % 60:02d} min"
        if seconds < 3600
        else f"{seconds // 3600}:{seconds // 60 % 60:02d} h"
    )
