"""Electrons in a parabolic trap."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.radial import two_electron_reference
from vmcnet.hamiltonians.coulomb import Coulomb
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import MOST_PAIRED, System
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals


def spin_numbers(particles: int, projection: float | None, name: str) -> tuple[int, int]:
    """Particles up and down with (up - down)/2 = projection, the lowest one unless given;
    ValueError where there is no such number.
    """
    up = 0.5 * particles + (0.5 * (particles % 2) if projection is None else projection)
    if not 0 <= up <= particles or up != round(up):
        raise ValueError(
            f"{name} spin_projection {projection} of {particles} electrons: expected (up - down)/2 "
            f"between {-particles / 2:g} and {particles / 2:g} in steps of 1"
        )
    return int(up), particles - int(up)


INTERACTIONS = ("coulomb", "soft_coulomb", "none")


class QuantumDot(System):
    """H = sum_i (-1/2 lap_i + 1/2 omega^2 r_i^2) + sum_{i<j} v(r_ij); hartree atomic units.

    interaction: coulomb, v = 1/r; soft_coulomb, v = 1/sqrt(r^2 + softening^2), softening > 0; none.
    spin_projection: S_z = (up - down)/2, half-integer for odd numbers; the lowest (0 or 1/2) unless
    given. Two electrons of equal spin, or three, need an antisymmetric wavefunction.

    Exact: two electrons, singlet or with equal spins, from the radial equation of their relative
    motion; independent electrons fill the shells of the trap.
    """

    units = "hartree"
    length_units = "bohr"

    def __init__(
        self,
        particles: int = 2,
        omega: float = 1.0,
        dimensions: int = 2,
        interaction: str = "coulomb",
        softening: float = 1.0,
        spin_projection: float | None = None,
    ):
        particles = arguments.whole("QuantumDot particles", particles, 1, MOST_PAIRED)
        dimensions = arguments.whole("QuantumDot dimensions", dimensions, 1, 3)
        omega = arguments.scale("QuantumDot omega", omega)
        arguments.choice("QuantumDot interaction", interaction, INTERACTIONS)
        softening = arguments.positive("QuantumDot softening", softening)
        if spin_projection is not None:
            spin_projection = arguments.number("QuantumDot spin_projection", spin_projection)
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
        self.up, self.down = spin_numbers(particles, spin_projection, "QuantumDot")
        self.spins = np.array([1] * self.up + [-1] * self.down, np.int8)
        self.fermions = max(self.up, self.down) > 1
        self.length, self.energy_unit = 1.0 / np.sqrt(omega), float(omega)
        self.screening = 0.5 / self.length
        self.terms = {"kinetic": Kinetic(), "trap": Harmonic(omega)}
        self.contact = float(interaction == "coulomb")
        if interaction == "none" or particles == 1:
            self.reference = self._shells() * omega, "exact: independent oscillators"
            return
        soft = softening if interaction == "soft_coulomb" else 0.0
        self.terms["coulomb"] = Coulomb(softening=soft)
        if particles == 2:
            # relative motion with one unit of angular momentum in d dimensions is that without
            # any in d + 2
            equal = 0 if self.up == self.down else 1
            energy = two_electron_reference(omega, dimensions + 2 * equal, softening=soft)
            if energy is None:
                self.notes = (
                    "no exact reference: two ways to solve the radial equation do not agree here",
                )
            else:
                energy -= equal * omega
                self.reference = energy, "exact: radial equation of the relative motion"

    def _shells(self) -> float:
        """Energy of independent electrons in units of omega."""
        counts = (self.up, self.down)
        shells = HarmonicOrbitals.holding(max(counts), self.dimensions, self.omega).energies
        return sum(sum(shells[:n]) + 0.5 * self.dimensions * n for n in counts)

    def orbitals(self, count: Any, more: Any = 0) -> Any:
        """The trap's own shells."""
        return HarmonicOrbitals.holding(count, self.dimensions, self.omega, more)

    def describe(self) -> str:
        where = f"in {self.dimensions} dimension{'s' * (self.dimensions > 1)}"
        up = f"{self.up} electron{'s' * (self.up != 1)}"
        return f"quantum dot: {up} up and {self.down} down {where}, omega = {self.omega:g}"
