"""The Gram matrix of the centred log-derivatives of all walkers, every rank the rows of its own
tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet.calculus.outer import Outer
from vmcnet.estimators.log_derivatives import joined, outer_gram, product_of_rows, stacked
from vmcnet.kernels import numba_product
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.kernels.numba_gram import (
    WIDE,
    add_to_tiles,
    outer_products,
    packed,
    scale_tiles,
    turned,
)
from vmcnet.parallel.communicators import Communicator
from vmcnet.parallel.dealt_matrix import DealtMatrix, Tiles

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


@dataclass(frozen=True)
class Factors:
    """Of O = left x right of all W walkers: left (W, f), or the `packed` words of f `signs`; right
    (W, h); off (W,) and of_mean, O . m / W and m . m / W of the mean m.
    """

    left: np.ndarray
    right: np.ndarray
    off: np.ndarray
    of_mean: float
    signs: int

    def diagonal(self) -> np.ndarray:
        """sum_fh (O - m)^2 / W (W,)."""
        left, right = self.signs or _squares(self.left), _squares(self.right)
        return left * right / len(self.right) - 2 * self.off + self.of_mean


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("wk,wk->w", x, x)


class LayerTiles:
    """What real outer products add to tiles of the Gram matrix, in float64 or float32; divided by
    unit^2.
    """

    def __init__(self, given: Factors, dtype: Any, unit: float = 1.0) -> None:
        walkers = len(given.right)
        none, wide = -walkers % SIDE, WIDE // np.dtype(dtype).itemsize
        left = given.left.view(dtype) if given.signs else given.left.astype(dtype)
        right = (given.right if unit == 1 else given.right / unit).astype(dtype)
        left, right = (
            np.concatenate([x, np.zeros((none, x.shape[1]), dtype)]) for x in (left, right)
        )
        panels = [np.empty((len(x) // wide, x.shape[1], wide), dtype) for x in (left, right)]
        for x, panel in zip((left, right), panels, strict=True):
            turned(x, panel)
        columns = np.append(given.off, np.zeros(none)) / unit**2
        rows = columns - given.of_mean / unit**2
        own = left if given.signs else left / dtype(walkers)
        self._own = own, right, rows.astype(dtype)
        self._all = *panels, columns.astype(dtype)
        self._signs = given.signs, 1.0 / walkers

    def add(self, t: int, out: np.ndarray, added: bool) -> None:
        """To a tile, which has only those rows and columns that there are."""
        left, right, rows = (x[SIDE * t : SIDE * (t + 1)] for x in self._own)
        lefts, rights, columns = self._all
        outer_products(left, right, lefts, rights, rows, columns, out, added, *self._signs)

    def add_to_tiles(self, c: np.ndarray, places: Any, own: Any, added: bool) -> None:
        """To all own tiles of an array as the factorisation wants it."""
        (left, right, rows), (lefts, rights, columns) = self._own, self._all
        arrays = left, right, lefts, rights, rows, columns, c
        add_to_tiles(*arrays, places, own, SIDE, added, *self._signs)


class ProductGram(Tiles):
    """X X^T + shift of real outer products (N, N), of which nothing is kept: tiles are made where
    they are factorised, in its precision, and products go through X.
    """

    def __init__(self, tangents: Any, layers: list[Factors]) -> None:
        super().__init__(tangents.comm, tangents.walkers)
        self._tangents, self._layers, self._shift = tangents, layers, np.zeros(self.size)
        self._diagonal = sum(layer.diagonal() for layer in layers)

    def shift(self, values: Any) -> None:
        """Adds a number or (N,) to the diagonal."""
        self._shift = self._shift + values

    def diagonal(self) -> np.ndarray:
        """(N,) on every rank; no collective."""
        return self._diagonal + self._shift

    def scaled(self, scale: np.ndarray, c: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The own tiles of C T C, C = diag(scale), in c, as DealtMatrix.scaled."""
        diagonal, own, unit = self.diagonal(), np.array(self.own, int), 1.0
        if c.dtype == np.float32:  # of numbers near 1 nothing over- or underflows
            unit = float(np.ldexp(1.0, np.frexp(diagonal.max())[1] // 2))
        for n, layer in enumerate(self._layers):
            LayerTiles(layer, c.dtype.type, unit).add_to_tiles(c, places, own, n > 0)
        squares, ones = np.zeros(len(own)), (scale * scale * diagonal).astype(c.dtype)
        scale_tiles(c, places, own, SIDE, self.size, (scale * unit).astype(c.dtype), ones, squares)
        return squares

    def product(self, x: np.ndarray) -> np.ndarray | None:
        """T x (N,) on rank 0, None elsewhere; x (N,) the same on every rank."""
        tangents = self._tangents
        image = tangents.gathered(tangents.product(tangents.from_vector(x)))
        return None if image is None else image + self._shift * x


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
        if self.rows.parts == 1 and numba_product.chosen() == numba_product.OWN:
            layer, begun = LayerTiles(self.layer(outers, mean), np.float64), bool(self.matrix.rows)
            for t in self.matrix.own:
                if not begun:
                    self.matrix.rows[t] = np.empty(self.matrix.shape(t))
                layer.add(t, self.matrix.rows[t], begun)
            return
        left, right, off, of_mean = self._own(outers, mean)
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

    def _own(self, outers: list[Outer], mean: np.ndarray) -> tuple:
        """Left and right factors of the own blocks, their products with the mean, and its own."""
        left, right = joined([x.left for x in outers]), joined([x.right for x in outers])
        off = _products_with(mean, left, right, self.own)
        return left, right, off, _parts((mean * mean).sum(), (mean * mean.conj()).sum())

    def layer(self, outers: list[Outer], mean: np.ndarray) -> Factors:
        """The real factors of all walkers."""
        left, right, off, of_mean = self._own(outers, mean)
        signs = len(mean) if outers[0].signs else 0
        left = packed(left) if signs else left
        every, k = (
            self._everyone(np.concatenate([left, right, off[:, :, 0]], axis=1)),
            left.shape[1],
        )
        left, right = (np.ascontiguousarray(x) for x in (every[:, :k], every[:, k:-1]))
        off, of_mean = every[:, -1] / self.walkers, of_mean.item() / self.walkers
        return Factors(left, right, off, of_mean, signs)

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
    plain = np.einsum("wh,wh->w", product_of_rows(left, mean, blocks), right)
    if mean.dtype.kind != "c":
        return _parts(plain, plain)
    conjugate = product_of_rows(left, mean.conj(), blocks)
    return _parts(plain, np.einsum("wh,wh->w", conjugate, right))


def _parts(plain: Any, conjugate: Any) -> np.ndarray:
    """(..., parts, parts) of O . m and O . m*: the real and imaginary parts of O by those of m."""
    if plain.dtype.kind != "c":
        return np.asarray(plain)[..., None, None]
    plus, minus = 0.5 * (conjugate + plain), 0.5 * (conjugate - plain)
    return np.moveaxis(
        np.array([[plus.real, -minus.imag], [plus.imag, minus.real]]), (0, 1), (-2, -1)
    )
