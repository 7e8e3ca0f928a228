"""Solutions of T x = b, T symmetric and positive definite and dealt to the ranks, by a
factorisation in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from vmcnet.kernels import numba_cholesky, numba_product, plain_cholesky
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.parallel.communicators import Communicator

BACKWARD = 0.25  # residuals at most, in units of eps |T|_F |x|: what float64 itself leaves
GAIN = 0.5  # of a step of the refinement on the residual, at least; otherwise float64 factorises


class Matrix(Protocol):
    """Tiles that are kept, as in DealtMatrix, or made where they are wanted."""

    comm: Communicator
    size: int
    tiles: int
    owners: tuple[int, ...]
    own: list[int]

    def diagonal(self) -> np.ndarray: ...

    def scaled(self, scale: np.ndarray, c: np.ndarray, places: np.ndarray) -> np.ndarray: ...

    def product(self, x: np.ndarray) -> np.ndarray | None: ...


class Cholesky:
    """T x = b to the accuracy of float64, T (N, N) after its `shift`: a DealtMatrix, or what has
    its `diagonal`, `scaled` and `product`.

    The factorisation is made in float32, of C T C with ones on its diagonal, and y = x / C refined
    with residuals in float64 until |C (b - T x)| <= BACKWARD eps |C T C|_F |y|: three to seven
    steps up to a condition of 1e6 (N. J. Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., sections 10.1 and 12.1; E. Carson and N. J. Higham, SIAM J. Sci. Comput. 40, A817
    (2018)). Where float32 finds T not positive definite, or a step gains too little, float64
    factorises.

    Every rank makes the rows of L in its own tiles, SIDE columns at a time by the panel of the tile
    on the diagonal, which its owner sends to all; rank 0 keeps the panels and substitutes, every
    rank multiplies its own rows of T with x. All methods are collective, and give the same bits on
    any number of ranks.
    """

    ALONE = True  # whether one rank factorises by one call: the same bits

    def __init__(self, matrix: Matrix) -> None:
        self._matrix, self._comm, self._norm = matrix, matrix.comm, 0.0
        self._factors = dict[Any, tuple[np.ndarray, np.ndarray] | None]()
        diagonal = matrix.diagonal()
        self._scale = 1.0 / np.sqrt(
            np.where((diagonal > 0) & (diagonal < np.inf), diagonal, np.nan)
        )
        self._alone = self.ALONE and matrix.comm.size == 1
        own = numba_product.chosen() == numba_product.OWN
        self._loops: Any = numba_cholesky if own else plain_cholesky

    def solve(self, right: np.ndarray | None) -> np.ndarray | None:
        """x (N,) on every rank for the right side (N,) that rank 0 gives; None where T is not
        positive definite to working precision.
        """
        right = None if self._comm.rank else right
        y = self._refined(right)
        if y is None:
            self._factors[np.float32] = None
            if not self._factorised(np.float64):
                return None
            y = self._comm.broadcast(self._once(np.float64, right, self._scale))
        return None if y is None else self._scale * y

    def _refined(self, right: np.ndarray | None) -> np.ndarray | None:
        if not self._factorised(np.float32):
            return None
        from scipy.linalg.blas import dnrm2  # of numbers whose squares overflow, too

        y, residual, before = np.zeros(self._matrix.size), right, np.inf
        if residual is not None:
            residual = self._scale * residual
        while True:
            told = None  # whether y is good enough, and y; None where float64 must factorise
            if residual is not None:
                size = dnrm2(residual)
                if size <= BACKWARD * np.finfo(float).eps * self._norm * dnrm2(y):
                    told = True, y
                elif size <= GAIN * before:
                    step = self._once(np.float32, residual / size)
                    told = None if step is None else (False, y + size * step)
                    before = size
            told = self._comm.broadcast(told)
            if told is None or told[0]:
                return None if told is None else told[1]
            y = told[1]
            image = self._matrix.product(self._scale * y)
            if right is not None and image is not None:
                residual = self._scale * (right - image)

    def _once(self, dtype: Any, right: np.ndarray | None, scale: Any = 1.0) -> np.ndarray | None:
        """The solution of C T C y = scale right by the factors of this precision, on rank 0."""
        factors = self._factors[dtype]
        if right is None or factors is None:
            return None
        y = np.zeros(self._matrix.tiles * SIDE, dtype)
        y[: len(right)] = scale * right
        self._loops.substitute(*factors, len(right), y)
        return y[: len(right)].astype(float) if np.isfinite(y).all() else None

    def _factorised(self, dtype: Any) -> bool:
        if dtype not in self._factors:
            self._factors[dtype] = self._factorise(dtype)
        return self._factors[dtype] is not None

    def _factorise(self, dtype: Any) -> tuple[np.ndarray, np.ndarray] | None:
        """What `substitute` needs, the parts of all tiles side by side and where each begins, on
        rank 0, elsewhere nothing; None where the matrix is not positive definite.
        """
        loops, last = self._loops, self._matrix.tiles - 1
        plan = _plan(self._matrix.size, self._matrix.owners, self._comm.rank)
        c = np.empty(plan.elements, dtype)
        self._scaled(c, plan.places)
        sizes = _sizes(loops, self._matrix.size, dtype)
        parts = _Parts(self._matrix, sizes, dtype)
        if self._alone:
            arguments = plan.places, plan.counts, parts.kept, parts.starts, np.array(sizes)
            return (parts.kept, parts.starts) if loops.factorise(c, *arguments) else None

        def part_of(k: int, late: int, function: Any) -> None:
            """Makes an own part and has it sent, or has it received."""
            part = parts.room(k, late)
            if k in plan.own and len(part):
                function(c, plan.places[k], k, plan.counts[k], part)
            parts.send(k, late)

        def below(function: Any, k: int, groups: tuple, part: np.ndarray) -> None:
            for group in groups if len(part) else ():
                function(c, *group, k, part)
                self._comm.progress()

        part_of(0, LATE, loops.finish)
        for k in range(last + 1):
            late = parts.wait(k, LATE)
            if np.isnan(late[-1]):
                break
            below(loops.finish_below, k, plan.following[k], late)  # others wait for this one
            if k < last:
                part_of(k + 1, LATE, loops.finish)
            below(loops.finish_below, k, plan.later[k], late)
            if k + 1 < last:
                part_of(k + 2, EARLY, loops.begin)
            if k < last:
                below(loops.begin_below, k + 1, plan.later[k], parts.wait(k + 1, EARLY))
        parts.end()
        failed, kept = np.isnan(late[-1]), np.empty(0, dtype) if self._comm.rank else parts.kept
        return None if failed else (kept, parts.starts)

    def _scaled(self, c: np.ndarray, places: np.ndarray) -> None:
        """The own tiles of C T C, and its norm on rank 0."""
        squares = self._matrix.scaled(self._scale, c, places)[:, None]
        total = self._comm.gather_dealt(squares, self._matrix.owners)
        self._norm = 0.0 if total is None else float(np.sqrt(total.sum()))


EARLY, LATE = 0, 1  # parts of a tile
STAY = 4  # tiles whose parts are used or on their way at a time: k to k + 2 at step k


@dataclass(frozen=True)
class _Plan:
    """What a rank does: its tiles, in one array of so many elements where each has its place, and
    for every k those of them that come next or later below tile k, as arguments of the loops.
    """

    own: frozenset
    counts: np.ndarray  # rows of all tiles
    places: np.ndarray
    elements: int
    following: list[tuple]
    later: list[tuple]


@lru_cache(maxsize=16)
def _plan(size: int, owners: tuple[int, ...], rank: int) -> _Plan:
    tiles = np.arange(len(owners))
    own = tiles[np.array(owners) == rank]
    counts, places = np.minimum(SIDE, size - SIDE * tiles), np.zeros(len(owners), int)
    ends = np.cumsum(SIDE * SIDE * (own + 1))
    places[own[1:]] = ends[:-1]

    def groups(chosen: np.ndarray) -> tuple:
        return tuple((places[some], some, counts[some]) for some in chosen[:, None])

    following = [groups(own[own == k + 1]) for k in tiles]
    later = [groups(own[own > k + 1]) for k in tiles]
    return _Plan(
        frozenset(own.tolist()), counts, places, int(ends[-1]) if len(own) else 0, following, later
    )


@lru_cache(maxsize=16)
def _sizes(loops: Any, size: int, dtype: Any) -> list[tuple[int, int]]:
    """Elements of the parts of all tiles."""
    starts = range(0, size, SIDE)
    return [loops.sizes(k, min(SIDE, size - first), dtype) for k, first in enumerate(starts)]


class _Parts:
    """The parts of all tiles on their way from their owners, in one array: rank 0 keeps them side
    by side, the others their own ones, and of those that come the last STAY.
    """

    def __init__(self, matrix: Matrix, sizes: list, dtype: Any) -> None:
        self._comm, self._owners, self._sizes = matrix.comm, matrix.owners, sizes
        kept = matrix.own if self._comm.rank else range(matrix.tiles)
        starts = np.cumsum([0, *(sum(sizes[k]) for k in kept)])
        self.starts = starts[:-1]
        self._begins = dict(zip(kept, self.starts.tolist(), strict=True))
        most = sum(map(max, zip(*sizes, strict=True)))
        if self._comm.rank:
            self._begins = {k: int(starts[-1]) + k % STAY * most for k in range(matrix.tiles)} | (
                self._begins
            )
        self.kept = np.empty(starts[-1] + (STAY * most if self._comm.rank else 0), dtype)
        self._requests = dict[Any, Any]()

    def room(self, k: int, late: int) -> np.ndarray:
        """The place of a part."""
        start = self._begins[k] + late * self._sizes[k][EARLY]
        return self.kept[start : start + self._sizes[k][late]]

    def send(self, k: int, late: int) -> None:
        room = self.room(k, late)
        if len(room):
            self._requests[k, late] = self._comm.start_broadcast(room, self._owners[k])

    def wait(self, k: int, late: int) -> np.ndarray:
        """A part that was made here or has come."""
        if self._owners[k] != self._comm.rank and self._sizes[k][late]:
            self._requests.pop((k, late)).wait()
        return self.room(k, late)

    def end(self) -> None:
        """Waits for what was sent, or has not been used."""
        for request in self._requests.values():
            request.wait()
