"""The Cholesky factorisation of a matrix in tiles of rows, on the blocks of numba_product; float32
and float64, one thread.

Tile t holds the rows [SIDE t, SIDE (t + 1)) of the lower triangle, (SIDE, SIDE (t + 1)). Columns
are finished SIDE at a time: `finish` makes of the last columns of tile k its panel, and `advance`
the columns k of a tile below from it alone, so that tiles may lie on different ranks. In a panel
go squares of WIDE: below a square R^T R the rows are multiplied with R^-1, which is as stable as
substitution where the square is well conditioned (Du Croz and Higham, IMA J. Numer. Anal. 12, 1
(1992)). vmcnet/kernels/plain_cholesky.py has the same functions in BLAS and LAPACK.

The panel of tile k: for each of its squares g the rows of L that begin there, turned, (SIDE k + g
w, w), then the inverses R^-1 (w, w) of all squares; its last element is NaN where a square is not
positive definite.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, CHAIN, ROWS, VECTORS, block_product
from vmcnet.kernels.numba_rows import DOTS, dots

SIDE = 96  # rows of a tile: a multiple of those of a block, and of a square, on any processor
WIDE = VECTORS * BITS // 8  # bytes of a row of a square
DEEP = 1024  # columns that meet a tile before the next ones come: their panel stays in the cache
times, less = (
    block_product(BITS, ROWS, VECTORS),
    block_product(BITS, ROWS, VECTORS, subtracted=True),
)
row_less, row_times = (
    block_product(BITS, 1, VECTORS, subtracted=True),
    block_product(BITS, 1, VECTORS),
)


@compiled
def scaled(tile, first, scale, out):
    """out (SIDE, M) = the rows `first` ... of scale_i T_ij scale_j from a tile (n, first + n) of
    the lower triangle, with ones on the diagonal below; returns the sum of the squares that those
    rows have in the whole matrix, elements left of the diagonal counted twice.
    """
    count, squares, total = len(tile), np.zeros(tile.shape[1]), 0.0
    for i in range(count):
        row, to, left = tile[i], out[i], scale[first + i]
        for j in range(first + i):
            element = left * row[j] * scale[j]
            squares[j] += element * element
            to[j] = element
        to[first + i] = left * row[first + i] * left
        total += to[first + i] * to[first + i]
        to[first + i + 1 :] = 0
    for i in range(count, len(out)):
        out[i] = 0
        out[i, first + i] = 1
    return total + 2 * squares.sum()


def panel_size(first, rows, dtype):
    """Elements of the panel of a tile whose `rows` rows begin at `first`."""
    wide = WIDE // np.dtype(dtype).itemsize
    return int(_group(first, -(-rows // wide), wide) + -(-rows // wide) * wide * wide)


@compiled
def _group(first, g, wide):
    """Where the rows of square g begin in a panel."""
    return g * first * wide + wide * wide * (g * (g - 1) // 2)


@compiled
def _square(square, inverse):
    """square (n, n) = R of R^T R, by rows from its upper triangle, and R^-1; False where it is not
    positive definite.
    """
    n = len(square)
    for j in range(n):
        row = square[j]
        if not row[j] > 0:
            return False
        factor = 1 / np.sqrt(row[j])
        for i in range(n):
            row[i] *= factor
        for q in range(j + 1, n):
            below, factor = square[q], row[q]
            for i in range(n):
                below[i] -= factor * row[i]
    for j in range(n - 1, -1, -1):
        row, factor = inverse[j], 1 / square[j, j]
        row[:] = 0
        for q in range(j + 1, n):
            below, element = inverse[q], square[j, q]
            for i in range(n):
                row[i] -= element * below[i]
        for i in range(n):
            row[i] *= factor
        row[j] = factor
    return True


@compiled
def _turned(tile, row, start, stop, wide, panel, at):
    """Columns start ... stop of `wide` rows of the tile, turned, into the panel."""
    for i in range(wide):
        given = tile[row + i]
        for q in range(start, stop):
            panel[at + (q - start) * wide + i] = given[q]


@compiled
def finish(tile, rows, panel):
    """The last SIDE columns of a tile whose other ones are finished, and its panel."""
    first, width = tile.shape[1] - SIDE, tile.shape[1]
    wide = WIDE // tile.itemsize
    squares, c = -(-rows // wide), tile.reshape(-1)
    inverses = _group(first, squares, wide)
    square, inverse = np.zeros((wide, wide), c.dtype), np.zeros((wide, wide), c.dtype)
    for g in range(squares):
        _turned(tile, g * wide, 0, first, wide, panel, _group(first, g, wide))
    if first:
        _less(c, squares * wide, width, 0, first, first, panel, squares, wide, True)
    for g in range(squares):
        at, place = _group(first, g, wide) + first * wide, first + g * wide
        _turned(tile, g * wide, first, place, wide, panel, at)
        if g:
            for i in range(g * wide // ROWS * ROWS, rows, ROWS):
                a = i * width
                less(c, a + first, width, 1, panel, at, wide, g * wide, c, a + place, width)
        for i in range(wide):
            for j in range(i + 1):
                square[j, i] = tile[g * wide + i, place + j]
        if not _square(square, inverse):
            panel[-1] = np.nan
            return
        at = inverses + g * wide * wide
        panel[at : at + wide * wide] = inverse.reshape(-1)
        for i in range((g + 1) * wide // ROWS * ROWS, rows, ROWS):
            to = i * width + place
            times(c, to, width, 1, panel, at, wide, wide, c, to, width)
        for i in range(wide):
            for j in range(i + 1):
                tile[g * wide + i, place + j] = square[j, i]


@compiled
def _less(c, rows, width, start, stop, first, panel, squares, wide, lower):
    """Takes off what the columns start ... stop of a tile contribute to the columns of a panel."""
    for deep in range(start, stop, DEEP):
        terms = min(DEEP, stop - deep)
        for i in range(0, rows, ROWS):
            for g in range(squares):
                if lower and i + ROWS <= g * wide:
                    continue
                at, a = _group(first, g, wide) + deep * wide, i * width
                to = a + first + g * wide
                less(c, a + deep, width, 1, panel, at, wide, terms, c, to, width)


@compiled
def advance(tile, rows, first, panel):
    """The columns first ... first + SIDE of a tile below the one of this panel."""
    c, width = tile.reshape(-1), tile.shape[1]
    wide = WIDE // tile.itemsize
    squares = SIDE // wide
    inverses = _group(first, squares, wide)
    if first:
        _less(c, rows, width, 0, first, first, panel, squares, wide, False)
    for i in range(0, rows, ROWS):
        a = i * width + first
        for g in range(squares):
            to = a + g * wide
            if g:
                at = _group(first, g, wide) + first * wide
                less(c, a, width, 1, panel, at, wide, g * wide, c, to, width)
            at = inverses + g * wide * wide
            times(c, to, width, 1, panel, at, wide, wide, c, to, width)


@compiled
def substitute(panels, starts, size, x):
    """x (M,) = (L L^T)^-1 x, M a multiple of SIDE, x zero beyond `size`; panel k begins at element
    starts[k].
    """
    wide = WIDE // x.itemsize
    tiles, found = len(starts), np.empty(wide, x.dtype)
    part, steps = np.empty(DOTS, x.dtype), wide * x.itemsize // CHAIN
    for k in range(tiles):
        first = k * SIDE
        squares = min(SIDE // wide, -(-(size - first) // wide))
        inverses = starts[k] + _group(first, squares, wide)
        for g in range(squares):
            place = first + g * wide
            at = starts[k] + _group(first, g, wide)
            if place:
                row_less(x, 0, 0, 1, panels, at, wide, place, x, place, 0)
            at = inverses + g * wide * wide
            row_times(x, place, 0, 1, panels, at, wide, wide, found, 0, 0)
            x[place : place + wide] = found
    for k in range(tiles - 1, -1, -1):
        first = k * SIDE
        squares = min(SIDE // wide, -(-(size - first) // wide))
        inverses = starts[k] + _group(first, squares, wide)
        for g in range(squares - 1, -1, -1):
            place = first + g * wide
            at = inverses + g * wide * wide
            for i in range(wide):
                total = x.dtype.type(0)
                for j in range(i, wide):
                    total += panels[at + i * wide + j] * x[place + j]
                found[i] = total
            x[place : place + wide] = found
            at = starts[k] + _group(first, g, wide)
            for q in range(0, place, DOTS):
                dots(panels, at + q * wide, wide, found, steps, part, 0)
                for i in range(DOTS):
                    x[q + i] -= part[i]
