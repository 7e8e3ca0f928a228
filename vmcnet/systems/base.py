"""What a system is."""

from __future__ import annotations

from operator import mul
from typing import Any

import numpy as np

from vmcnet.arguments import Recording, shown
from vmcnet.walkers import Walkers

MOST_PARTICLES = 10_000
MOST_PAIRED = 1000  # particles of which all pairs are summed over, or that fill determinants


class System(Recording):
    """Particles in space: which Hamiltonian terms, which units, what is known exactly.

    A subclass sets particles, dimensions, spins (n,) int8, length (unit of the ground state's
    extent), units of energies, length_units, `terms`
    (name -> Term with local(walkers, psi) -> (W,)) and `reference` (energy, source) or None; `core`
    where psi must vanish: pairs of particles closer than this; `box` (a geometry.box.Box) where
    space is periodic, otherwise None. `per_particle`, a word as electron, where reports divide
    energies by their number; `energy_unit`, in `units`: gradients of the energy are divided by it,
    so that learning rates mean the same at all densities.
    """

    particles: int
    dimensions: int
    spins: np.ndarray
    length: float
    units: str = ""
    length_units = "length"  # what lengths are measured in, a word
    terms: dict
    reference: tuple[float, str] | None = None
    temperature: float | None = None  # of a classical model
    magnetisation: int | None = None  # sum of the spins where it is fixed
    core: float = 0.0
    anisotropy: float = 1.0  # of the trap: omega_z/omega
    box: Any = None  # or a Box: space is periodic
    way_out = ""  # what a psi > 0 may try beside a phase, where H has positive elements
    notes: tuple[str, ...] = ()  # what `check` and reports say of these arguments
    per_particle: str | None = None
    energy_unit: float = 1.0
    screening: float = 1.0  # 1/length from which correlations of pairs no longer grow
    plasmon: float | None = None  # frequency of charges at long wavelengths, three dimensions
    contact: float | None = None  # strength of a repulsion 1/r between pairs at contact, if known
    effective_range: float | None = None  # where the scattering length is infinite
    fermions = False  # particles of equal spin must not be exchanged without a change of sign

    centre_length: float | None = None  # width of the centre of mass, where that is held
    label_pairs: tuple = (mul,)  # functions of two labels that tell pairs of particles apart

    def start(self, stream: Any, walkers: int) -> Walkers:
        """Walkers to start from: coordinates are independent normals of the trap's ground state, or
        uniform in the box where there is one.
        """
        if self.box is not None:
            r = self.box.lengths * stream.uniform((walkers, self.particles, self.dimensions))
            return Walkers(r, self.labels(walkers))
        r = (self.length / np.sqrt(2.0)) * stream.normal((walkers, self.particles, self.dimensions))
        return Walkers(r, self.labels(walkers))

    def check_start(self) -> None:
        """ValueError where walkers cannot start, in one line that says why."""

    def labels(self, walkers: int) -> np.ndarray:
        """Spin labels (W, n) int8."""
        return np.broadcast_to(self.spins, (walkers, self.particles)).copy()

    @property
    def observables(self) -> tuple:
        """What evaluations measure by themselves."""
        return ()

    @property
    def moves(self) -> str:
        """What a walker moves: coordinates, spins (+-1) or colours (0 .. q-1)."""
        return "coordinates" if self.dimensions else "spins"

    def orbitals(self, count: int, more: int = 0) -> Any:
        """The Orbitals that determinants of this system are made of: enough for `count` particles
        of one spin, and `more` shells above. Raises ValueError where the system has none.
        """
        raise ValueError(
            f"Slater: {type(self).__name__} names no orbitals of its own: give orbitals = ..., "
            "for example HarmonicOrbitals.holding(n, dimensions, omega) or UserOrbitals"
        )

    def occupied(self, spin: str) -> Any:
        """Labels of the orbitals that particles of one spin, up or down, occupy in determinants of
        the system's own orbitals, or None: the lowest.
        """
        return

    @property
    def share(self) -> int:
        """What reports divide energies by: the number of particles, or 1."""
        return self.particles if self.per_particle else 1

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """(energy, source) that is known of this wavefunction on this system, `reference` unless a
        subclass knows better, or None.
        """
        return self.reference

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def describe(self) -> str:
        return f"{type(self).__name__}: {self.particles} particles in {self.dimensions} dimensions"


def known_energy(system: Any, wavefunction: Any) -> tuple[float, str] | None:
    """reference_of(...), which must be (energy, source) or None."""
    found = system.reference_of(wavefunction)
    if found is None:
        return None
    pair = isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], str)
    real = pair and isinstance(found[0], int | float | np.integer | np.floating)
    if not real or not np.isfinite(found[0]):
        raise ValueError(
            f"reference_of of {type(system).__name__} returns {shown(found)}; expected None, or "
            "(energy, source), a finite number and a text"
        )
    return float(found[0]), found[1]
