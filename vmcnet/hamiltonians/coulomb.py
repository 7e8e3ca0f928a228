"""Coulomb repulsion in open space."""

from __future__ import annotations

from vmcnet.backend import namespace
from vmcnet.calculus.jet import pair_indices


class Coulomb:
    """strength sum_{i<j} 1/r_ij of every walker, (W,)."""

    name = "coulomb"

    def __init__(self, strength: float = 1.0):
        self._strength = strength

    def local(self, walkers, psi):
        xp = namespace(walkers.r)
        i, j = (xp.asarray(k) for k in pair_indices(walkers.r.shape[1]))
        difference = walkers.r[:, i] - walkers.r[:, j]
        return self._strength * (1.0 / xp.sqrt((difference * difference).sum(axis=-1))).sum(axis=-1)
