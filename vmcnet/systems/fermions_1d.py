"""Fermions without spin on a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.radial import line_energy
from vmcnet.hamiltonians.gaussian_pairs import GaussianPairs
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import MOST_PAIRED, System
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals


class Fermions1D(System):
    """H = sum_i (-1/2 d^2/dx_i^2 + 1/2 omega^2 x_i^2) + sum_{i<j} V(x_i - x_j), V(x) = strength/(
    sqrt(2 pi) s) exp(-x^2/2 s^2), s = range; hartree atomic units. All fermions have equal spin.

    Exact: without interaction n^2 omega/2; two fermions, from the equation of their relative
    motion. Keeble et al., Phys. Rev. A 108, 063320 (2023), eq. 1. Raises ValueError for arguments
    out of range.
    """

    units, contact = "hartree", 0.0
    length_units = "bohr"

    def __init__(
        self, particles: int = 2, omega: float = 1.0, strength: float = 0.0, range: float = 0.5
    ):
        self.particles = particles = arguments.whole(
            "Fermions1D particles", particles, 1, MOST_PAIRED
        )
        self.dimensions = 1
        self.omega = omega = arguments.scale("Fermions1D omega", omega)
        range = arguments.scale("Fermions1D range", range)
        strength = arguments.coupling("Fermions1D strength", strength)
        self.spins, self.fermions = np.ones(particles, np.int8), particles > 1
        self.length = 1.0 / np.sqrt(omega)
        self.terms = {"kinetic": Kinetic(), "trap": Harmonic(omega)}
        if strength == 0 or particles == 1:
            self.reference = 0.5 * particles**2 * omega, "exact: independent oscillators"
            return
        self.terms["interaction"] = pairs = GaussianPairs(strength, range)
        if particles == 2:

            def relative(y: np.ndarray) -> np.ndarray:  # x_1 - x_2 = sqrt(2) y
                return 0.5 * omega**2 * y * y + pairs.of(np.sqrt(2.0) * y)

            extent = 9.0 * self.length + 4.0 * range
            energies = [line_energy(relative, extent, points, level=1) for points in (240, 320)]
            if abs(energies[1] - energies[0]) < 1e-8 * abs(energies[1]) + 1e-9:
                energy = 0.5 * omega + energies[1]
                self.reference = energy, "exact: relative motion by collocation"

    def orbitals(self, count: Any, more: Any = 0) -> Any:
        """The trap's own levels."""
        return HarmonicOrbitals.holding(count, 1, self.omega, more)

    def describe(self) -> str:
        return f"{self.particles} fermions without spin on a line, omega = {self.omega:g}"
