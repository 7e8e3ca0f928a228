"""Solutions of T x = b, T symmetric and positive definite and dealt to the ranks, by a
factorisation in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.kernels import numba_cholesky, numba_product, plain_cholesky
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.parallel.dealt_matrix import DealtMatrix

BACKWARD = 0.25  # residuals at most, in units of eps |T|_F |x|: what float64 itself leaves
GAIN = 0.5  # of a step of the refinement on the residual, at least; otherwise float64 factorises


class Cholesky:
    """T x = b to the accuracy of float64, T (N, N) after its `shift`.

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

    def __init__(self, matrix: DealtMatrix) -> None:
        self._matrix, self._comm, self._norm = matrix, matrix.comm, 0.0
        self._factors = dict[Any, tuple[np.ndarray, np.ndarray] | None]()
        diagonal = matrix.diagonal()
        self._scale = 1.0 / np.sqrt(
            np.where((diagonal > 0) & (diagonal < np.inf), diagonal, np.nan)
        )
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
        """The panels of all tiles side by side and where each begins, on rank 0, elsewhere nothing
        is kept; None where the matrix is not positive definite.
        """
        matrix, tiles = self._matrix, dict[int, np.ndarray]()
        squares = np.zeros((len(matrix.own), 1))
        for k, t in enumerate(matrix.own):
            tiles[t] = np.empty((SIDE, SIDE * (t + 1)), dtype)
            squares[k] = numba_cholesky.scaled(matrix.rows[t], SIDE * t, self._scale, tiles[t])
        total = self._comm.gather_dealt(squares, matrix.owners)
        self._norm = 0.0 if total is None else float(np.sqrt(total.sum()))
        counts = [matrix.shape(t)[0] for t in range(matrix.tiles)]
        sizes = [self._loops.panel_size(SIDE * k, n, dtype) for k, n in enumerate(counts)]
        starts, sent = np.cumsum([0, *sizes]), []
        panels = np.empty(0 if self._comm.rank else starts[-1], dtype)

        def panel_of(k: int) -> tuple[np.ndarray, Any]:
            """The panel of a tile, on its way from the owner to all ranks."""
            panel = (
                np.empty(sizes[k], dtype) if self._comm.rank else panels[starts[k] :][: sizes[k]]
            )
            if k in tiles:
                self._loops.finish(tiles[k], counts[k], panel)
            request = self._comm.start_broadcast(panel, matrix.owners[k])
            if k in tiles:
                sent.append(request)
            return panel, request

        following = panel_of(0)
        for k in range(matrix.tiles):
            panel, request = following
            if k not in tiles:
                request.wait()
            if np.isnan(panel[-1]):
                break
            later = [t for t in matrix.own if t > k]
            if k + 1 in tiles:  # the others wait for this one
                self._loops.advance(tiles[k + 1], counts[k + 1], SIDE * k, panel)
                later = later[1:]
            if k + 1 < matrix.tiles:
                following = panel_of(k + 1)
            for t in later:
                self._loops.advance(tiles[t], counts[t], SIDE * k, panel)
        for request in sent:
            request.wait()
        return None if np.isnan(panel[-1]) else (panels, starts[:-1])
