"""Electrons in a parabolic trap."""

from __future__ import annotations

import numpy as np

from vmcnet.exact.radial import two_electron_energy
from vmcnet.hamiltonians.coulomb import Coulomb
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import System


class QuantumDot(System):
    """H = sum_i (-1/2 lap_i + 1/2 omega^2 r_i^2) + sum_{i<j} v(r_ij); hartree atomic units.

    interaction: coulomb, v = 1/r; soft_coulomb, v = 1/sqrt(r^2 + softening^2), softening > 0; none.

    One or two electrons (opposite spins): more need an antisymmetric wavefunction. The exact energy
    of the interacting pair
    is computed from the radial equation, that of independent electrons is n d omega / 2.
    """

    units = "hartree"

    def __init__(
        self,
        particles: int,
        omega: float = 1.0,
        dimensions: int = 2,
        interaction: str = "coulomb",
        softening: float = 1.0,
    ):
        if particles not in (1, 2):
            raise ValueError(
                f"QuantumDot with {particles} electrons: this version has no antisymmetric "
                "wavefunction, so 1 or 2"
            )
        if dimensions not in (1, 2, 3):
            raise ValueError(f"QuantumDot in {dimensions} dimensions: expected 1, 2 or 3")
        if not omega > 0:
            raise ValueError(f"QuantumDot omega must be above 0, got {omega}")
        if interaction not in ("coulomb", "soft_coulomb", "none"):
            raise ValueError(
                f"QuantumDot interaction {interaction!r}: expected 'coulomb', 'soft_coulomb' or "
                "'none'"
            )
        if not softening > 0:
            raise ValueError(f"QuantumDot softening must be above 0, got {softening}")
        if interaction == "coulomb" and dimensions == 1 and particles > 1:
            raise ValueError(
                "QuantumDot in 1 dimension with the bare 1/|x|: psi must vanish at contact, which "
                "no wavefunction "
                "here does; use interaction = 'soft_coulomb' or 'none', or 2 or 3 dimensions"
            )
        self.particles, self.dimensions, self.omega, self.interaction = (
            particles,
            dimensions,
            omega,
            interaction,
        )
        self.spins = np.array([1, -1][:particles], np.int8)
        self.length = 1.0 / np.sqrt(omega)
        self.terms = {"kinetic": Kinetic(), "trap": Harmonic(omega)}
        if interaction != "none" and particles > 1:
            soft = softening if interaction == "soft_coulomb" else 0.0
            self.terms["coulomb"] = Coulomb(softening=soft)
            self.reference = (
                two_electron_energy(omega, dimensions, softening=soft),
                "exact: radial equation of the relative motion",
            )
        else:
            self.reference = (
                0.5 * particles * dimensions * omega,
                "exact: independent oscillators",
            )
