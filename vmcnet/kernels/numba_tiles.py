"""Passes over tiles of rows of the lower triangle of a symmetric matrix; float64, one thread."""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, CHAIN, block_product
from vmcnet.kernels.numba_rows import DOTS, dot, dots

VECTORS = 12  # of a row that meet x together
WIDE = VECTORS * BITS // 64
SQUARE = 96  # columns that meet x from both sides while they are near: a multiple of WIDE
row_block = block_product(BITS, 1, VECTORS)


@compiled
def mirror(tile, shift):
    """The square on the diagonal of a tile (n, first + n): its upper triangle from the lower one,
    and shift (n,) on the diagonal.
    """
    count = len(tile)
    first = tile.shape[1] - count
    for j in range(count):
        row = tile[j]
        row[first + j] += shift[j]
        for i in range(j + 1, count):
            row[first + i] = tile[i, first + j]


@compiled
def off_diagonal(tile, x, rows, columns):
    """rows (n,) = T x and columns (m,) = T^T x' of the T (n, m) left of the square on the diagonal
    of a tile (n, m + n), m a multiple of SQUARE; x (m + n,), and x' its last n elements.
    """
    count, width = tile.shape
    left, c, found = width - count, tile.reshape(-1), np.empty(DOTS)
    rows[:] = 0
    for j in range(0, left, SQUARE):
        for q in range(j, j + SQUARE, WIDE):
            row_block(x, left, 0, 1, c, q, width, count, columns, q, 0)
        part = x[j : j + SQUARE]
        row = 0
        while row < count:
            if count >= row + DOTS:
                dots(c, row * width + j, width, part, 8 * SQUARE // CHAIN, found, 0)
                for i in range(DOTS):
                    rows[row + i] += found[i]
                row += DOTS
            else:
                dot(c, row * width + j, width, part, 8 * SQUARE // CHAIN, found, 0)
                rows[row] += found[0]
                row += 1
