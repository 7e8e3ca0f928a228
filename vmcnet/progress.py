"""What a user sees while a run goes on: one live line on a terminal, plain lines when piped."""

from __future__ import annotations

import math
import sys
import time

from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.format import with_error


class Progress:
    """Called on rank 0 after every iteration; prints at most every `interval` seconds."""

    def __init__(self, stream=None, interval: float | None = None):
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._interval = interval if interval is not None else (0.2 if self._live else 5.0)
        self._phase, self._start, self._begun, self._last, self._energies = None, 0.0, 0, -1e9, []

    def __call__(self, phase: str, done: int, total: int, row: dict) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._close()
            self._phase, self._start, self._begun, self._last, self._energies = phase, now, done - 1, -1e9, []
        if phase == "evaluation":
            self._energies.append(row["energy"])
        if now - self._last < self._interval and done < total:
            return
        self._last = now
        rate = (done - self._begun) / max(now - self._start, 1e-9)
        text = f"{phase} {done}/{total}"
        if "energy" in row:
            text += f"  energy {with_error(*self._estimate(row))}"
        text += f"  acceptance {row['acceptance']:.2f}"
        if done > self._begun + 1 and done < total:
            text += f"  left {_duration((total - done) / rate)}"
        self._show(text, done == total)

    def _estimate(self, row):
        """Energy and error: of this iteration in training, of all measurements so far in an evaluation (blocking; NaN before its plateau)."""
        if not self._energies:
            return row["energy"], row["error"]
        if len(self._energies) < 2:
            return row["energy"], math.nan
        blocking = blocking_error(self._energies)
        return blocking.mean, blocking.error

    def _show(self, text: str, last: bool) -> None:
        if self._live:
            self._stream.write("\r\x1b[K" + text + ("\n" if last else ""))
            if last:
                self._phase = None
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _close(self) -> None:
        if self._live and self._phase is not None:
            self._stream.write("\n")

    def close(self) -> None:
        self._close()
        self._phase = None


def _duration(seconds: float) -> str:
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60}:{seconds % 60:02d} min" if seconds < 3600 else f"{seconds // 3600}:{seconds // 60 % 60:02d} h"
