"""Fermions of two kinds with an infinite scattering length, in a periodic box."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.plane_waves import kinetic_energy
from vmcnet.geometry.box import Box
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.hamiltonians.poeschl_teller import PoeschlTeller
from vmcnet.hamiltonians.spin_pairs import AntiparallelPairs
from vmcnet.systems.base import MOST_PAIRED, System
from vmcnet.wavefunctions.plane_waves import PlaneWaves, wave_labels

FREE = 0.3  # (3/5) E_F in hbar^2 k_F^2/m: the energy of a free fermion in the limit of many


class UnitaryGas(System):
    """H = -hbar^2/2m sum lap_i + sum v(r_ij) over pairs of opposite spin, v the Poeschl-Teller well
    of infinite scattering length (hamiltonians.poeschl_teller), half of the particles up; lengths
    in 1/k_F, energies in (3/5) E_F, reported a fermion: E/E_FG.

    k_F = (3 pi^2 density)^(1/3), so that L = (3 pi^2 N)^(1/3)/k_F; effective_range: k_F r_e. A
    determinant of plane waves and nothing else has an exact energy, which reports give as
    reference. Kim et al., Commun. Phys. 7, 148 (2024), arXiv:2305.08831, eq. 2. Raises ValueError
    for arguments out of range.
    """

    units = "(3/5) E_F"
    length_units = "k_F^-1"
    per_particle = "fermion"
    contact, fermions = 0.0, True

    def __init__(self, particles: int = 14, effective_range: float = 0.4):
        self.particles = particles = arguments.whole(
            "UnitaryGas particles", particles, 2, MOST_PAIRED
        )
        if particles % 2:
            raise ValueError(f"UnitaryGas particles = {particles}: expected an even number")
        self.dimensions, self.up = 3, particles // 2
        self.effective_range = arguments.scale("UnitaryGas effective_range", effective_range)
        self.spins = np.repeat(np.array([1, -1], np.int8), self.up)
        self.box = Box.cube((3.0 * np.pi**2 * particles) ** (1.0 / 3.0), 3)
        self.length = (2.25 * np.pi) ** (1.0 / 3.0)  # radius of the sphere that holds one fermion
        self.energy_unit = 1.0 / (FREE * self.length**2)
        self._well = PoeschlTeller(self.effective_range, self.box)
        self.terms = {
            "kinetic": Kinetic(FREE),
            "pairs": AntiparallelPairs(self._well, 1.0 / FREE),
        }

    def orbitals(self, count: Any, more: Any = 0) -> Any:
        """Plane waves."""
        return PlaneWaves.holding(self.box, (self.up, self.up), more)

    def occupied(self, spin: Any) -> Any:
        """The closed shells of plane waves."""
        return wave_labels(self.box, self.up)

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """The exact energy of a determinant of plane waves, where the wavefunction is nothing
        else: opposite spins are uncorrelated.
        """
        if wavefunction.plane_waves is None:
            return None
        pairs = self.up**2 * self._well.integral / self.box.volume
        energy = (kinetic_energy(self.box, wavefunction.plane_waves) + pairs) / FREE
        return energy, "exact: Hartree-Fock energy of the plane waves"

    def describe(self) -> str:
        return (
            f"unitary gas: {self.up} fermions up and {self.up} down, k_F r_e = "
            f"{self.effective_range:g}, L = {self.box.lengths[0]:.6g}/k_F"
        )
