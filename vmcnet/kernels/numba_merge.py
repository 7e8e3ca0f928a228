"""Compiled merging of rows of blocks; its plain twin is in the tests."""

from __future__ import annotations

from vmcnet.kernels.compiled import compiled

# what a column of a row is; a number c >= 0: the M2, sum (x - mean)^2, of the mean in column c
SUM, MAXIMUM, MEAN = -1, -2, -3


@compiled
def merge(rows, pairs, kinds):
    """Overwrite row i by that of the union of i and j, for all pairs (i, j) (M, 2) in their order;
    rows (N, K), kinds (K,).

    Column 0, a sum, is the count n: with d = mean_j - mean_i and n = n_i + n_j the mean is mean_i +
    d n_j/n and M2 is M2_i + M2_j + d^2 n_i n_j/n (Chan, Golub, LeVeque 1979, eq. 2.1). Without a
    count means stay.
    """
    for m in range(len(pairs)):
        a, b = rows[pairs[m, 0]], rows[pairs[m, 1]]
        total = a[0] + b[0]
        part = b[0] / total if total > 0.0 else 0.0
        both = a[0] * b[0] / total if total > 0.0 else 0.0
        for c in range(len(kinds)):
            if kinds[c] >= 0:
                delta = b[kinds[c]] - a[kinds[c]]
                a[c] = a[c] + b[c] + delta * delta * both
        for c in range(len(kinds)):
            if kinds[c] == SUM:
                a[c] += b[c]
            elif kinds[c] == MAXIMUM:
                a[c] = max(a[c], b[c])
            elif kinds[c] == MEAN:
                a[c] += (b[c] - a[c]) * part
