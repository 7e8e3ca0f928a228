"""What a user sees while a run goes on, on standard error: bars on a terminal, plain lines when
piped. Results alone go to standard output.
"""

from __future__ import annotations

import math
import os
import sys
import time

from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.format import with_error


def say(text: str) -> None:
    """A note about a run that goes on."""
    print(text, file=sys.stderr, flush=True)


NARROW = 76  # columns of a terminal below which there is no bar and no acceptance


def drawable(stream) -> bool:
    """Whether lines of a stream can be drawn anew: a terminal that knows how to."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


class Progress:
    """Called on rank 0 after every iteration: phase, iterations done and in all, energy and error,
    acceptance, time left.

    A terminal shows one bar a phase; elsewhere a line is printed at most every `interval` seconds,
    and at the first and last iteration.
    """

    def __init__(self, stream=None, interval: float | None = None):
        self._stream = stream or sys.stderr
        self._bars, self._task = (_bars(self._stream) if drawable(self._stream) else None), None
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
                self._task = self._bars.add_task(phase, total=total, state="", short="")
        if phase == "evaluation":
            self._energies.append(row["energy"])
        if now - self._last < self._interval and done < total:
            return
        self._last = now
        energy = with_error(*self._estimate(row)) if "energy" in row else ""
        words = [f"energy {energy}"] if energy else []
        state = "  ".join([*words, f"acceptance {row['acceptance']:.2f}"])
        left = (total - done) * (now - self._start) / max(done - self._begun, 1)
        left = _duration(left) if self._begun + 1 < done < total else ""
        if self._bars:
            short = f"{phase} {done}/{total} {energy} {left}".rstrip()
            self._bars.update(self._task, completed=done, state=state, short=short)
            return
        self._stream.write(f"{phase} {done}/{total}  {state}{f'  left {left}' if left else ''}\n")
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
    from rich.table import Column

    console = Console(file=stream)
    whole = {"table_column": Column(no_wrap=True)}
    columns = [
        TextColumn("{task.description:<13}", **whole),
        BarColumn(bar_width=min(24, max(4, console.width - 72))),
        MofNCompleteColumn(**whole),
        TextColumn("{task.fields[state]}", **whole),
        TimeRemainingColumn(compact=True, **whole),
    ]
    if console.width < NARROW:
        columns = [TextColumn("{task.fields[short]}", **whole)]
    return Bars(*columns, console=console, refresh_per_second=5)


def _duration(seconds: float) -> str:
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    return (
        f"{seconds // 60}:{seconds % 60:02d} min"
        if seconds < 3600
        else f"{seconds // 3600}:{seconds // 60 % 60:02d} h"
    )
