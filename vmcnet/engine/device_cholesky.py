"""Solutions of T x = b on the card of rank 0."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, on_host, to_host
from vmcnet.parallel.communicators import Communicator

WRONG = 1e-10  # of |T|_F |y|: a residual that no factorisation in float64 leaves


class DeviceCholesky:
    """T x = b, T (N, N) symmetric and positive definite plus a diagonal `shift`, both on the card
    of rank 0, which alone has T, factorises it in float64 and substitutes.

    C T C with ones on its diagonal is factorised. A library says nothing of a matrix that is not
    positive definite unless it is waited for: it is told by elements on the factor's diagonal that
    are not positive, or by the residual. The methods are collective; T is overwritten.
    """

    def __init__(self, comm: Communicator, matrix: Array | None, shift: Any) -> None:
        self._comm = comm
        if matrix is None:
            return
        xp = self._xp = namespace(matrix)
        diagonal = matrix.reshape(-1)[:: len(matrix) + 1]  # a view
        diagonal += xp.asarray(shift) if np.ndim(shift) else float(shift)
        valid = (diagonal > 0) & (diagonal < np.inf)
        self._scale = 1.0 / xp.sqrt(xp.where(valid, diagonal, np.nan))
        matrix *= self._scale[:, None]
        matrix *= self._scale
        self._matrix, self._norm = matrix, xp.sqrt((matrix * matrix).sum())
        self._upper = xp.linalg.cholesky(matrix).T
        self._positive = (self._upper.diagonal() > 0).all()
        self._substitute = import_module(f"{xp.__name__}x.scipy.linalg").solve_triangular

    def _solved(self, right: Array) -> Array:
        """x on the card, NaN where T is not positive definite to working precision."""
        xp, right = self._xp, self._scale * right
        y = self._substitute(self._upper, self._substitute(self._upper, right, trans="T"))
        residual = right - self._matrix @ y
        limit = WRONG * self._norm * xp.sqrt((y * y).sum())
        good = self._positive & (xp.sqrt((residual * residual).sum()) <= limit)
        return xp.where(good, self._scale * y, np.nan)

    def solve(self, right: Any) -> Any:
        """x (N,) on every rank for the right side that rank 0 gives: from the host to the host,
        None where T is not positive definite to working precision; of a rank alone from the card to
        the card, NaN there.
        """
        x = None
        if not self._comm.rank:
            x = self._solved(self._xp.asarray(right))
            if self._comm.size == 1 and not on_host(right):
                return x
            x = to_host(x)
        x = self._comm.broadcast(x)
        return x if x is not None and np.isfinite(x).all() else None
