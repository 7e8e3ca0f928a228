"""Terms of classical lattice models that the spin terms lack: Potts bonds, and order parameters
that are measured without being energy.
"""

from __future__ import annotations

import numpy as np


class PottsBonds:
    """strength sum_bonds delta(s_i, s_j) of every walker, (W,)."""

    def __init__(self, strength: float, bonds):
        self._strength, self._bonds = strength, np.asarray(bonds)

    def local(self, walkers, psi):
        s, (i, j) = walkers.s, self._bonds.T
        return self._strength * (s[:, i] == s[:, j]).sum(axis=1).astype(np.float64)


class OrderMoment:
    """m^power of every walker, (W,): m = (q max_c n_c / n - 1)/(q - 1) with n_c sites of colour c
    of q; for two spins m = |sum_i s_i|/n.
    """

    in_energy = False

    def __init__(self, power: int, labels):
        self._power, self._labels = power, tuple(labels)

    def local(self, walkers, psi):
        q, n = len(self._labels), walkers.s.shape[1]
        most = np.stack([(walkers.s == c).sum(axis=1) for c in self._labels]).max(axis=0)
        return ((q * most / n - 1.0) / (q - 1.0)) ** self._power
