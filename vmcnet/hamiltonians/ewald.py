"""The Coulomb energy of charges in a periodic box with a neutralising background: Ewald sums."""

from __future__ import annotations

from itertools import product
from math import erfc, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace
from vmcnet.geometry.box import Box
from vmcnet.walkers import Psi, Walkers


def _inverse_erfc(y: float) -> float:
    """x with erfc(x) = y, 0 < y < 1, by bisection."""
    low, high = 0.0, 27.0
    while high - low > 1e-14 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if erfc(middle) > y else (low, middle)
    return high


def _waves(box: Box, kappa: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Integers (G, d) of half of all wave vectors G != 0 with weights (G,) of at least `least`:
    of G and -G the one whose first component that is not 0 is positive, and twice the weight.
    """
    top = 1
    while True:
        m = np.array(list(product(range(-top, top + 1), repeat=box.dimensions)))
        m = m[len(m) // 2 + 1 :]  # lexicographic: the second half is the half space
        g = np.sqrt((box.wave_vectors(m, twisted=False) ** 2).sum(axis=1))
        if box.dimensions == 3:
            weight = 4.0 * pi / box.volume * np.exp(-((g / (2.0 * kappa)) ** 2)) / g**2
        else:
            weight = 2.0 * pi / box.volume * np.vectorize(erfc)(g / (2.0 * kappa)) / g
        keep = weight >= least
        if np.abs(m[keep]).max(initial=0) < top:
            return m[keep], 2.0 * weight[keep]
        top += 1


def _uniform(box: Box, kappa: float) -> float:
    """What the screened charges of the background subtract from every pair."""
    power = pi / kappa**2 if box.dimensions == 3 else 2.0 * sqrt(pi) / kappa
    return power / box.volume


def madelung(box: Box) -> float:
    """xi: the energy 1/length of a unit charge with its own images and background is xi/2.

    xi = lim_{r -> 0} v(r) - 1/r; -2.837297/L in a cube, -3.900265/L in a square.
    """
    kappa = 2.5 / box.lengths.min()
    reach = [int(np.ceil(6.5 / (kappa * length))) for length in box.lengths]
    images = np.array(list(product(*(range(-k, k + 1) for k in reach)))) * box.lengths
    distance = np.sqrt((images * images).sum(axis=1))
    distance = np.sort(distance)[1:]  # all but the charge itself
    _, weight = _waves(box, kappa, 1e-19 / box.lengths.min())
    short = (np.vectorize(erfc)(kappa * distance) / distance).sum()
    return float(short + weight.sum() - 2.0 * kappa / sqrt(pi) - _uniform(box, kappa))


class Ewald:
    """sum_{i<j} q_i q_j v(r_ij) + (xi/2) sum_i q_i^2 of every walker, (W,), in a Box of 2 or 3
    dimensions: hartree and bohr for charges of electrons.

      v(r) = sum_n erfc(kappa |r + n L|)/|r + n L| + sum_{G != 0} w_G cos G.r - c

    with w_G = 4 pi exp(-G^2/4 kappa^2)/(V G^2) and c = pi/(V kappa^2) in three dimensions,
    2 pi erfc(G/2 kappa)/(A G) and 2 sqrt(pi)/(A kappa) in two: the potential 1/r of all images of
    a charge and of the background that makes the cell neutral, with average 0. charges (n,).
    v does not depend on the splitting kappa L_min, which is chosen such that what the sums leave
    out is `accuracy` of 1/L_min; larger values of `splitting` move work to the wave vectors.
    Raises ValueError for other dimensions, and for a splitting too small for the accuracy.
    Ewald, Ann. Phys. 369, 253 (1921); two dimensions: Parry, Surf. Sci. 49, 433 (1975).
    """

    name = "coulomb"
    rowwise = True

    def __init__(
        self,
        box: Box,
        charges: ArrayLike,
        accuracy: float = 1e-12,
        splitting: float | None = None,
    ) -> None:
        if box.dimensions not in (2, 3):
            raise ValueError(f"Ewald in {box.dimensions} dimensions: expected 2 or 3")
        least, shortest = _inverse_erfc(accuracy), float(box.lengths.min())
        splitting = least if splitting is None else float(splitting)
        if not splitting >= least * (1 - 1e-12):
            raise ValueError(
                f"Ewald splitting {splitting}: for accuracy {accuracy} expected at least "
                f"{least:.3f}"
            )
        self.box, self.charges = box, np.asarray(charges, np.float64)
        self.kappa, self.xi = splitting / shortest, madelung(box)
        self.integers, self.weight = _waves(box, self.kappa, accuracy / shortest)
        self._top = int(np.abs(self.integers).max())
        total, squares = self.charges.sum(), (self.charges**2).sum()
        self.constant = 0.5 * (squares * self.xi - (total**2 - squares) * _uniform(box, self.kappa))

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        r = walkers.r
        found = kernels.of(namespace(r), r.dtype).ewald(
            r, self.box.lengths, self.charges, self.kappa, self._top, self.integers, self.weight
        )
        return (found + self.constant).astype(r.dtype, copy=False)
