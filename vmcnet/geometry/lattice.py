"""Lattices: hypercubic ones of any dimension, and any graph given by its edges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import permutations, product
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vmcnet import arguments

MOST_SITES = 100_000
MOST_IMAGES = 20_000_000  # numbers of a group of symmetries


class Lattice:
    """Sites and the bonds of each shell of neighbours.

    sites: number of sites n; shells: list of bond arrays (bonds, 2), i < j, the nearest neighbours
    first; sublattice (n,) int8 of +1 / -1
    such that every nearest-neighbour bond joins both, or None; translations (G, n): element g maps
    site i to translations[g, i];
    space_group (G', n): translations, reflections, rotations and their products, each once.
    """

    sites: int
    shells: list
    weights: list  # of the bonds of every shell: how often each of them joins its two sites
    sublattice: np.ndarray | None
    extent: tuple[int, ...] = ()  # sites along each direction of a grid; none for a graph
    periodic = False

    @property
    def translated(self) -> bool:
        """Whether there are translations besides the identity."""
        return False

    @cached_property
    def translations(self) -> np.ndarray:
        return np.arange(self.sites)[None]

    @cached_property
    def space_group(self) -> np.ndarray:
        return self.translations

    def symmetries(self, asked_by: str, point_group: bool = False) -> np.ndarray:
        """The translations, or the whole space group, (G, n); ValueError where there are none."""
        if len(self.translations) < 2:
            raise ValueError(
                f"{asked_by} symmetric = true needs a periodic lattice: this one has no "
                "translations"
            )
        return self.space_group if point_group else self.translations

    def describe(self) -> str:
        return f"{self.sites} sites, {len(self.shells[0])} bonds"


class Hypercubic(Lattice):
    """Chain (extent = [n]), square (extent = [x, y]) or any dimension, periodic in all directions
    or open.

    Site of coordinates c: sum_k c_k prod_{l>k} extent_l (the last coordinate runs fastest). Shell m
    holds the bonds of the m-th smallest
    distance: on the chain 1, 2, ...; on the square 1, sqrt 2, 2, .... Raises ValueError where a
    periodic extent is so short that a site
    would be its own neighbour, or where a shell joins sites that a nearer shell joins already. Two
    sites that meet twice around a short period are one bond of weight 2.
    """

    def __init__(self, extent: Sequence[int], periodic: bool = True, shells: int = 1) -> None:
        self.extent = tuple(arguments.wholes("extent", extent, 1))
        self.periodic = arguments.flag("periodic", periodic)
        self.sites, self.dimensions = prod(self.extent), len(self.extent)
        if not self.extent or not 2 <= self.sites <= MOST_SITES:
            raise ValueError(
                f"extent = {list(self.extent)}: expected one positive length a dimension and 2 to "
                f"{MOST_SITES} sites together"
            )
        self.positions = np.array(
            list(product(*map(range, self.extent))), np.int64
        )  # (n, dimensions)
        found = [self._bonds(square) for square in self._squares(shells)]
        self.shells, self.weights = [bonds for bonds, _ in found], [w for _, w in found]
        known: set[tuple] = set()
        for bonds in self.shells:
            pairs = set(map(tuple, bonds.tolist()))
            if pairs & known:
                raise ValueError(
                    f"periodic extent {list(self.extent)} is too short for {shells} shells of "
                    f"neighbours: sites {sorted(pairs & known)[0]} belong to two of them; use "
                    f"lengths of at least {2 * shells}, or periodic = false"
                )
            known |= pairs
        self.sublattice = self._colour()

    def _index(self, positions: np.ndarray) -> np.ndarray:
        return np.ravel_multi_index(tuple(np.moveaxis(positions, -1, 0)), self.extent)

    def _squares(self, shells: int) -> Any:
        reach = range(shells + 1)
        return sorted(
            {sum(c * c for c in v) for v in product(reach, repeat=self.dimensions)} - {0}
        )[:shells]

    def _bonds(self, square: int) -> tuple[np.ndarray, np.ndarray]:
        reach = int(np.sqrt(square))
        steps = [
            v
            for v in product(range(-reach, reach + 1), repeat=self.dimensions)
            if sum(c * c for c in v) == square and v > (0,) * len(v)
        ]
        found = []
        for step in steps:
            target = self.positions + np.array(step)
            inside = (
                np.ones(self.sites, bool)
                if self.periodic
                else ((target >= 0) & (target < self.extent)).all(axis=1)
            )
            ends = self._index(target[inside] % self.extent)
            found.append(np.stack([np.flatnonzero(inside), ends], axis=1))
        bonds = np.sort(np.concatenate(found), axis=1)
        if len(bonds) and (bonds[:, 0] == bonds[:, 1]).any():
            raise ValueError(
                f"periodic extent {list(self.extent)} is too short for neighbours at distance "
                f"sqrt({square}): a site would be its own; use lengths of at least {reach + 1}, or "
                "periodic = false"
            )
        return np.unique(bonds.reshape(-1, 2), axis=0, return_counts=True)

    def _colour(self) -> Any:
        if self.periodic and any(e % 2 for e in self.extent):
            return None
        return (1 - 2 * (self.positions.sum(axis=1) % 2)).astype(np.int8)

    @property
    def translated(self) -> bool:
        return self.periodic

    @cached_property
    def translations(self) -> np.ndarray:
        count = len(self.positions) if self.periodic else 1
        if count * self.sites > MOST_IMAGES:
            raise ValueError(
                f"the translations of {self.sites} sites are too many to write down: use a smaller "
                "lattice, or a wavefunction without symmetry"
            )
        shifts = self.positions if self.periodic else self.positions[:1]
        return self._index((self.positions[None] + shifts[:, None]) % self.extent)

    @cached_property
    def space_group(self) -> np.ndarray:
        """Exchanges of axes of equal length and reflections of axes, each followed by all
        translations.
        """
        if factorial(self.dimensions) * 2**self.dimensions * self.translations.size > MOST_IMAGES:
            raise ValueError(
                f"the space group of {self.sites} sites in {self.dimensions} dimensions is too "
                "large to write down: leave point_group out"
            )
        found = []
        for axes in permutations(range(self.dimensions)):
            if tuple(self.extent[k] for k in axes) == self.extent:
                for mirrored in product((False, True), repeat=self.dimensions):
                    turned = self.positions[:, axes]
                    found.append(
                        self.translations[
                            :,
                            self._index(
                                np.where(mirrored, np.array(self.extent) - 1 - turned, turned)
                            ),
                        ]
                    )
        return np.unique(np.concatenate(found), axis=0)

    def describe(self) -> str:
        kind = {1: "chain", 2: "square lattice"}.get(self.dimensions, "hypercubic lattice")
        return (
            f"{'periodic' if self.periodic else 'open'} {kind} of "
            f"{' x '.join(map(str, self.extent))} sites"
        )


class Graph(Lattice):
    """Any graph: `sites` vertices and `edges`, pairs of them; further shells of bonds in
    `second`.
    """

    def __init__(self, sites: int, edges: ArrayLike, second: Sequence = ()) -> None:
        self.sites = arguments.whole("sites", sites, 2, MOST_SITES)
        self.shells = [self._checked(edges)] + ([self._checked(second)] if len(second) else [])
        self.weights = [np.ones(len(bonds), np.int64) for bonds in self.shells]
        self.sublattice = self._colour()

    def _checked(self, edges: ArrayLike) -> np.ndarray:
        bonds = np.sort(np.asarray(edges, np.int64).reshape(-1, 2), axis=1)
        bad = [e for e in bonds.tolist() if not 0 <= e[0] < e[1] < self.sites]
        if bad or len(np.unique(bonds, axis=0)) < len(bonds) or not len(bonds):
            raise ValueError(
                f"edges: expected different pairs of different sites in 0 .. {self.sites - 1}, "
                f"found {bad[0] if bad else 'none or one twice'}"
            )
        return bonds

    def _colour(self) -> Any:
        colour = np.zeros(self.sites, np.int8)
        neighbours: list[list[int]] = [[] for _ in range(self.sites)]
        for i, j in self.shells[0].tolist():
            neighbours[i].append(j)
            neighbours[j].append(i)
        for root in range(self.sites):
            if colour[root]:
                continue
            colour[root], stack = 1, [root]
            while stack:
                i = stack.pop()
                for j in neighbours[i]:
                    if colour[j] == colour[i]:
                        return None
                    if not colour[j]:
                        colour[j] = -colour[i]
                        stack.append(j)
        return colour

    def describe(self) -> str:
        return f"graph of {self.sites} sites and {len(self.shells[0])} edges"
