"""Independent particles in a double well, and particles in any potential that a user writes."""

from __future__ import annotations

import numpy as np

from vmcnet.exact.radial import line_energy
from vmcnet.hamiltonians.external import DoubleWell as DoubleWellTerm
from vmcnet.hamiltonians.external import Potential
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import System
from vmcnet.walkers import Walkers


class DoubleWell(System):
    """H = sum_i (-1/2 lap_i + barrier ((x_i/half_distance)^2 - 1)^2 + 1/2 omega^2 (y_i^2 + z_i^2)),
    bosons without interaction; atomic units.

    Walkers start in both wells. Exact: n times the ground state of one particle, by collocation in
    x. Raises ValueError for arguments out
    of range.
    """

    units = "hartree"

    def __init__(
        self,
        particles: int = 1,
        barrier: float = 3.0,
        half_distance: float = 1.5,
        dimensions: int = 1,
        omega: float = 1.0,
    ):
        if particles < 1:
            raise ValueError(f"DoubleWell needs at least 1 particle, got {particles}")
        if dimensions not in (1, 2, 3):
            raise ValueError(f"DoubleWell in {dimensions} dimensions: expected 1, 2 or 3")
        for name, value in (
            ("barrier", barrier),
            ("half_distance", half_distance),
            ("omega", omega),
        ):
            if not value > 0:
                raise ValueError(f"DoubleWell {name} must be above 0, got {value}")
        self.particles, self.dimensions, self.length, self._half = (
            particles,
            dimensions,
            float(half_distance),
            float(half_distance),
        )
        self._width = 1.0 / np.sqrt(2.0 * omega)
        self.spins = np.ones(particles, np.int8)
        self.terms = {"kinetic": Kinetic(), "double_well": DoubleWellTerm(barrier, half_distance)}
        if dimensions > 1:
            self.terms["trap"] = Harmonic([0.0] + [omega] * (dimensions - 1))
        one = line_energy(
            lambda x: barrier * ((x / half_distance) ** 2 - 1.0) ** 2, 3.0 * half_distance + 4.0
        )
        self.reference = (particles * (one + 0.5 * (dimensions - 1) * omega), "exact: collocation")

    def start(self, stream, walkers):
        """x of every particle around either minimum, the other axes from the oscillator's ground
        state.
        """
        r = self._width * stream.normal((walkers, self.particles, self.dimensions))
        side = np.where(stream.uniform((walkers, self.particles)) < 0.5, -self._half, self._half)
        r[:, :, 0] = 0.3 * self._half * r[:, :, 0] / self._width + side
        return Walkers(r, self.labels(walkers))


class Particles(System):
    """H = sum_i -1/2 lap_i + the potentials given: name -> function of coordinates r (W, n, d) that
    returns (W,), numpy or cupy alike.

    length: extent of the ground state, the unit of starting points and first steps. spins: (n,) of
    +1 / -1; all equal unless given.
    reference: (energy, source) for reports. box: a geometry.box.Box where space is periodic;
    starting points are then uniform in it, and the potentials must be periodic. Raises ValueError
    without particles or potentials.
    """

    def __init__(
        self,
        particles: int,
        dimensions: int,
        potentials: dict,
        length: float = 1.0,
        spins=None,
        units: str = "hartree",
        reference=None,
        box=None,
    ):
        if particles < 1 or dimensions < 1:
            raise ValueError(
                f"Particles needs at least 1 particle and 1 dimension, got {particles} and "
                f"{dimensions}"
            )
        if not potentials or "kinetic" in potentials:
            raise ValueError(
                "Particles needs potentials = {name: function}; the name kinetic is taken"
            )
        if not length > 0:
            raise ValueError(f"Particles length must be above 0, got {length}")
        self.particles, self.dimensions, self.length, self.units, self.reference = (
            particles,
            dimensions,
            float(length),
            units,
            reference,
        )
        self.spins = np.asarray(np.ones(particles) if spins is None else spins, np.int8)
        if self.spins.shape != (particles,):
            raise ValueError(
                f"Particles spins has shape {self.spins.shape}; expected ({particles},)"
            )
        if box is not None and box.dimensions != dimensions:
            raise ValueError(
                f"Particles box has {box.dimensions} dimensions; expected {dimensions}"
            )
        self.box = box
        self.terms = {
            "kinetic": Kinetic(),
            **{name: Potential(function) for name, function in potentials.items()},
        }
