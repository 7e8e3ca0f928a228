"""Harmonic trap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array, namespace
from vmcnet.walkers import Psi, Walkers


class Harmonic:
    """(1/2) sum_i sum_k omega_k^2 x_ik^2 of every walker, (W,); mass 1; omega one number, or one
    for every axis.
    """

    name = "trap"
    rowwise = True

    def __init__(self, omega: ArrayLike) -> None:
        self._factor = 0.5 * np.square(omega, dtype=np.float64)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        xp = namespace(walkers.r)
        return (xp.asarray(self._factor, dtype=walkers.r.dtype) * walkers.r * walkers.r).sum(
            axis=(1, 2)
        )
