"""The Cholesky factorisation of a matrix in tiles of rows, on the blocks of numba_product; float32
and float64, one thread.

Tile t holds the rows [SIDE t, SIDE (t + 1)) of the lower triangle, (SIDE, SIDE (t + 1)), in a
place of its own in one array. Its columns are finished SIDE at a time, from the rows of L in the
tiles above alone, so that tiles may lie on different ranks. What they need of tile k comes in two
parts: `begin` gives the early one, its columns up to SIDE (k - 1), with which the columns k below
are begun by `begin_below` while the tile itself still waits for its last ones; `finish` gives the
late one, with which `finish_below` ends them. Below a square R^T R of the diagonal, of WIDE bytes,
rows are multiplied with R^-1, which is as stable as substitution where the square is well
conditioned (Du Croz and Higham, IMA J. Numer. Anal. 12, 1 (1992)). plain_cholesky.py has the same
functions in BLAS and LAPACK.

The early part: for each square g the rows of L that begin there, turned, (columns, w). The late
part: the same of the columns between those and the square; then the inverses R^-1 (w, w) of all
squares. Its last element is NaN where a square is not positive definite.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, CHAIN, ROWS, VECTORS, block_product
from vmcnet.kernels.numba_rows import DOTS, dots
from vmcnet.kernels.numba_turn import turn

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


@compiled
def early_columns(k):
    """How many columns of tile k are in its early part."""
    return max(0, SIDE * (k - 1))


def sizes(k, rows, dtype):
    """Elements of the early and of the late part of tile k, which has so many rows."""
    wide = WIDE // np.dtype(dtype).itemsize
    squares, early = -(-rows // wide), early_columns(k)
    late = _late(SIDE * k - early, squares, wide) + squares * wide * wide
    return squares * early * wide, int(late)


@compiled
def _late(columns, g, wide):
    """Where the rows of square g begin in a late part, `columns` of them left of the tile's own."""
    return g * columns * wide + wide * wide * (g * (g - 1) // 2)


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
def begin(c, at, k, rows, early):
    """The early part of tile k, which begins at element `at`; takes it off the tile's diagonal."""
    wide, width, terms = WIDE // c.itemsize, SIDE * (k + 1), early_columns(k)
    squares = -(-rows // wide)
    for g in range(squares):
        turn(c, at + g * wide * width, width, wide, terms, early, g * terms * wide, wide)
    _less(c, at, width, rows, SIDE * k, terms, early, squares, True)


@compiled
def _less(c, at, width, rows, column, terms, early, squares, lower):
    """Takes the products of a tile's first columns with those of an early part off its columns from
    `column` on; where they are its diagonal the lower triangle is enough.
    """
    wide = WIDE // c.itemsize
    for first in range(0, terms, DEEP):
        these = min(DEEP, terms - first)
        for i in range(0, rows, ROWS):
            row = at + i * width
            for g in range(squares):
                if lower and i + ROWS <= g * wide:
                    continue
                start, to = (g * terms + first) * wide, row + column + g * wide
                less(c, row + first, width, 1, early, start, wide, these, c, to, width)


@compiled
def finish(c, at, k, rows, late):
    """The last columns of tile k, all other ones of which are finished, and its late part."""
    wide, width, own = WIDE // c.itemsize, SIDE * (k + 1), SIDE * k
    before = own - early_columns(k)  # columns left of the tile's own in the late part
    squares, left = -(-rows // wide), at + own - before
    inverses = _late(before, squares, wide)
    square, inverse = np.zeros((wide, wide), c.dtype), np.zeros((wide, wide), c.dtype)
    for g in range(squares):
        terms, to, corner = before + g * wide, _late(before, g, wide), g * wide
        turn(c, left + corner * width, width, wide, terms, late, to, wide)
        if terms:
            for i in range(corner // ROWS * ROWS, rows, ROWS):
                row = i * width
                out = at + row + own + corner
                less(c, left + row, width, 1, late, to, wide, terms, c, out, width)
        first = at + own + corner
        for i in range(wide):
            for j in range(i + 1):
                square[j, i] = c[first + (corner + i) * width + j]
        if not _square(square, inverse):
            late[-1] = np.nan
            return
        to = inverses + g * wide * wide
        late[to : to + wide * wide] = inverse.reshape(-1)
        for i in range((g + 1) * wide // ROWS * ROWS, rows, ROWS):
            row = first + i * width
            times(c, row, width, 1, late, to, wide, wide, c, row, width)
        for i in range(wide):
            for j in range(i + 1):
                c[first + (corner + i) * width + j] = square[j, i]


@compiled
def begin_below(c, starts, tiles, counts, k, early):
    """Takes the early part of tile k off the columns k of some tiles below it."""
    wide = WIDE // c.itemsize
    for n in range(len(tiles)):
        width = SIDE * (tiles[n] + 1)
        squares = SIDE // wide
        _less(c, starts[n], width, counts[n], SIDE * k, early_columns(k), early, squares, False)


@compiled
def finish_below(c, starts, tiles, counts, k, late):
    """The columns k of some tiles below tile k, from its late part."""
    wide, before = WIDE // c.itemsize, SIDE * k - early_columns(k)
    squares = SIDE // wide
    inverses = _late(before, squares, wide)
    for n in range(len(tiles)):
        width = SIDE * (tiles[n] + 1)
        for i in range(0, counts[n], ROWS):
            left = starts[n] + i * width + SIDE * k - before
            for g in range(squares):
                to, terms = left + before + g * wide, before + g * wide
                if terms:
                    part = _late(before, g, wide)
                    less(c, left, width, 1, late, part, wide, terms, c, to, width)
                part = inverses + g * wide * wide
                times(c, to, width, 1, late, part, wide, wide, c, to, width)


@compiled
def factorise(c, places, counts, parts, starts, sizes):
    """All tiles, of which tile k begins at element places[k] and has counts[k] rows, on one rank:
    its parts begin at element starts[k] of `parts` and have sizes (2,) elements. Returns False
    where a square is not positive definite.
    """
    tiles = np.arange(len(places))
    for k in tiles:
        middle = starts[k] + sizes[k, 0]
        early, late = parts[starts[k] : middle], parts[middle : middle + sizes[k, 1]]
        if len(early):
            begin(c, places[k], k, counts[k], early)
        finish(c, places[k], k, counts[k], late)
        if np.isnan(late[-1]):
            return False
        below = slice(k + 1, len(tiles))
        if len(early):
            begin_below(c, places[below], tiles[below], counts[below], k, early)
        finish_below(c, places[below], tiles[below], counts[below], k, late)
    return True


@compiled
def substitute(parts, starts, size, x):
    """x (M,) = (L L^T)^-1 x, M a multiple of SIDE, x zero beyond `size`; the parts of tile k, early
    and late, begin at element starts[k].
    """
    wide = WIDE // x.itemsize
    tiles, found = len(starts), np.empty(wide, x.dtype)
    for k in range(tiles):
        early, squares, before, late, inverses = _places(k, starts[k], size, wide)
        for g in range(squares):
            place = SIDE * k + g * wide
            if early:
                at = starts[k] + g * early * wide
                row_less(x, 0, 0, 1, parts, at, wide, early, x, place, 0)
            if place > early:
                at = late + _late(before, g, wide)
                row_less(x, early, 0, 1, parts, at, wide, place - early, x, place, 0)
            at = inverses + g * wide * wide
            row_times(x, place, 0, 1, parts, at, wide, wide, found, 0, 0)
            x[place : place + wide] = found
    for k in range(tiles - 1, -1, -1):
        early, squares, before, late, inverses = _places(k, starts[k], size, wide)
        for g in range(squares - 1, -1, -1):
            place = SIDE * k + g * wide
            at = inverses + g * wide * wide
            for i in range(wide):
                total = x.dtype.type(0)
                for j in range(i, wide):
                    total += parts[at + i * wide + j] * x[place + j]
                found[i] = total
            x[place : place + wide] = found
            _columns_less(parts, starts[k] + g * early * wide, found, x, 0, early)
            _columns_less(parts, late + _late(before, g, wide), found, x, early, place)


@compiled
def _places(k, start, size, wide):
    """Of the parts of tile k: early columns, squares, the others left of its own, and where late
    part and inverses begin.
    """
    early = early_columns(k)
    squares, before = min(SIDE // wide, -(-(size - SIDE * k) // wide)), SIDE * k - early
    late = start + squares * early * wide
    return early, squares, before, late, late + _late(before, squares, wide)


@compiled
def _columns_less(parts, at, found, x, first, stop):
    """x[first:stop] -= the rows of (stop - first, w) from element `at` on times found (w,)."""
    wide, part = len(found), np.empty(DOTS, x.dtype)
    steps = wide * x.itemsize // CHAIN
    for q in range(first, stop, DOTS):
        dots(parts, at + (q - first) * wide, wide, found, steps, part, 0)
        for i in range(DOTS):
            x[q + i] -= part[i]
