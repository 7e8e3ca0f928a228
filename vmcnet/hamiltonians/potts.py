"""Terms of classical lattice models that the spin terms lack: Potts bonds."""

from __future__ import annotations

import numpy as np


class PottsBonds:
    """strength sum_bonds delta(s_i, s_j) of every walker, (W,)."""

    def __init__(self, strength: float, bonds):
        self._strength, self._bonds = strength, np.asarray(bonds)

    def local(self, walkers, psi):
        s, (i, j) = walkers.s, self._bonds.T
        return self._strength * (s[:, i] == s[:, j]).sum(axis=1).astype(np.float64)
