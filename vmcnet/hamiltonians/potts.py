"""Terms of classical lattice models that the spin terms lack: Potts bonds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array
from vmcnet.walkers import Psi, Walkers


class PottsBonds:
    """strength sum_bonds w_ij delta(s_i, s_j) of every walker, (W,); w_ij 1 unless given."""

    def __init__(self, strength: float, bonds: ArrayLike, weights: ArrayLike = 1) -> None:
        self._strength, self._bonds = strength, np.asarray(bonds)
        self._weights = np.broadcast_to(weights, len(self._bonds)).astype(np.int64)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        s, (i, j) = walkers.s, self._bonds.T
        return self._strength * ((s[:, i] == s[:, j]) @ self._weights).astype(np.float64)
