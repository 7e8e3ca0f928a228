"""Figures of runs, in one style: safe for the colour-blind, units on the axes, bands of errors."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vmcnet.config import JobError
from vmcnet.runs.curves import COLOURS, FIGURES, axis_of, binned, positions, reference_of
from vmcnet.runs.observed_curves import observable
from vmcnet.runs.reading import Run

INK = "#7f7e7d"  # of texts and axes; a page replaces it by its own colour
STYLE = {
    "figure.figsize": (5.2, 3.4),
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
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "grid.color"), INK),
}


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise JobError("figures need matplotlib: pip install 'vmcnet[plot]'") from None
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
            if axis.get_xlabel() == "iteration" and axis.get_xscale() == "linear":
                axis.xaxis.get_major_locator().set_params(integer=True)
            out = io.BytesIO()
            options = {"metadata": {"Date": None}} if kind == "svg" else {"transparent": False}
            figure.savefig(out, format=kind, **options)
        finally:
            plt.close(figure)
    return out.getvalue()


def compared(runs: list[Run], labels: list[str], kind: str = "svg") -> bytes:
    """Training and final energies of several runs in one figure; where all have references, the
    final ones as differences from them.
    """
    plt = _pyplot()
    references = [reference_of(run) for run in runs]
    apart = None not in references
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
        for k, (run, label) in enumerate(zip(runs, labels, strict=True)):
            colour, share = COLOURS[k % len(COLOURS)], run.told_system.share
            if run.file.rows:
                y = binned(run.training["energy"] / share)
                left.plot(positions(run.file.rows), y, color=colour, label=label)
            if run.evaluations:
                last = run.evaluations[-1]
                known = references[k] if apart else 0.0
                level = last.energy / share - known
                right.errorbar(k, level, last.error / share, fmt="o", color=colour, capsize=3)
        tail = [run.training["energy"][run.file.rows // 4 :] for run in runs if run.file.rows]
        tail = [x / r.told_system.share for x, r in zip(tail, runs, strict=False)]
        if tail:
            low = min(np.nanmin(binned(x)) for x in tail)
            high = max(np.nanmax(binned(x)) for x in tail)
            margin = 0.1 * (high - low) or 1e-6
            left.set_ylim(low - margin, high + margin)
        for axis, level in ((left, references[0]), (right, 0.0 if apart else references[0])):
            if level is not None and (len(set(references)) == 1 or (apart and axis is right)):
                axis.axhline(level, color=INK, linestyle="--", linewidth=1.0)
        left.set(xlabel="iteration", ylabel=axis_of(runs[0])[1])
        left.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)  # above the curves
        right.set_xticks(range(len(runs)), labels, rotation=30, ha="right")
        right.set(
            ylabel="evaluation - reference" if apart else "evaluation", xlim=(-0.5, len(runs) - 0.5)
        )
        out = io.BytesIO()
        figure.savefig(out, format=kind, **({"metadata": {"Date": None}} if kind == "svg" else {}))
        plt.close(figure)
    return out.getvalue()


def inline(svg: bytes, title: str) -> str:
    """An SVG for a page: its ink is the page's, its size follows the page's width."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = text.replace(INK, "currentColor")
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
