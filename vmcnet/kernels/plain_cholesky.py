"""numba_cholesky in BLAS and LAPACK: tiles of the same shapes, so that bits depend on no dealing.

The panel of tile k: its rows of L, (rows, SIDE k + rows); its last element is NaN where the tile is
not positive definite.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.numba_cholesky import SIDE


def panel_size(first, rows, dtype):
    return rows * (first + rows)


def finish(tile, rows, panel):
    first = tile.shape[1] - SIDE
    left, own = tile[:rows, :first], tile[:rows, first : first + rows]
    to = panel.reshape(rows, first + rows)
    try:
        to[:, first:] = np.linalg.cholesky(own - left @ left.T)
        to[:, :first] = left
    except np.linalg.LinAlgError:
        to[-1, -1] = np.nan


def advance(tile, rows, first, panel):
    from scipy.linalg import solve_triangular

    finished, own = panel.reshape(SIDE, first + SIDE), tile[:rows, first : first + SIDE]
    right = own - tile[:rows, :first] @ finished[:, :first].T
    own[:] = solve_triangular(finished[:, first:], right.T, lower=True, check_finite=False).T


def substitute(panels, starts, size, x):
    from scipy.linalg import solve_triangular

    def rows_of(k):
        stop = min(SIDE * (k + 1), size)
        count = stop - SIDE * k
        at = starts[k]
        return SIDE * k, stop, panels[at : at + panel_size(SIDE * k, count, x.dtype)]

    for k in range(len(starts)):
        first, stop, panel = rows_of(k)
        rows = panel.reshape(stop - first, stop)
        right = x[first:stop] - rows[:, :first] @ x[:first]
        x[first:stop] = solve_triangular(rows[:, first:], right, lower=True, check_finite=False)
    for k in range(len(starts) - 1, -1, -1):
        first, stop, panel = rows_of(k)
        rows = panel.reshape(stop - first, stop)
        x[first:stop] = solve_triangular(
            rows[:, first:], x[first:stop], lower=True, trans=1, check_finite=False
        )
        x[:first] -= x[first:stop] @ rows[:, :first]
