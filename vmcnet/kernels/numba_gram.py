"""The Gram matrix of the walkers put together from its tiles; its plain twin is in the tests.

tiles (B, B // 2 + 1, n, n): [b, k] is of the blocks b and (b + k) mod B, the rows of the higher one
by the rows of the lower one; the whole matrix has N = B n rows.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_rows import row_sums


@compiled
def partners(b, blocks):
    """How many blocks b, b + 1, ... (cyclic) block b is multiplied with; the pair half-way round
    belongs to the lower block.
    """
    return blocks // 2 + (1 if blocks % 2 == 1 or b < blocks // 2 else 0)


@compiled
def add_row_sums(tiles, sums):
    """sums (parts, N) += of every row over each part of the columns; a block has its columns part
    after part.
    """
    blocks, _, side, _ = tiles.shape
    parts = len(sums)
    width = side // parts
    rows, columns = np.empty(side * parts), np.empty(side)
    for b in range(blocks):
        for k in range(partners(b, blocks)):
            tile, j = tiles[b, k], (b + k) % blocks
            high, low = max(b, j) * side, min(b, j) * side
            row_sums(tile.reshape(side * parts, width), rows)
            for part in range(parts):
                for r in range(side):
                    sums[part, high + r] += rows[r * parts + part]
                if k:
                    columns[:] = 0
                    for r in range(part * width, (part + 1) * width):
                        row = tile[r]
                        for c in range(side):
                            columns[c] += row[c]
                    for c in range(side):
                        sums[part, low + c] += columns[c]


@compiled
def fill_lower(tiles, means, mean, factor, out):
    """The lower triangle of out (N, N) = factor (tile - mean_i - mean_j + mean), means (parts, N)
    and mean (parts, parts) of the rows over each part of the columns.
    """
    blocks, _, side, _ = tiles.shape
    parts = len(means)
    width = side // parts
    for b in range(blocks):
        for k in range(partners(b, blocks)):
            tile, j = tiles[b, k], (b + k) % blocks
            high, low = max(b, j) * side, min(b, j) * side
            for r in range(side):
                here = r // width
                for there in range(parts):
                    off = means[there, high + r] - mean[there, here]
                    start = low + there * width
                    row, other = out[high + r, start : start + width], means[here]
                    other = other[start : start + width]
                    given = tile[r, there * width : (there + 1) * width]
                    for c in range(width):
                        row[c] = factor * (given[c] - off - other[c])
