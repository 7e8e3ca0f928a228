"""A run watched from its file alone: `vmcnet watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from vmcnet.config import JobError
from vmcnet.runs.progress import drawable
from vmcnet.runs.reading import Run, open_run
from vmcnet.runs.state import standing
from vmcnet.statistics.format import with_error
from vmcnet.storage.atomic import FileProblem

BARS = "▁▂▃▄▅▆▇█"
ASCII = "_.-~=+*#"  # the same for terminals that know few letters
WIDTH = 40


def sparkline(x: np.ndarray, width: int = WIDTH, marks: str = BARS) -> str:
    """The last values of a series as a line of bars: means of equal stretches, low to high."""
    x = np.asarray(x, float)
    x = x[np.isfinite(x)]
    stretch = max(1, -(-len(x) // width))
    y = x[len(x) % stretch :].reshape(-1, stretch).mean(axis=1)
    spread = float(np.ptp(y)) if len(y) else 0.0
    if not spread:
        return marks[0] * len(y)
    return "".join(marks[int(v)] for v in (y - y.min()) / spread * (len(marks) - 1e-9))


def _writes(stream: Any, text: str) -> bool:
    """Whether a stream has letters for a text."""
    try:
        # what stands in for a stream may name no encoding
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def watched_lines(run: Run, marks: str = BARS) -> list[str]:
    """What is shown of a run, from what its file says now."""
    lines = [str(run.path), f"  {standing(run.file)}"]
    if run.file.rows:
        energy, error = run.training["energy"], run.training["error"]
        recent = energy[-max(1, len(energy) // 2) :]
        lines += [
            f"  energy {with_error(energy[-1], error[-1])}, variance "
            f"{run.training['variance'][-1]:.3g}, acceptance {run.training['acceptance'][-1]:.2f}",
            f"  {sparkline(recent, marks=marks)}  {recent.min():.6g} to {recent.max():.6g}",
        ]
    for number, result in zip(sorted(run.file.evaluations), run.evaluations, strict=True):
        lines.append(f"  evaluation {number}: {result}")
    return lines


def watch(path: Path, stream: Any, interval: float = 2.0, once: bool = False) -> None:
    """Show a run until it is done; a file that is being replaced, or a run that is resumed, is
    waited for. On a terminal the view is drawn anew, elsewhere new lines follow the old ones.
    """
    marks = BARS if _writes(stream, BARS) else ASCII
    shown = watched_lines(open_run(path), marks)
    if once:
        print("\n".join(shown), file=stream)
        return
    with _view(stream) as view:
        while True:
            view.show(shown)
            try:
                run = open_run(path)
                shown = watched_lines(run, marks)
                if run.state == "done":
                    view.show(shown)
                    return
            except (FileProblem, JobError) as error:
                shown = [str(path), f"  {error}"]
            time.sleep(interval)


class _view:
    def __init__(self, stream: Any):
        self._stream = stream
        self._live: Any = None
        self._last: list[str] | None = None

    def __enter__(self) -> _view:
        if drawable(self._stream):
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._stream), auto_refresh=False)
            self._live.start()
        return self

    def show(self, lines: list[str]) -> None:
        text = "\n".join(lines)
        if self._live:
            self._live.update(_plain(text), refresh=True)
        elif lines != self._last:
            print(text, file=self._stream, flush=True)
        self._last = lines

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
