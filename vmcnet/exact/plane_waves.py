"""Energies of a single determinant of plane waves in a box, exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vmcnet.geometry.box import Box

Transform = Callable[[np.ndarray], np.ndarray]


def kinetic_energy(box: Box, occupied: Sequence[np.ndarray]) -> float:
    """sum_k k^2/2 over the occupied wave vectors of both spins: a list of integers (m, d)."""
    return float(sum(0.5 * (box.wave_vectors(m) ** 2).sum() for m in occupied))


def exchange_energy(box: Box, occupied: Sequence[np.ndarray], transform: Transform) -> float:
    """-(1/V) sum over pairs k < k' of one spin of v(k - k'), v the Fourier transform of the pair
    potential as a function of |q|, finite for q != 0.
    """
    total = 0.0
    for m in occupied:
        i, j = np.triu_indices(len(m), 1)
        q = np.sqrt((box.wave_vectors(m[i] - m[j], twisted=False) ** 2).sum(axis=1))
        total -= float(transform(q).sum()) / box.volume
    return total


def coulomb_energy(box: Box, occupied: Sequence[np.ndarray], xi: float) -> float:
    """Exchange energy of electrons in a box with a neutral background, and the energy N xi/2 of
    every electron with its own images; the direct term is 0, because the potential's average is.
    """
    n = sum(len(m) for m in occupied)
    if box.dimensions == 3:
        exchange = exchange_energy(box, occupied, lambda q: 4.0 * np.pi / q**2)
    else:
        exchange = exchange_energy(box, occupied, lambda q: 2.0 * np.pi / q)
    return exchange + 0.5 * n * xi
