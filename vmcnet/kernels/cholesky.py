"""Solutions of T x = b, T symmetric and positive definite, by a factorisation in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.kernels import numba_cholesky, numba_product

BACKWARD = 0.25  # residuals at most, in units of eps |T|_F |x|: what float64 itself leaves
GAIN = 0.5  # of a step of the refinement on the residual, at least; otherwise float64 factorises


class Cholesky:
    """T x = b to the accuracy of float64, T (N, N) by its lower triangle, float64.

    The factorisation is made in float32, of C T C with ones on its diagonal, and y = x / C refined
    with residuals in float64 until |C (b - T x)| <= BACKWARD eps |C T C|_F |y|: three to seven
    steps up to a condition of 1e6 (N. J. Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., sections 10.1 and 12.1; E. Carson and N. J. Higham, SIAM J. Sci. Comput. 40, A817
    (2018)). Where float32 finds T not positive definite, or a step gains too little, float64
    factorises.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        diagonal = matrix.diagonal()
        self._matrix, self._norm, self._factors = matrix, 0.0, dict[Any, np.ndarray | None]()
        self._scale = 1.0 / np.sqrt(
            np.where((diagonal > 0) & (diagonal < np.inf), diagonal, np.nan)
        )

    def solve(self, right: np.ndarray) -> np.ndarray | None:
        """x (N,); None where T is not positive definite to working precision."""
        y = self._refined(right)
        if y is None:
            self._factors[np.float32] = None
            y = self._once(np.float64, self._scale * right)
        return None if y is None else self._scale * y

    def _refined(self, right: np.ndarray) -> np.ndarray | None:
        from scipy.linalg.blas import dnrm2, dsymv

        y, residual, before = np.zeros(len(right)), self._scale * right, np.inf
        while True:
            size = dnrm2(residual)
            if size <= BACKWARD * np.finfo(float).eps * self._norm * dnrm2(y):
                return y
            if not size <= GAIN * before:
                return None
            step = self._once(np.float32, residual / size)
            if step is None:
                return None
            y, before = y + size * step, size
            residual = self._scale * (right - dsymv(1.0, self._matrix.T, self._scale * y, lower=0))

    def _once(self, dtype: Any, right: np.ndarray) -> np.ndarray | None:
        """The solution of C T C y = right by the factors of this precision."""
        from scipy.linalg import get_blas_funcs

        if dtype not in self._factors:
            self._factors[dtype] = self._factorised(dtype)
        factor = self._factors[dtype]
        if factor is None:
            return None
        y = np.zeros(len(factor), dtype)
        y[: len(right)] = right
        substituted = get_blas_funcs("trsv", (factor,))  # factor.T: the order of BLAS, no copy
        y = substituted(factor.T, substituted(factor.T, y, trans=1), trans=0)[: len(right)]
        return y.astype(float) if np.isfinite(y).all() else None

    def _factorised(self, dtype: Any) -> np.ndarray | None:
        """L, its lower triangle, with rows up to those of a block of the compiled loops."""
        own = numba_product.chosen() == numba_product.OWN
        rows = numba_cholesky.WIDE // np.dtype(dtype).itemsize if own else 1
        factor = np.empty((-(-len(self._matrix) // rows) * rows,) * 2, dtype)
        self._norm = float(np.sqrt(numba_cholesky.scaled(self._matrix, self._scale, factor)))
        if own:
            return factor if numba_cholesky.factorise(factor) else None
        from scipy.linalg import get_lapack_funcs

        potrf = get_lapack_funcs("potrf", (factor,))
        found, failed = potrf(factor.T, lower=0, overwrite_a=1, clean=0)
        return None if failed else found.T
