"""Kinetic energy."""

from __future__ import annotations

from vmcnet.backend.arrays import Array
from vmcnet.walkers import Psi, Walkers


class Kinetic:
    """-(1/2m) (lap log psi + sum_c (d_c log psi)^2) of every walker, (W,): (-1/2m lap psi)/psi.

    The square is the plain complex one where psi is complex. Energies in hbar^2/(mass length^2).
    """

    name = "kinetic"
    rowwise = True

    def __init__(self, mass: float = 1.0) -> None:
        self._factor = -0.5 / mass

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        _, gradient, laplacian = psi.jet(walkers)
        return self._factor * (laplacian + (gradient * gradient).sum(axis=0))
