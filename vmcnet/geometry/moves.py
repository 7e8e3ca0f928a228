"""Moves of spins and of particles: which of them a move touches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array, namespace


class SpinMoves:
    """A list of moves: single flips (M, 1), or exchanges of two spins (M, 2), which act only where
    the two differ.

    sites (M, 1 or 2): the sites that move m turns over.
    """

    def __init__(self, sites: ArrayLike) -> None:
        self.sites = np.ascontiguousarray(sites, dtype=np.int64)
        if self.sites.ndim != 2 or self.sites.shape[1] not in (1, 2):
            raise ValueError(
                f"SpinMoves: sites have shape {self.sites.shape}; expected (moves, 1) flips or "
                "(moves, 2) exchanges"
            )
        self._key = self.sites.shape, self.sites.tobytes()

    @classmethod
    def flips(cls, sites: int) -> SpinMoves:
        """Every site's flip."""
        return cls(np.arange(sites)[:, None])

    def __len__(self) -> int:
        return len(self.sites)

    def __eq__(self, other: object) -> bool:
        """Equal sites in equal order: a sampler's and a Hamiltonian's moves share the tables of a
        machine.
        """
        return isinstance(other, SpinMoves) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def acts(self, s: Array, moves: slice = slice(None)) -> Array:
        """Whether each of `moves` acts on s (W, n): (W, moves)."""
        xp = namespace(s)
        sites = xp.asarray(self.sites[moves])
        if self.sites.shape[1] == 1:
            return xp.ones((s.shape[0], sites.shape[0]), bool)
        return s[:, sites[:, 0]] != s[:, sites[:, 1]]

    def signs(self, moves: slice, n: int) -> np.ndarray:
        """(moves, n) int8: -1 at the sites that a move turns over."""
        sites = self.sites[moves]
        out = np.ones((len(sites), n), np.int8)
        np.put_along_axis(out, sites, -1, axis=1)
        return out

    def connected(self, s: Array, moves: slice = slice(None)) -> Array:
        """The configurations that `moves` lead to from s (W, n): (W, moves, n). Where a move does
        not act, s itself.
        """
        xp = namespace(s)
        turned = s[:, None, :] * xp.asarray(self.signs(moves, s.shape[1]))
        return (
            xp.where(self.acts(s, moves)[:, :, None], turned, s[:, None, :])
            if self.sites.shape[1] == 2
            else turned
        )


@dataclass(frozen=True)
class SpinMove:
    """Move `index` of a list, proposed to all walkers of a block."""

    moves: SpinMoves
    index: int

    @property
    def sites(self) -> np.ndarray:
        """The site that is turned over, or the two, (1,) or (2,)."""
        return self.moves.sites[self.index]

    def acts(self, s: Array) -> Array:
        """Whether the move acts on s (W, n): (W,)."""
        return self.moves.acts(s, slice(self.index, self.index + 1))[:, 0]


@dataclass(frozen=True, eq=False)
class ParticleMove:
    """One particle of every walker, particle (W,), goes to the place `to` (W, d)."""

    particle: object
    to: object
