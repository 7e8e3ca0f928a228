"""numba_cholesky in BLAS and LAPACK: tiles of the same shapes, so that bits depend on no dealing.

The parts of tile k are its rows of L, the early one (rows, early columns) and the late one (rows,
SIDE k + rows - early columns); their last element is NaN where the tile is not positive definite.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.numba_cholesky import SIDE, early_columns


def sizes(k, rows, dtype):
    early = early_columns(k)
    return rows * early, rows * (SIDE * k + rows - early)


def _tile(c, at, k, rows):
    """The rows of tile k, left of its own columns and those."""
    tile = c[at : at + SIDE * SIDE * (k + 1)].reshape(SIDE, -1)[:rows]
    return tile[:, : SIDE * k], tile[:, SIDE * k :][:, :rows]


def begin(c, at, k, rows, early):
    left, own = _tile(c, at, k, rows)
    part = left[:, : early_columns(k)]
    own -= part @ part.T
    early[:] = part.ravel()


def finish(c, at, k, rows, late):
    left, own = _tile(c, at, k, rows)
    part, to = left[:, early_columns(k) :], late.reshape(rows, -1)
    try:
        to[:, -rows:] = np.linalg.cholesky(own - part @ part.T)
        to[:, :-rows] = part
    except np.linalg.LinAlgError:
        late[-1] = np.nan


def begin_below(c, starts, tiles, counts, k, early):
    first = early_columns(k)
    for at, tile, rows in zip(starts, tiles, counts, strict=True):
        left = _tile(c, at, tile, rows)[0]
        left[:, SIDE * k : SIDE * (k + 1)] -= left[:, :first] @ early.reshape(SIDE, first).T


def finish_below(c, starts, tiles, counts, k, late):
    from scipy.linalg import solve_triangular

    first, above = early_columns(k), late.reshape(SIDE, -1)
    for at, tile, rows in zip(starts, tiles, counts, strict=True):
        left = _tile(c, at, tile, rows)[0]
        own = left[:, SIDE * k : SIDE * (k + 1)]
        right = own - left[:, first : SIDE * k] @ above[:, :-SIDE].T
        own[:] = solve_triangular(above[:, -SIDE:], right.T, lower=True, check_finite=False).T


def factorise(c, places, counts, parts, starts, sizes):
    for k, (first, (early, late)) in enumerate(zip(starts, sizes, strict=True)):
        part, below = parts[first : first + early], slice(k + 1, None)
        rest = places[below], range(k + 1, len(places)), counts[below]
        if early:
            begin(c, places[k], k, counts[k], part)
            begin_below(c, *rest, k, part)
        part = parts[first + early : first + early + late]
        finish(c, places[k], k, counts[k], part)
        if np.isnan(part[-1]):
            return False
        if len(rest[1]):
            finish_below(c, *rest, k, part)
    return True


def substitute(parts, starts, size, x):
    from scipy.linalg import solve_triangular

    tiles = []
    for k, at in enumerate(starts):
        first, stop = SIDE * k, min(SIDE * (k + 1), size)
        early, late = sizes(k, stop - first, x.dtype)
        pieces = parts[at : at + early], parts[at + early : at + early + late]
        tiles.append((first, stop, *(piece.reshape(stop - first, -1) for piece in pieces)))
    for first, stop, early, late in tiles:
        begun, count = early.shape[1], stop - first
        right = x[first:stop] - early @ x[:begun] - late[:, :-count] @ x[begun:first]
        x[first:stop] = solve_triangular(late[:, -count:], right, lower=True, check_finite=False)
    for first, stop, early, late in reversed(tiles):
        begun, count = early.shape[1], stop - first
        x[first:stop] = solve_triangular(
            late[:, -count:], x[first:stop], lower=True, trans=1, check_finite=False
        )
        x[:begun] -= x[first:stop] @ early
        x[begun:first] -= x[first:stop] @ late[:, :-count]
