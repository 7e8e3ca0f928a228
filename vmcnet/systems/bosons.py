"""Bosons in a trap."""

from __future__ import annotations

import numpy as np

from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import System


class TrappedBosons(System):
    """Ideal gas, H = sum_i (-1/2 lap_i + 1/2 omega^2 r_i^2); energies in hbar/(mass length^2), E0 = n d omega / 2."""

    units = "hbar omega_0"

    def __init__(self, particles: int, omega: float = 1.0, dimensions: int = 3):
        if particles < 1:
            raise ValueError(f"TrappedBosons needs at least 1 particle, got {particles}")
        if dimensions not in (1, 2, 3):
            raise ValueError(f"TrappedBosons in {dimensions} dimensions: expected 1, 2 or 3")
        if not omega > 0:
            raise ValueError(f"TrappedBosons omega must be above 0, got {omega}")
        self.particles, self.dimensions, self.omega = particles, dimensions, omega
        self.spins = np.ones(particles, np.int8)
        self.length = 1.0 / np.sqrt(omega)
        self.terms = {"kinetic": Kinetic(), "trap": Harmonic(omega)}
        self.reference = (0.5 * particles * dimensions * omega, "exact: ideal gas")
