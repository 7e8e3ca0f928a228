"""One-body densities of particles in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import to_host
from vmcnet.observables.base import Observable
from vmcnet.observables.bins import ball, counted, texts
from vmcnet.statistics.jackknife import jackknife
from vmcnet.walkers import Psi, Walkers

SPINS = {"up": 1, "down": -1}
MOST = 1_000_000  # bins


def in_space(observable: Any, system: Any) -> None:
    """Raise ValueError where a system has no coordinates; the observable is made for it."""
    if not system.dimensions:
        raise ValueError(
            f"{observable.name} is a function of coordinates, and what moves in "
            f"{type(system).__name__} are {system.moves}"
        )
    observable.made_for = system


def spins_half(what: str, system: Any) -> None:
    """Raise ValueError where labels are no spins +1 and -1."""
    labels = sorted({*system.spins.tolist()})
    if not {*labels} <= {*SPINS.values()}:
        raise ValueError(f"{what}: labels {labels} of {type(system).__name__} are not spins +1, -1")


def reach(observable: Any, system: Any, extent: float | None, lengths: float) -> float:
    """The extent given, or so many lengths of the system."""
    if extent is None:
        return lengths * system.length
    return arguments.scale(f"{observable.name} extent", extent)


def species(system: Any, by_spin: bool) -> dict:
    """What is told apart: "" -> 0 for all particles, or the spins that the system has."""
    if not by_spin:
        return {"": 0}
    spins_half("by_spin", system)
    found = {f" {name}": s for name, s in SPINS.items() if (system.spins == s).any()}
    return found if len(found) > 1 else {"": 0}


class Density(Observable):
    """n(r), particles a volume at the distance r from the origin: the integral over space is N.

    K = bins from 0 to extent (5 lengths of the system unless given), one after the other for spins
    up and down with by_spin. grid: r, the edges. In a periodic box it is uniform in a fluid: use
    density_map there.
    """

    name = "density"
    rowwise = True

    def __init__(
        self, system: Any, bins: int = 50, extent: float | None = None, by_spin: bool = False
    ) -> None:
        in_space(self, system)
        if system.box is not None:
            raise ValueError("density: radial, for open space; use density_map in a periodic box")
        self._extent = reach(self, system, extent, 5.0)
        bins = arguments.whole("density bins", bins, 1, MOST)
        self._bins, self._kinds = bins, species(system, by_spin)
        edges = np.linspace(0.0, self._extent, bins + 1)
        self.grid, self._volumes = {"r": edges}, np.diff(ball(edges, system.dimensions))
        middle = 0.5 * (edges[1:] + edges[:-1])
        self.labels = [f"n{kind}({r})" for kind in self._kinds for r in texts(middle)]
        self.units = "1/length^d"

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        r, s = to_host(walkers.r).astype(np.float64), to_host(walkers.s)
        distance, width = np.sqrt((r * r).sum(axis=2)), self._extent / self._bins
        parts = [
            counted(distance, 1.0 if not k else s == k, 0.0, width, self._bins) / self._volumes
            for k in self._kinds.values()
        ]
        return np.concatenate(parts, axis=1)


class DensityMap(Observable):
    """Particles a length, area or volume of the coordinates named in `axes`, over bins x bins x ...
    cells; the others are integrated over, so that the integral is N.

    From -extent to extent along every axis (5 lengths of the system unless given), in a periodic
    box over the box. K = bins^len(axes), the last axis runs fastest; grid: edges of every axis.
    """

    name = "density_map"
    rowwise = True

    def __init__(
        self,
        system: Any,
        axes: Any = (0, 1),
        bins: int = 40,
        extent: float | None = None,
        by_spin: bool = False,
    ) -> None:
        in_space(self, system)
        axes = arguments.wholes("density_map axes", axes)
        bins = arguments.whole("density_map bins", bins, 1, MOST)
        self._axes, self._bins, self._box = tuple(axes), bins, system.box
        if len(set(axes)) < len(axes) or not all(0 <= a < system.dimensions for a in axes):
            raise ValueError(
                f"density_map axes {list(axes)}: expected different ones of 0 .. "
                f"{system.dimensions - 1}"
            )
        if bins ** len(axes) > MOST:
            raise ValueError(f"density_map: {bins}^{len(axes)} cells are more than {MOST}")
        edge = reach(self, system, extent, 5.0)
        self._low = np.array([0.0 if self._box else -edge for _ in axes])
        far = self._box.lengths[list(axes)] if self._box else edge
        self._widths = (far - self._low) / bins
        self._kinds = species(system, by_spin)
        self.grid = {
            f"x{a}": low + width * np.arange(bins + 1)
            for a, low, width in zip(axes, self._low, self._widths, strict=True)
        }
        cells = [str(list(cell)) for cell in np.ndindex(*[bins] * len(axes))]
        self.labels = [f"n{kind}{cell}" for kind in self._kinds for cell in cells]
        self.units = f"1/length^{len(axes)}"

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        r, s = to_host(walkers.r).astype(np.float64), to_host(walkers.s)
        r = r if self._box is None else self._box.wrap(r)
        place = np.floor((r[:, :, list(self._axes)] - self._low) / self._widths).astype(np.int64)
        inside = ((place >= 0) & (place < self._bins)).all(axis=2)
        cells = self._bins ** len(self._axes)
        powers = self._bins ** np.arange(len(self._axes))[::-1]
        cell = np.where(inside, place @ powers, -1)
        parts = [
            counted(cell, 1.0 if not k else s == k, 0.0, 1.0, cells) / self._widths.prod()
            for k in self._kinds.values()
        ]
        return np.concatenate(parts, axis=1)


class Radius(Observable):
    """Mean distance from the origin and mean square distance of a particle; derived: the root of
    the latter.
    """

    name, labels, units = "radius", ("r", "r^2"), "length, length^2"
    rowwise = True

    def __init__(self, system: Any) -> None:
        in_space(self, system)
        if system.box is not None:
            raise ValueError("radius: for open space, not for a periodic box")

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        square = (to_host(walkers.r).astype(np.float64) ** 2).sum(axis=2)
        return np.stack([np.sqrt(square).mean(axis=1), square.mean(axis=1)], axis=1)

    def derived(self, mean: dict, square: dict) -> dict:
        return {"rms radius": jackknife(np.sqrt, mean["r^2"])}
