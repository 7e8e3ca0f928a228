"""Moves of one particle: determinants by the determinant lemma, pair factors by the pairs of the
particle that moves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.values import Values
from vmcnet.geometry.moves import ParticleMove
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.local_update import LocalUpdate, UpdateRule

LEAST = 10  # particles from which an update costs less than psi of all of them, as measured


class ParticleRule(UpdateRule):
    """An update for moves of one particle, make(walkers) -> LocalUpdate or None; none below LEAST
    particles.
    """

    kinds = (ParticleMove,)

    def __init__(self, make: Callable[[Walkers], LocalUpdate | None]) -> None:
        self._make = make

    def of(self, walkers: Walkers) -> LocalUpdate | None:
        return self._make(walkers) if walkers.r.shape[1] >= LEAST else None


class Moved(LocalUpdate):
    """Where the particles of all walkers are, and who moves; `_theta` the parameters as quantities
    of the values.
    """

    def __init__(self, values: dict[str, np.ndarray], walkers: Walkers) -> None:
        self.r, self.s = walkers.r.copy(), walkers.s
        self._xp = xp = namespace(self.r)
        self._rows = xp.arange(len(self.r))
        self._ops = Values(xp)
        self._ops.coordinates(self.r)
        dtype = self.r.dtype
        self._theta = {
            name: self._ops.parameter(xp.asarray(v, dtype=dtype)) for name, v in values.items()
        }

    def configuration(self) -> tuple[Array, Array]:
        return self.r, self.s

    def accept(self, move: Any, mask: Array) -> None:
        rows = self._rows[mask]
        self.r[rows, move.particle[mask]] = move.to[mask]


class SlaterUpdate(Moved):
    """One determinant a spin, A_ik = phi_k(r_i): the ratio is phi(r_i') . A^-1[:, i], and A^-1
    changes by one outer product (Sherman and Morrison).
    """

    def __init__(
        self, slater: Any, values: dict[str, np.ndarray], walkers: Walkers, rows: Any
    ) -> None:
        super().__init__(values, walkers)
        self._slater, xp, n = slater, self._xp, walkers.r.shape[1]
        self._blocks = {spin: rows[spin] for spin in slater.occupied}
        self._columns = {}  # of every particle: its row among those of this spin, -1 of others
        for spin, particles in self._blocks.items():
            column = np.full(n, -1)
            column[list(particles)] = np.arange(len(particles))
            self._columns[spin] = xp.asarray(column)
        self.renew()

    def _orbitals(self, x: Array) -> dict:
        """spin -> occupied orbitals at x (W, rows, d), numbers (W, rows, m)."""
        slater, ops = self._slater, self._ops
        phi = slater.orbitals.matrix(ops, self._theta, "", ops.coordinates(x))
        return {
            spin: slater.columns(ops, self._theta, phi, None, spin).data for spin in self._blocks
        }

    def renew(self) -> None:
        every = self._orbitals(self.r)
        self._inverse = {}
        for spin, particles in self._blocks.items():
            matrix = every[spin][:, list(particles)]
            self._inverse[spin] = kernels.of(self._xp, matrix.dtype).inverse(matrix)[0]

    def _changes(self, move: Any) -> Any:
        """spin -> phi(r') A^-1 (W, m), and the particle's place among them, -1 of the other
        spin.
        """
        xp = self._xp
        rows = self._orbitals(move.to[:, None])
        return {
            spin: (xp.matmul(rows[spin], back)[:, 0], self._columns[spin][move.particle])
            for spin, back in self._inverse.items()
        }

    def ratio(self, move: Any) -> tuple[Array, Array]:
        xp = self._xp
        ratio: Array = None
        for change, place in self._changes(move).values():
            value = xp.where(place < 0, 1.0, change[self._rows, place])
            ratio = value if ratio is None else ratio * value
        size = abs(ratio)
        zero = size == 0
        log = xp.where(zero, -xp.inf, xp.log(xp.where(zero, 1.0, size)))
        phase = xp.where(zero, 1.0, ratio / xp.where(zero, 1.0, size))
        both = xp.stack([move.to, self.r[self._rows, move.particle]], axis=1)
        parts = [
            self._slater.orbitals.envelope(
                self._ops, self._theta, "", self._ops.coordinates(both[:, k : k + 1])
            )
            for k in (0, 1)
        ]
        return phase, log if parts[0] is None else log + parts[0].data - parts[1].data

    def accept(self, move: Any, mask: Array) -> None:
        xp, rows = self._xp, self._rows
        for spin, (change, place) in self._changes(move).items():
            back = self._inverse[spin]
            here = mask & (place >= 0)
            column = back[rows, :, place] / xp.where(here, change[rows, place], 1.0)[:, None]
            change[rows, place] -= 1.0
            new = back - column[:, :, None] * change[:, None, :]
            self._inverse[spin] = xp.where(here[:, None, None], new, back)
        super().accept(move, mask)


class PairUpdate(Moved):
    """exp sum_{i<j} u(r_i - r_j): pairs(ops, theta, apart (W, n - 1, d), like (W, n - 1)) -> u, the
    numbers of the particle that moves with all others.
    """

    def __init__(self, pairs: Callable, values: dict[str, np.ndarray], walkers: Walkers) -> None:
        super().__init__(values, walkers)
        n = walkers.r.shape[1]
        self._pairs = pairs
        others = [[j for j in range(n) if j != i] for i in range(n)]
        self._others = self._xp.asarray(np.array(others, np.int64).reshape(n, n - 1))

    def ratio(self, move: Any) -> tuple[Array, Array]:
        rows, who = self._rows, move.particle
        others = self._others[who]
        there = self.r[rows[:, None], others]
        like = self.s[rows[:, None], others] == self.s[rows, who][:, None]
        new, old = (
            self._pairs(self._ops, self._theta, self._ops.coordinates(x[:, None] - there), like)
            for x in (move.to, self.r[rows, who])
        )
        return None, new.data - old.data

    def renew(self) -> None:
        pass
