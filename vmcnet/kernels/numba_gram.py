"""The Gram matrix of the walkers put together from its tiles; its plain twin is in the tests."""

from __future__ import annotations

from vmcnet.kernels.compiled import compiled


@compiled
def fill_lower(tiles, means, mean, walkers, out):
    """The lower triangle of out (N, N) = (tile - mean_i - mean_j + mean) / walkers.

    tiles (B, B // 2 + 1, n, n): [b, k] is rows of block b by rows of block (b + k) mod B, N = B n.
    means (N, parts), mean (parts, parts): of the rows over each part of the columns; a block has
    its rows part after part. Of a pair half-way round only the lower block's tile counts.
    """
    blocks, distances, side, _ = tiles.shape
    parts = means.shape[1]
    width = side // parts
    for b in range(blocks):
        for k in range(distances):
            if 2 * k == blocks and 2 * b >= blocks:
                continue
            j = (b + k) % blocks
            tile = tiles[b, k]
            if b >= j:
                for r in range(side):
                    row, here = out[b * side + r], r // width
                    for there in range(parts):
                        off = means[b * side + r, there] - mean[here, there]
                        for c in range(there * width, (there + 1) * width):
                            row[j * side + c] = (
                                (tile[r, c] - off) - means[j * side + c, here]
                            ) / walkers
            else:
                for c in range(side):
                    row, there = out[j * side + c], c // width
                    for here in range(parts):
                        off = means[j * side + c, here]
                        for r in range(here * width, (here + 1) * width):
                            row[b * side + r] = (
                                (tile[r, c] - (means[b * side + r, there] - mean[here, there]))
                                - off
                            ) / walkers
