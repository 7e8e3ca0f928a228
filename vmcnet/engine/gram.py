"""The Gram matrix of the centred log-derivatives of all walkers, every rank the rows of its own
tiles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.calculus.outer import Outer
from vmcnet.estimators.log_derivatives import joined, outer_gram, product_of_rows, stacked
from vmcnet.kernels import numba_product
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.kernels.numba_gram import WIDE, outer_products, packed, turned
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

    def __init__(self, comm: Communicator, blocks: int, own: int, rows: Rows) -> None:
        self.comm, self.blocks, self.own = comm, blocks, own
        self.rows, self.walkers = rows, rows.walkers
        self.matrix = DealtMatrix(comm, rows.parts * rows.walkers)

    def _everyone(self, own: np.ndarray) -> np.ndarray:
        """(W, ...) of all walkers from those of the own blocks."""
        shaped = own.reshape(self.own, -1, *own.shape[1:])
        return self.comm.allgather(shaped, self.blocks).reshape(self.walkers, *own.shape[1:])

    def add_outers(self, outers: list[Outer], mean: np.ndarray) -> None:
        """Adds what the O = left x right (w, f, h) of the own blocks contribute, their `mean`
        (f, h) taken off: (l_i . l_j) (r_i . r_j) less the products with it. O itself is not made.
        """
        left = joined([x.left for x in outers])
        right = joined([x.right for x in outers])
        off = _products_with(mean, left, right, self.own)
        of_mean = _parts((mean * mean).sum(), (mean * mean.conj()).sum())
        if self.rows.parts == 1 and numba_product.chosen() == numba_product.OWN:
            signs = len(mean) if outers[0].signs else 0
            left = packed(left) if signs else left
            every = self._everyone(np.concatenate([left, right, off[:, :, 0]], axis=1))
            k = left.shape[1]
            self._add_real(every[:, :k], every[:, k:-1], every[:, -1], of_mean, signs)
            return
        left, right, every = (self._everyone(x) for x in (left, right, off))
        for t, out in self._tiles():
            i = self.rows.members[t]
            for j in self.rows.members[: t + 1]:
                tile = outer_gram(left[i], right[i], left[j], right[j])
                own, other = every[i].transpose(1, 0, 2), every[j].transpose(2, 1, 0)
                shaped = tile.reshape(*own.shape, -1)
                shaped -= own[..., None] + other[:, None] - of_mean[:, None, :, None]
                start = self.rows.parts * j.start
                out[:, start : start + tile.shape[1]] += tile / self.walkers

    def _add_real(self, left: Any, right: Any, off: Any, of_mean: np.ndarray, signs: int) -> None:
        scale, none = 1.0 / self.walkers, -self.walkers % SIDE
        panels = [np.empty((-(-len(x) // WIDE), x.shape[1], WIDE)) for x in (left, right)]
        for x, panel in zip((left, right), panels, strict=True):
            turned(np.ascontiguousarray(x), panel)
        left = left if signs else left / self.walkers
        left, right = (np.concatenate([x, np.zeros((none, x.shape[1]))]) for x in (left, right))
        columns = np.append(off / self.walkers, np.zeros(none))
        rows = columns - of_mean.item() / self.walkers
        for t in self.matrix.own:
            added, i = t in self.matrix.rows, slice(SIDE * t, SIDE * (t + 1))
            if not added:
                self.matrix.rows[t] = np.empty(self.matrix.shape(t))
            tile = self.matrix.rows[t]
            outer_products(left[i], right[i], *panels, rows[i], columns, tile, added, signs, scale)

    def _tiles(self) -> Any:
        """The own tiles, t and its rows, to add to."""
        for t in self.matrix.own:
            if t not in self.matrix.rows:
                self.matrix.rows[t] = np.zeros(self.matrix.shape(t))
            yield t, self.matrix.rows[t]

    def add_columns(self, own: np.ndarray) -> None:
        """Adds what centred columns (w, p) of the own blocks contribute."""
        step = max(1, EXCHANGE // (8 * self.rows.parts * self.walkers))
        for first in range(0, own.shape[1], step):
            every = self.rows.of(self._everyone(own[:, first : first + step]))
            for t, out in self._tiles():
                rows = self.matrix.span(t)
                out += (every[rows] / self.walkers) @ every[: rows.stop].T


def _products_with(
    mean: np.ndarray, left: np.ndarray, right: np.ndarray, blocks: int
) -> np.ndarray:
    """The products of real and imaginary part of every O = left x right (w, f, h) of some blocks
    with those of `mean` (f, h): (w, parts, parts).
    """
    plain = (product_of_rows(left, mean, blocks) * right).sum(axis=1)
    if mean.dtype.kind != "c":
        return _parts(plain, plain)
    return _parts(plain, (product_of_rows(left, mean.conj(), blocks) * right).sum(axis=1))


def _parts(plain: Any, conjugate: Any) -> np.ndarray:
    """(..., parts, parts) of O . m and O . m*: the real and imaginary parts of O by those of m."""
    if plain.dtype.kind != "c":
        return np.asarray(plain)[..., None, None]
    plus, minus = 0.5 * (conjugate + plain), 0.5 * (conjugate - plain)
    return np.moveaxis(
        np.array([[plus.real, -minus.imag], [plus.imag, minus.real]]), (0, 1), (-2, -1)
    )
