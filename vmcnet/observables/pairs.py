"""Pair distributions and the structure factor of particles in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import to_host
from vmcnet.calculus.jet import pair_arrays
from vmcnet.observables.base import MOST_SHELLS, Observable
from vmcnet.observables.bins import ball, ball_in_box, counted, texts
from vmcnet.observables.density import MOST, in_space, reach, spins_half
from vmcnet.statistics.jackknife import jackknife
from vmcnet.walkers import Psi, Walkers

AT_ORIGIN = "S(k)/k^2 at k = 0"  # what is derived of charges


class PairDistribution(Observable):
    """How often two particles are at a distance r, of all pairs, by spin pair (by_spin) or in
    singlet and triplet (channels).

    In a periodic box g(r) = V/(N N') <sum_{i != j} delta(r - r_ij)>, of minimum images: 1 without
    correlation, and the integral of g - 1 over the cell is -V/N for all pairs, -V N/(N_up^2 +
    N_down^2) for equal spins, 0 for opposite ones. In open space the probability a volume, whose
    integral over space is 1. Singlet and triplet, (1 - P_ij)/2 and (1 + P_ij)/2 with P_ij the
    exchange of two spins 1/2, add up to all pairs. K = bins from 0 to extent: in a box the distance
    to its corner unless given, in open space 8 lengths of the system. grid: r, the edges; volume,
    of the part of each shell in the cell.
    """

    name = "pair_distribution"
    rowwise = True

    def __init__(
        self,
        system: Any,
        bins: int = 60,
        extent: float | None = None,
        by_spin: bool = False,
        channels: bool = False,
    ) -> None:
        in_space(self, system)
        n, box, up = system.particles, system.box, int((system.spins == 1).sum())
        if n < 2:
            raise ValueError("pair_distribution needs at least 2 particles")
        bins = arguments.whole("pair_distribution bins", bins, 1, MOST)
        corner = 0.0 if box is None else 0.5 * float(np.sqrt((box.lengths**2).sum()))
        if box is None or extent is not None:
            corner = reach(self, system, extent, 8.0)
        if by_spin or channels:
            spins_half("pair_distribution", system)
        if channels and (by_spin or not 0 < up < n):
            raise ValueError(
                "pair_distribution channels: expected spins up and down, and by_spin = false"
            )
        self._channels = channels
        self._bins, self._box, self._by_spin = bins, box, by_spin and 0 < up < n
        edges = np.linspace(0.0, corner, bins + 1)
        self._width = edges[1]
        inside = ball(edges, system.dimensions)
        if box is not None:
            inside = np.array([ball_in_box(x, box.lengths) for x in edges])
        volumes = np.diff(inside)
        self.grid = {"r": edges, "volume": volumes}
        same, opposite = (up * (up - 1) + (n - up) * (n - up - 1)) / 2, up * (n - up)
        pairs = {"": n * (n - 1) / 2}
        if self._by_spin:
            pairs = {" equal": same, " opposite": opposite}
        if channels:
            pairs = {" singlet": n * (n - 1) / 2, " triplet": n * (n - 1) / 2}
        letter = "P" if box is None else "g"
        middle = 0.5 * (edges[1:] + edges[:-1])
        self.labels = [f"{letter}{kind}({r})" for kind in pairs for r in texts(middle)]
        self.units = "" if box is not None else "1/length^d"
        squares = {"": n * n, " equal": up**2 + (n - up) ** 2, " opposite": 2 * opposite}
        squares |= {" singlet": n * n, " triplet": n * n}
        wanted = [
            1.0 / max(count, 1) if box is None else 2.0 * box.volume / squares[kind]
            for kind, count in pairs.items()
        ]
        share = np.divide(1.0, volumes, out=np.zeros(bins), where=volumes > 0.0)
        self._factors = [factor * share for factor in wanted]

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        r, s = to_host(walkers.r).astype(np.float64), to_host(walkers.s)
        i, j = pair_arrays(np, r.shape[1])
        apart = r[:, i] - r[:, j]
        apart = apart if self._box is None else self._box.minimum_image(apart)
        distance = np.sqrt((apart**2).sum(axis=2))
        equal = s[:, i] == s[:, j]
        kinds: list[Any] = [1.0]
        if self._by_spin:
            kinds = [equal, ~equal]
        elif self._channels:
            turned = to_host(psi.exchange_ratios(walkers).real).astype(np.float64)
            kinds = [0.5 * (1.0 - turned), 0.5 * (1.0 + turned)]
        parts = [counted(distance, kind, 0.0, self._width, self._bins) for kind in kinds]
        return np.concatenate([x * f for x, f in zip(parts, self._factors, strict=True)], axis=1)


class StaticStructureFactor(Observable):
    """S(k) = <|sum_i exp(-i k.r_i)|^2>/N, averaged over each of the lowest shells of wave vectors
    2 pi m/L but k = 0, in a periodic box. grid: k, the length of each shell's vectors.

    Of an electron gas in three dimensions lim S(k)/k^2 at k = 0 is derived, that of a line in k^2
    through the two lowest shells.
    """

    name = "static_structure_factor"
    rowwise = True

    def __init__(self, system: Any, shells: int = 12) -> None:
        in_space(self, system)
        if system.box is None:
            raise ValueError("static_structure_factor needs a periodic box")
        shells = arguments.whole("static_structure_factor shells", shells, 1, MOST_SHELLS)
        found = system.box.shells(shells + 1, twisted=False)[1:]
        self._waves = [system.box.wave_vectors(m, twisted=False) for m in found]
        lengths = np.array([np.sqrt((k[0] ** 2).sum()) for k in self._waves])
        self.grid, self.labels = {"k": lengths}, [f"S({k})" for k in texts(lengths)]
        self._charged = system.plasmon is not None and shells > 1

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        r = to_host(walkers.r).astype(np.float64)
        out = []
        for k in self._waves:
            half = k[: (len(k) + 1) // 2]  # k and -k give one S: lexicographic order pairs them
            phase = r @ half.T
            square = np.cos(phase).sum(axis=1) ** 2 + np.sin(phase).sum(axis=1) ** 2
            out.append(square.mean(axis=1) / r.shape[1])
        return np.stack(out, axis=1)

    def derived(self, mean: dict, square: dict) -> dict:
        if not self._charged:
            return {}
        (a, b), (first, second) = self.grid["k"][:2] ** 2, self.labels[:2]

        def at_origin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return (x * b / a - y * a / b) / (b - a)

        x, y = mean[first], mean[second]
        if len(x) < 2:
            return {AT_ORIGIN: (float(at_origin(x, y).mean()), float("nan"))}
        return {AT_ORIGIN: jackknife(at_origin, x, y)}
