"""Coulomb repulsion in open space."""

from __future__ import annotations

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.jet import pair_arrays
from vmcnet.walkers import Psi, Walkers


class Coulomb:
    """strength sum_{i<j} 1/sqrt(r_ij^2 + softening^2) of every walker, (W,); softening 0 is the
    bare 1/r.
    """

    name = "coulomb"
    rowwise = True

    def __init__(self, strength: float = 1.0, softening: float = 0.0) -> None:
        self._strength, self._square = float(strength), float(softening) ** 2

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.r.shape[1])
        difference = walkers.r[:, i] - walkers.r[:, j]
        return self._strength * (
            1.0 / xp.sqrt((difference * difference).sum(axis=-1) + self._square)
        ).sum(axis=-1)
