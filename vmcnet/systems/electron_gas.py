"""The homogeneous electron gas in a periodic box."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.plane_waves import coulomb_energy, kinetic_energy
from vmcnet.geometry.box import Box
from vmcnet.hamiltonians.ewald import Ewald
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import MOST_PAIRED, System
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.plane_waves import LatticeOrbitals, PlaneWaves, wave_labels


def spin_counts(particles: int, polarisation: float, name: str) -> tuple[int, int]:
    """Particles up and down with (up - down)/(up + down) = polarisation; ValueError where that is
    no whole number.
    """
    polarisation = arguments.number(f"{name} polarisation", polarisation)
    up = 0.5 * particles * (1.0 + polarisation)
    if not 0 <= polarisation <= 1 or abs(up - round(up)) > 1e-9:
        choices = [abs(2 * k - particles) / particles for k in range(particles // 2 + 1)]
        near = sorted(sorted(choices, key=lambda c: abs(c - polarisation))[:8])
        more = " ..." if len(near) < len(choices) else ""
        raise ValueError(
            f"{name} polarisation {polarisation:g} of {particles} particles: expected one of "
            f"{', '.join(f'{c:.6g}' for c in near)}{more}"
        )
    return round(up), particles - round(up)


def bcc_sites(particles: int, length: float) -> np.ndarray:
    """Sites (n, 3) of a body-centred cubic crystal that fills a cube: n = 2 m^3, the corners of the
    cells first, their centres after them.
    """
    cells = round((particles / 2) ** (1.0 / 3.0))
    if particles < 2 or 2 * cells**3 != particles:
        raise ValueError(
            f"a bcc crystal of {particles} particles does not fill a cube: expected 2, 16, 54, 128 "
            "..., 2 m^3"
        )
    corners = np.array(list(np.ndindex(cells, cells, cells)), np.float64)
    return np.concatenate([corners, corners + 0.5]) * (length / cells)


class ElectronGas(System):
    """H = -1/2 sum lap_i + sum_{i<j} v(r_ij) + (N/2) xi, electrons in a cube or square with a
    neutralising background; hartree atomic units, reported an electron.

    v and xi: the Ewald potential of average 0 and the energy of an electron with its own images
    (hamiltonians.ewald). r_s is the radius of the sphere (disk) that holds one electron, in bohr:
    L = (4 pi N/3)^(1/3) r_s, in two dimensions L = (pi N)^(1/2) r_s. polarisation = (N_up -
    N_down)/N. twist: theta/2 pi of every axis, in [-1/2, 1/2]; 0 unless given. lattice "bcc":
    walkers start on the sites of a crystal, which lattice orbitals read, spins up on one of its two
    sublattices and down on the other; otherwise uniform. A determinant of plane waves and nothing
    else has an exact energy, which reports give as reference. Raises ValueError for arguments out
    of range.
    """

    units = "hartree"
    length_units = "bohr"
    per_particle = "electron"
    contact, fermions = 1.0, True

    def __init__(
        self,
        particles: int = 14,
        r_s: float = 1.0,
        dimensions: int = 3,
        polarisation: float = 0.0,
        twist: Any = None,
        lattice: str | None = None,
    ):
        self.dimensions = dimensions = arguments.whole("ElectronGas dimensions", dimensions, 2, 3)
        self.particles = particles = arguments.whole(
            "ElectronGas particles", particles, 2, MOST_PAIRED
        )
        self.r_s = arguments.scale("ElectronGas r_s", r_s)
        if lattice is not None and lattice != "bcc":
            raise ValueError(
                f"ElectronGas lattice {arguments.shown(lattice)}: expected 'bcc' or none"
            )
        self.up, self.down = spin_counts(particles, polarisation, "ElectronGas")
        self.spins = np.array([1] * self.up + [-1] * self.down, np.int8)
        self.length, self.energy_unit = self.r_s, self.r_s**-2
        self.plasmon = np.sqrt(3.0) * self.r_s**-1.5 if dimensions == 3 else None
        # in three dimensions sqrt(plasmon/2), the tail of the pair factor
        self.screening = (0.75 ** (0.25) if dimensions == 3 else 1.0) * self.r_s**-0.75
        if twist is not None:
            twist = arguments.numbers("ElectronGas twist", twist, dimensions, least=-0.5, most=0.5)
        power = 4.0 * np.pi / 3.0 if dimensions == 3 else np.pi
        side = (power * particles) ** (1.0 / dimensions) * self.r_s
        turned = None if twist is None else [2.0 * np.pi * x for x in twist]
        self.box = Box.cube(side, dimensions, turned)
        self.sites = None if lattice is None else self._sites(side)
        self.terms = {"kinetic": Kinetic(), "coulomb": Ewald(self.box, -np.ones(particles))}

    def _sites(self, side: float) -> Any:
        if self.dimensions != 3 or self.up not in (self.down, self.particles):
            raise ValueError(
                "ElectronGas lattice 'bcc': expected 3 dimensions and polarisation 0 (one spin on "
                "either sublattice) or 1"
            )
        return bcc_sites(self.particles, side)

    def start(self, stream: Any, walkers: int) -> Walkers:
        if self.sites is None:
            return super().start(stream, walkers)
        spread = self.r_s**0.75 / np.sqrt(2.0)  # of the crystal's oscillations, omega = r_s^(-3/2)
        shape = (walkers, self.particles, self.dimensions)
        return Walkers(self.sites + spread * stream.normal(shape), self.labels(walkers))

    def orbitals(self, count: Any, more: Any = 0) -> Any:
        """Plane waves, or Gaussians on the sites of the crystal."""
        if self.sites is None:
            return PlaneWaves.holding(self.box, (self.up, self.down), more)
        return LatticeOrbitals(self.box, self.sites, 0.5 * self.r_s**-1.5)

    def occupied(self, spin: Any) -> Any:
        """The closed shells of plane waves; one sublattice of the crystal each."""
        count, first = (self.up, 0) if spin == "up" else (self.down, self.up)
        if self.sites is None:
            return wave_labels(self.box, count)
        return [(k,) for k in range(first, first + count)]

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """The exact energy of a determinant of plane waves, where the wavefunction is nothing
        else.
        """
        if wavefunction.plane_waves is None:
            return None
        energy = kinetic_energy(self.box, wavefunction.plane_waves) + coulomb_energy(
            self.box, wavefunction.plane_waves, self.terms["coulomb"].xi
        )
        return energy, "exact: Hartree-Fock energy of the plane waves"

    def describe(self) -> str:
        turned = ", twist " + ", ".join(f"{x:g}" for x in self.box.twist / (2.0 * np.pi))
        up = f"{self.up} electron{'s' * (self.up != 1)}"
        return (
            f"electron gas: {up} up and {self.down} down in {self.dimensions} "
            f"dimensions, r_s = {self.r_s:g}, L = {self.box.lengths[0]:.6g} bohr"
            f"{turned if self.box.twist.any() else ''}"
            f"{'' if self.sites is None else ', started as a bcc crystal'}"
        )
