"""A symmetric matrix whose tiles of rows are dealt to the ranks: the grid depends on its size
alone, and so do all shapes of the arithmetic; who owns a tile changes no bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from vmcnet.kernels import numba_product
from vmcnet.kernels.numba_cholesky import SIDE, scaled
from vmcnet.kernels.numba_tiles import mirror, off_diagonal
from vmcnet.parallel.communicators import Communicator


@lru_cache(maxsize=64)
def owners(tiles: int, ranks: int) -> tuple[int, ...]:
    """The rank of every tile of rows: forth and back, so that every rank has as many of the last
    ones, in which most is to be done.
    """
    turns = [*range(ranks), *reversed(range(ranks))]
    return tuple(turns[(tiles - 1 - t) % len(turns)] for t in range(tiles))


class Tiles:
    """The grid of a symmetric matrix (N, N): tile t has the rows SIDE t up to SIDE (t + 1), left of
    and on the diagonal.
    """

    def __init__(self, comm: Communicator, size: int) -> None:
        self.comm, self.size = comm, size
        self.tiles = -(-size // SIDE)
        self.owners = owners(self.tiles, comm.size)
        self.own = [t for t, rank in enumerate(self.owners) if rank == comm.rank]

    def span(self, tile: int) -> slice:
        """The rows of a tile."""
        return slice(SIDE * tile, min(SIDE * (tile + 1), self.size))

    def shape(self, tile: int) -> tuple[int, int]:
        rows = self.span(tile)
        return rows.stop - rows.start, rows.stop


class DealtMatrix(Tiles):
    """The lower triangle of a symmetric matrix, float64: tile t is an array (n, SIDE t + n) in
    `rows` of the rank that owns it.

    Its methods are collective, and give the same bits on any number of ranks.
    """

    def __init__(self, comm: Communicator, size: int) -> None:
        super().__init__(comm, size)
        self.rows = dict[int, np.ndarray]()  # that its maker fills

    def shift(self, values: Any) -> None:
        """Adds a number or (N,) to the diagonal, and completes the squares on it."""
        values = np.broadcast_to(values, (self.size,))
        for t, rows in self.rows.items():
            mirror(rows, values[self.span(t)])

    def diagonal(self) -> np.ndarray:
        """(N,) on every rank."""
        found = np.zeros((len(self.own), SIDE))
        for k, t in enumerate(self.own):
            count, first = len(self.rows[t]), self.span(t).start
            found[k, :count] = self.rows[t][:, first:].diagonal()
        return self.comm.allgather_dealt(found, self.owners).ravel()[: self.size]

    def scaled(self, scale: np.ndarray, c: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The own tiles of C T C, C = diag(scale), as numba_cholesky.scaled makes them at `places`
        of c; for each the sum of the squares that its rows have in the whole matrix.
        """
        found = np.zeros(len(self.own))
        for n, t in enumerate(self.own):
            to = c[places[t] : places[t] + SIDE * SIDE * (t + 1)].reshape(SIDE, -1)
            found[n] = scaled(self.rows[t], SIDE * t, scale, to)
        return found

    def product(self, x: np.ndarray) -> np.ndarray | None:
        """T x (N,) on rank 0, None elsewhere; x (N,) the same on every rank, after `shift`."""
        found = np.zeros((len(self.own), self.size))
        compiled = numba_product.chosen() == numba_product.OWN
        for to, t in zip(found, self.own, strict=True):
            span, rows = self.span(t), self.rows[t]
            if compiled:
                off_diagonal(rows, x[: span.stop], to[span], to[: span.start])
                to[span] += rows[:, span.start :] @ x[span]
            else:
                to[span] = rows @ x[: span.stop]
                to[: span.start] = x[span] @ rows[:, : span.start]
        every = self.comm.gather_dealt(found, self.owners)
        return None if every is None else every.sum(axis=0)
