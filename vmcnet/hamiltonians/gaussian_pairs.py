"""A Gaussian interaction between pairs in open space."""

from __future__ import annotations

import numpy as np

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.jet import pair_arrays
from vmcnet.walkers import Psi, Walkers


class GaussianPairs:
    """strength/(sqrt(2 pi) s) sum_{i<j} exp(-r_ij^2/2 s^2) of every walker, (W,), s = range."""

    name = "interaction"
    rowwise = True

    def __init__(self, strength: float, range: float) -> None:
        self._height = float(strength) / (np.sqrt(2.0 * np.pi) * range)
        self._exponent = -0.5 / float(range) ** 2

    def of(self, distance: Array) -> Array:
        """The interaction of one pair at a distance."""
        return self._height * namespace(distance).exp(self._exponent * distance * distance)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.r.shape[1])
        difference = walkers.r[:, i] - walkers.r[:, j]
        square = (difference * difference).sum(axis=-1)
        return self._height * xp.exp(self._exponent * square).sum(axis=-1)
