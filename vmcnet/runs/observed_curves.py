"""The figure of an observable: curves over its grid, maps over two axes, bars of few numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet.observables.base import units_in
from vmcnet.runs.curves import COLOURS, above
from vmcnet.runs.reading import Run
from vmcnet.statistics.format import raised

FEW = 8  # components up to which they are named on the axis
PLACE = re.compile(
    r"^(?P<kind>[^(\[]*)[(\[](?P<place>[^)\]]*)[)\]]$"
)  # n up(0.05), (1, 2), n[3, 4]
AXES = {
    "r": "r (length)",
    "k": "k (1/length)",
    "x0": "x (length)",
    "x1": "y (length)",
    "x2": "z (length)",
}
LEAST = 4  # components that make a picture; fewer stand in the table


def observable(name: str) -> Callable:
    """draw(axis, run) of one observable of the last evaluation."""

    def draw(axis: Any, run: Run) -> bool:
        found = run.evaluations[-1].observables[name]
        mean, error = np.asarray(found.mean), np.nan_to_num(np.asarray(found.error))
        if len(mean) < LEAST or not (error.any() or np.ptp(mean)):
            return False  # some numbers, or what cannot change, are no picture
        system = run.told_system
        units = units_in(found.record.units, system)
        title = name.replace("_", " ") + (f" ({raised(units)})" if units else "")
        grid = {k: np.asarray(v) for k, v in found.grid.items()}
        kinds = _kinds(found.labels)
        keys = sorted(k for k in grid if k in AXES)
        words = [units_in(AXES[k], system) for k in keys]
        if len(keys) == 2:
            maps = [grid[k] for k in keys]
            total = sum(mean[part] for part in kinds.values())
            shape = [len(edges) - 1 for edges in maps]
            _map(axis, maps[0], maps[1], np.reshape(total, shape).T, title)
            axis.set(xlabel=words[0], ylabel=words[1], aspect="equal")
            return True
        places = _places(found.labels)
        if keys:
            _curves(axis, kinds, grid[keys[0]], mean, error)
            axis.set(xlabel=words[0], ylabel=title)
        elif places is not None and places.shape[1] == 2:
            size = [len(np.unique(column)) for column in places.T]
            edges = [np.arange(n + 1) - 0.5 for n in size]
            _map(axis, edges[0], edges[1], _values(places, mean, size).T, title)
            axis.set(xlabel="first axis", ylabel="second axis", aspect="equal")
        elif places is not None and places.shape[1] == 1 and len(mean) > 2:
            x = places[:, 0]
            shown = _shown(found, len(mean))
            bars = {"fmt": "o-", "markersize": 3, "capsize": 2, "color": COLOURS[0]}
            axis.errorbar(x[shown], mean[shown], error[shown], **bars)
            axis.set(xlabel=_word(name), ylabel=title)
        elif len(mean) <= FEW:
            x = np.arange(len(mean))
            axis.errorbar(x, mean, error, fmt="o", color=COLOURS[0], capsize=4)
            axis.axhline(0.0, color="0.5", linewidth=0.6)
            axis.set_xticks(x, [str(label) for label in found.labels])
            axis.set(ylabel=title, xlim=(-0.6, len(mean) - 0.4))
        else:
            x = np.arange(len(mean))
            axis.errorbar(x, mean, error, fmt=".", color=COLOURS[0])
            axis.set(xlabel="component", ylabel=title)
        return True

    return draw


def _kinds(labels: Any) -> dict[str, list[int]]:
    """The part of a label before its place -> components."""
    found: dict[str, list[int]] = {}
    for k, label in enumerate(labels):
        match = PLACE.match(str(label))
        found.setdefault(match["kind"].strip() if match else "", []).append(k)
    return found


def _places(labels: Any) -> np.ndarray | None:
    """Whole numbers (K, d) that the labels of a lattice's observable are, or None."""
    rows = []
    for label in labels:
        match = PLACE.match(str(label))
        numbers = match["place"].split(",") if match and not match["kind"] else [""]
        if not all(re.fullmatch(r" *-?\d+ *", x) for x in numbers):
            return None
        rows.append([int(x) for x in numbers])
    return np.array(rows) if rows and len({len(row) for row in rows}) == 1 else None


def _values(places: np.ndarray, mean: np.ndarray, size: list) -> np.ndarray:
    found = np.full(size, np.nan)
    found[tuple((places - places.min(axis=0)).T)] = mean
    return found


def _shown(found: Any, count: int) -> np.ndarray:
    """Without the component that dwarfs the others and is no news: C(0), S(0)."""
    shown = found.record.shown
    return np.arange(count) if shown is None else np.asarray(shown)


def _word(name: str) -> str:
    return "wave vector (2 pi / length)" if "structure" in name else "displacement (sites)"


def _curves(axis: Any, kinds: dict, x: np.ndarray, mean: np.ndarray, error: np.ndarray) -> None:
    """One curve with its band for every kind; shells of few points get marks."""
    for (kind, part), colour in zip(kinds.items(), COLOURS * len(kinds), strict=False):
        edges = len(x) == len(part) + 1
        middle = 0.5 * (x[1:] + x[:-1]) if edges else x
        y, band = mean[part], error[part]
        if edges:
            axis.fill_between(middle, y - band, y + band, color=colour, alpha=0.3, linewidth=0)
            axis.plot(middle, y, color=colour, label=kind)
        else:
            axis.errorbar(middle, y, band, fmt="o-", markersize=3, color=colour, label=kind)
    if len(kinds) > 1:
        above(axis)
    axis.set_xlim(left=0.0 if edges and x.min() >= 0 else None)


def _map(axis: Any, x: np.ndarray, y: np.ndarray, values: np.ndarray, title: str) -> None:
    mesh = axis.pcolormesh(x, y, values, cmap="viridis", rasterized=True)
    axis.grid(False)
    axis.figure.colorbar(mesh, ax=axis, label=title)
