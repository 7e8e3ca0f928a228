"""The Gram matrix of the centred log-derivatives of all walkers, every rank the rows of its own
tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.calculus.outer import Outer
from vmcnet.estimators.log_derivatives import outer_gram, stacked
from vmcnet.kernels import numba_product
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.kernels.numba_gram import WIDE, outer_products, turned
from vmcnet.parallel.communicators import Communicator
from vmcnet.parallel.dealt_matrix import DealtMatrix

EXCHANGE = 2**26  # bytes of columns that the ranks exchange at a time


class Rows:
    """In which order the Gram matrix of so many walkers has its rows: those of a tile are of SIDE
    walkers, or of SIDE / 2 where O is complex, real parts before imaginary ones.
    """

    def __init__(self, walkers: int, parts: int) -> None:
        self.walkers, self.parts, side = walkers, parts, SIDE // parts
        self.members = [slice(k, min(k + side, walkers)) for k in range(0, walkers, side)]

    def of(self, x: np.ndarray) -> np.ndarray:
        """Numbers (W, ...) of walkers, complex where O is, as those of rows (N, ...)."""
        return x if self.parts == 1 else np.concatenate([stacked(x[m]) for m in self.members])

    def walkers_of(self, x: np.ndarray) -> np.ndarray:
        """What `of` made x (N,) of."""
        if self.parts == 1:
            return x
        pairs = [x[2 * m.start : 2 * m.stop].reshape(2, -1) for m in self.members]
        return np.concatenate([real + 1j * imaginary for real, imaginary in pairs])


class Gram:
    """X X^T (N, N) of X = dO / sqrt W, added up from outer products and columns: `matrix`."""

    def __init__(self, comm: Communicator, blocks: int, rows: Rows) -> None:
        self.comm, self.blocks, self.rows, self.walkers = comm, blocks, rows, rows.walkers
        self.matrix = DealtMatrix(comm, rows.parts * rows.walkers)

    def _everyone(self, own: list[np.ndarray]) -> np.ndarray:
        """(W, ...) of all walkers from (w, ...) of every own block."""
        every = self.comm.allgather(np.stack(own), self.blocks)
        return every.reshape(self.walkers, *every.shape[2:])

    def add_outers(self, pairs: list[Outer], mean: np.ndarray) -> None:
        """Adds what the O = left x right (w, f, h) of every own block contribute, their `mean`
        (f, h) taken off: (l_i . l_j) (r_i . r_j) less the products with it. O itself is not made.
        """
        off = [_products_with(mean, p.left, p.right) for p in pairs]
        of_mean = _parts((mean * mean).sum(), (mean * mean.conj()).sum())
        if self.rows.parts == 1 and numba_product.chosen() == numba_product.OWN:
            columns = ((p.left, p.right, x[:, :, 0]) for p, x in zip(pairs, off, strict=True))
            every = self._everyone([np.concatenate(x, axis=1) for x in columns])
            self._add_real(every[:, : len(mean)], every[:, len(mean) : -1], every[:, -1], of_mean)
            return
        left = self._everyone([p.left for p in pairs])
        right = self._everyone([p.right for p in pairs])
        every = self._everyone(off)
        for t, out in self._tiles():
            i = self.rows.members[t]
            for j in self.rows.members[: t + 1]:
                tile = outer_gram(left[i], right[i], left[j], right[j])
                own, other = every[i].transpose(1, 0, 2), every[j].transpose(2, 1, 0)
                shaped = tile.reshape(*own.shape, -1)
                shaped -= own[..., None] + other[:, None] - of_mean[:, None, :, None]
                start = self.rows.parts * j.start
                out[:, start : start + tile.shape[1]] += tile / self.walkers

    def _add_real(self, left: Any, right: Any, off: Any, of_mean: np.ndarray) -> None:
        off, of_mean = off / self.walkers, of_mean.item() / self.walkers
        panels = [np.empty((-(-len(x) // WIDE), x.shape[1], WIDE)) for x in (left, right)]
        for x, panel in zip((left, right), panels, strict=True):
            turned(np.ascontiguousarray(x), panel)
        columns = np.append(off, np.zeros(WIDE))
        off_own = off - of_mean
        for t in self.matrix.own:
            added, i = t in self.matrix.rows, self.rows.members[t]
            if not added:
                self.matrix.rows[t] = np.empty(self.matrix.shape(t))
            own = left[i] / self.walkers, np.ascontiguousarray(right[i]), off_own[i]
            if len(own[0]) < SIDE:
                own = tuple(
                    np.concatenate([x, np.zeros((SIDE - len(x), *x.shape[1:]))]) for x in own
                )
            outer_products(*own[:2], *panels, own[2], columns, self.matrix.rows[t], added)

    def _tiles(self) -> Any:
        """The own tiles, t and its rows, to add to."""
        for t in self.matrix.own:
            if t not in self.matrix.rows:
                self.matrix.rows[t] = np.zeros(self.matrix.shape(t))
            yield t, self.matrix.rows[t]

    def add_columns(self, own: list[np.ndarray]) -> None:
        """Adds what centred columns (w, p) of every own block contribute."""
        step = max(1, EXCHANGE // (8 * self.rows.parts * self.walkers))
        for first in range(0, own[0].shape[1], step):
            every = self.rows.of(self._everyone([x[:, first : first + step] for x in own]))
            for t, out in self._tiles():
                rows = self.matrix.span(t)
                out += (every[rows] / self.walkers) @ every[: rows.stop].T


def _products_with(mean: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The products of real and imaginary part of every O = left x right (w, f, h) with those of
    `mean` (f, h): (w, parts, parts).
    """
    plain = ((left @ mean) * right).sum(axis=1)
    if mean.dtype.kind != "c":
        return _parts(plain, plain)
    return _parts(plain, ((left @ mean.conj()) * right).sum(axis=1))


def _parts(plain: Any, conjugate: Any) -> np.ndarray:
    """(..., parts, parts) of O . m and O . m*: the real and imaginary parts of O by those of m."""
    if plain.dtype.kind != "c":
        return np.asarray(plain)[..., None, None]
    plus, minus = 0.5 * (conjugate + plain), 0.5 * (conjugate - plain)
    return np.moveaxis(
        np.array([[plus.real, -minus.imag], [plus.imag, minus.real]]), (0, 1), (-2, -1)
    )
