"""The Cholesky factorisation on the blocks of numba_product; float32 and float64, one thread.

Right-looking by panels of PANEL columns, and in a panel by squares of WIDE: below a square R^T R
the rows are multiplied with R^-1, which is as stable as substitution where the square is well
conditioned (Du Croz and Higham, IMA J. Numer. Anal. 12, 1 (1992)).
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, ROWS, VECTORS, block, block_product

PANEL = 128  # columns that the rest of the matrix meets at a time, a multiple of any square's
WIDE = VECTORS * BITS // 8  # bytes of a row of a square
less = block_product(BITS, ROWS, VECTORS, subtracted=True)


@compiled
def scaled(matrix, scale, out):
    """The lower triangle of out (M, M) = scale_i matrix_ij scale_j, with ones on the diagonal from
    row N on; returns the sum of squares of the whole symmetric matrix (N, N), of which the lower
    triangle is given.
    """
    n, squares, total = len(matrix), np.zeros(len(matrix)), 0.0
    for i in range(n):
        row, to, left = matrix[i], out[i], scale[i]
        for j in range(i):
            element = left * row[j] * scale[j]
            squares[j] += element * element
            to[j] = element
        to[i] = left * row[i] * left
        total += to[i] * to[i]
    for i in range(n, len(out)):
        out[i] = 0
        out[i, i] = 1
    return total + 2 * squares.sum()


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
def _below(n, top):
    """The first row of the blocks of ROWS that end at row n and cover all rows from `top` on: those
    above it get numbers in the upper triangle alone.
    """
    return n - -(-(n - top) // ROWS) * ROWS


@compiled
def factorise(matrix):
    """matrix (N, N) = L of L L^T, N a multiple of a square's rows and at least ROWS, both lower
    triangles; the upper one is not kept. False where it is not positive definite.
    """
    n, c = len(matrix), matrix.reshape(-1)
    wide = WIDE // matrix.itemsize
    square, inverse = np.zeros((wide, wide), c.dtype), np.zeros((wide, wide), c.dtype)
    panel = np.zeros(n * PANEL, c.dtype)  # its rows side by side
    turned = np.empty(PANEL * wide, c.dtype)
    for k in range(0, n, PANEL):
        width = min(PANEL, n - k)
        for s in range(0, width, wide):
            at = k + s
            for i in range(wide):
                for j in range(i + 1):
                    square[j, i] = matrix[at + i, at + j]
            if not _square(square, inverse):
                return False
            for i in range(_below(n, at + wide), n, ROWS):
                block(
                    c,
                    i * n + at,
                    n,
                    1,
                    inverse.reshape(-1),
                    0,
                    wide,
                    wide,
                    panel,
                    (i - k) * width + s,
                    width,
                )
            for i in range(wide):
                for j in range(wide):
                    panel[(s + i) * width + s + j] = square[j, i] if j <= i else 0
            for t in range(s + wide, width, wide):
                _turn(panel, t * width + s, width, wide, turned, wide)
                for i in range(_below(n, k + t), n, ROWS):
                    less(
                        panel,
                        (i - k) * width + s,
                        width,
                        1,
                        turned,
                        0,
                        wide,
                        wide,
                        c,
                        i * n + k + t,
                        n,
                    )
        for i in range(k, n):
            for j in range(min(width, i - k + 1)):
                matrix[i, k + j] = panel[(i - k) * width + j]
        for t in range(k + width, n, wide):
            _turn(panel, (t - k) * width, width, width, turned, wide)
            for i in range(_below(n, t), n, ROWS):
                less(panel, (i - k) * width, width, 1, turned, 0, wide, width, c, i * n + t, n)
    return True


@compiled
def _turn(panel, at, width, terms, turned, wide):
    """turned (terms, wide) = the transpose of `wide` rows of the panel, from element `at` on."""
    for i in range(wide):
        for j in range(terms):
            turned[j * wide + i] = panel[at + i * width + j]
