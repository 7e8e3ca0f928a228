"""Figures of runs, in one style: safe for the colour-blind, units on the axes, bands of errors."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vmcnet.config import JobError
from vmcnet.runs.curves import (
    COLOURS,
    FIGURES,
    above,
    axis_of,
    binned,
    positions,
    reference_of,
    units_of,
)
from vmcnet.runs.observed_curves import observable
from vmcnet.runs.reading import Run
from vmcnet.statistics.format import raised

INK = "#6b6a69"  # of texts and axes; a page replaces it by its own colour
STYLE = {
    "figure.figsize": (4.6, 3.1),
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.transparent": True,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "vmcnet",
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-3, 5),  # beyond: a power of ten at the end of the axis
    "axes.formatter.use_mathtext": True,
    "xtick.minor.visible": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK),
}


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise JobError("figures need matplotlib: pip install matplotlib") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def figures(run: Run) -> dict[str, Callable]:
    """All figures that may be drawn of a run: name -> draw(axis, run)."""
    found = dict(FIGURES)
    if run.evaluations:
        found |= {name: observable(name) for name in run.evaluations[-1].observables}
    return found


def drawn(run: Run, name: str, draw: Callable, kind: str = "svg") -> bytes | None:
    """One figure as SVG or PNG; None where the run has nothing for it."""
    plt = _pyplot()
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(layout="constrained")
        try:
            if not draw(axis, run):
                return None
            _spaced(axis)
            return _saved(figure, kind)
        finally:
            plt.close(figure)


def _spaced(axis: Any) -> None:
    """Few enough numbers on straight axes that none touches the next; whole iterations."""
    from matplotlib.ticker import MaxNLocator

    for direction in (axis.xaxis, axis.yaxis):
        locator = direction.get_major_locator()
        if direction.get_scale() == "linear" and isinstance(locator, MaxNLocator):
            whole = direction is axis.xaxis and axis.get_xlabel().startswith(("iteration", "lag"))
            locator.set_params(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=whole)
    if axis.get_xlabel() == "iteration" and axis.get_xscale() == "linear":
        axis.set_xlim(left=0)


def _power_with_units(direction: Any) -> None:
    """The power of ten of an axis stands with its units, (10⁻³ hartree), not at its end."""
    power = re.search(r"10\^\{([-−]?\d+)\}", direction.get_offset_text().get_text())
    if power is None:
        return
    label, small = direction.get_label_text(), raised(f"10^{power[1].replace('−', '-')}")
    start, bracket, units = label.rpartition("(")
    direction.set_label_text(
        f"{start}({small} {units}" if bracket else f"{label} ({small})".lstrip()
    )
    direction.get_offset_text().set_visible(False)


def compared(runs: list[Run], labels: list[str], kind: str = "svg") -> list[bytes]:
    """Two figures of several runs: training, and final energies; where all have references, the
    latter as differences from them.
    """
    plt = _pyplot()
    references = [reference_of(run) for run in runs]
    apart = None not in references
    out = []
    with plt.rc_context(STYLE):
        pairs = [plt.subplots(layout="constrained") for _ in range(2)]
        left, right = (axis for _, axis in pairs)
        several = apart and len(set(references)) > 1  # at energies of their own
        for k, (run, label) in enumerate(zip(runs, labels, strict=True)):
            colour, share = COLOURS[k % len(COLOURS)], run.told_system.share
            if run.file.rows:
                y = binned(run.training["energy"] / share)
                y = np.abs(y - references[k]) if several else y
                left.plot(positions(run.file.rows), y, color=colour, label=label)
            if run.evaluations:
                last = run.evaluations[-1]
                known = references[k] if apart else 0.0
                level = last.energy / share - known
                right.errorbar(k, level, last.error / share, fmt="o", color=colour, capsize=3)
        label, units = axis_of(runs[0])[1], units_of(runs[0])
        if several:
            left.set(yscale="log")
        else:
            _from_the_second_quarter(left, runs)
        for axis, level in ((left, references[0]), (right, 0.0 if apart else references[0])):
            if level is not None and (len(set(references)) == 1 or (apart and axis is right)):
                axis.axhline(level, color=INK, linestyle="--", linewidth=1.0)
        left.set(xlabel="iteration", ylabel=f"|energy - reference|{units}" if several else label)
        above(left, 2)
        right.set_xticks(range(len(runs)), labels, rotation=30, ha="right")
        shown = f"energy - reference{units}" if apart else label
        right.set(ylabel=shown, xlim=(-0.5, len(runs) - 0.5))
        for figure, axis in pairs:
            _spaced(axis)
            out.append(_saved(figure, kind))
            plt.close(figure)
    return out


def _from_the_second_quarter(axis: Any, runs: list[Run]) -> None:
    """Energies from the second quarter of the trainings on fill the axis."""
    tails = [
        binned(run.training["energy"][run.file.rows // 4 :] / run.told_system.share)
        for run in runs
        if run.file.rows
    ]
    if tails:
        low, high = min(np.nanmin(x) for x in tails), max(np.nanmax(x) for x in tails)
        margin = 0.1 * (high - low) or 1e-6
        axis.set_ylim(low - margin, high + margin)


def _saved(figure: Any, kind: str) -> bytes:
    out = io.BytesIO()
    figure.draw_without_rendering()  # powers of ten are known from here on
    for axis in figure.axes:
        for direction in (axis.xaxis, axis.yaxis):
            _power_with_units(direction)
    options = {"metadata": {"Date": None}} if kind == "svg" else {"transparent": False}
    figure.savefig(out, format=kind, **options)
    return out.getvalue()


def inline(svg: bytes, title: str) -> str:
    """An SVG for a page: its ink is the page's, its size follows the page's width."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = text.replace(INK, "currentColor")
    for k, colour in enumerate(COLOURS):  # lighter on a dark page: page.css
        text = re.sub(colour, f"var(--c{k})", text, flags=re.I)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    slug = re.sub(r"\W+", "-", title)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{slug}-", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def written(run: Run, folder: Path) -> list[Path]:
    """Every figure of a run as PNG and SVG in a folder; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, draw in figures(run).items():
        for kind in ("png", "svg"):
            data = drawn(run, name, draw, kind)
            if data is not None:
                path = folder / f"{run.path.stem}.{name}.{kind}"
                path.write_bytes(data)
                made.append(path)
    return made
