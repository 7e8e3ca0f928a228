"""Harmonic trap."""

from __future__ import annotations


class Harmonic:
    """(1/2) omega^2 sum_i r_i^2 of every walker, (W,); mass 1."""

    name = "trap"

    def __init__(self, omega: float):
        self._factor = 0.5 * omega**2

    def local(self, walkers, psi):
        return self._factor * (walkers.r * walkers.r).sum(axis=(1, 2))
