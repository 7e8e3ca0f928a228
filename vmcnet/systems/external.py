"""Independent particles in a double well, and particles in any potential that a user writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.radial import line_energy
from vmcnet.hamiltonians.external import DoubleWellPotential, Potential
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import MOST_PARTICLES, System
from vmcnet.walkers import Walkers


class DoubleWell(System):
    """H = sum_i (-1/2 lap_i + barrier ((x_i/half_distance)^2 - 1)^2 + 1/2 omega^2 (y_i^2 + z_i^2)),
    bosons without interaction; atomic units.

    Walkers start in both wells. Exact: n times the ground state of one particle, by collocation in
    x. Raises ValueError for arguments out
    of range.
    """

    units = "hartree"
    length_units = "bohr"

    def __init__(
        self,
        particles: int = 1,
        barrier: float = 3.0,
        half_distance: float = 1.5,
        dimensions: int = 1,
        omega: float = 1.0,
    ):
        self.particles = particles = arguments.whole(
            "DoubleWell particles", particles, 1, MOST_PARTICLES
        )
        self.dimensions = dimensions = arguments.whole("DoubleWell dimensions", dimensions, 1, 3)
        barrier = arguments.scale("DoubleWell barrier", barrier)
        half_distance = arguments.scale("DoubleWell half_distance", half_distance)
        omega = arguments.scale("DoubleWell omega", omega)
        self.length = self._half = half_distance
        self._width = 1.0 / np.sqrt(2.0 * omega)
        self.spins = np.ones(particles, np.int8)
        self.terms = {
            "kinetic": Kinetic(),
            "double_well": DoubleWellPotential(barrier, half_distance),
        }
        if dimensions > 1:
            self.terms["trap"] = Harmonic([0.0] + [omega] * (dimensions - 1))

        def well(x: np.ndarray) -> np.ndarray:
            return barrier * ((x / half_distance) ** 2 - 1.0) ** 2

        # one particle on two intervals with different numbers of points
        one, other = (
            line_energy(well, reach * half_distance + more, points)
            for reach, more, points in ((3.0, 4.0, 160), (3.5, 5.0, 220))
        )
        if abs(one - other) < 1e-8 * abs(one):
            energy = particles * (one + 0.5 * (dimensions - 1) * omega)
            self.reference = energy, "exact: collocation"
        else:
            self.notes = ("no exact reference: collocation with 160 and 220 points do not agree",)

    def start(self, stream: Any, walkers: int) -> Walkers:
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
        spins: Any = None,
        units: str = "hartree",
        reference: tuple[float, str] | None = None,
        box: Any = None,
    ):
        self.particles = particles = arguments.whole(
            "Particles particles", particles, 1, MOST_PARTICLES
        )
        self.dimensions = arguments.whole("Particles dimensions", dimensions, 1, 1000)
        self.length = arguments.scale("Particles length", length)
        self.units, self.reference = units, reference
        if not isinstance(potentials, dict) or not potentials or "kinetic" in potentials:
            raise ValueError(
                "Particles needs potentials = {name: function}; the name kinetic is taken"
            )
        for name, function in potentials.items():
            if not callable(function):
                raise ValueError(
                    f"Particles potential {name!r} must be a function of r (W, n, d), got "
                    f"{arguments.shown(function)}"
                )
        self.spins = _labels(np.ones(particles) if spins is None else spins, particles)
        if box is not None and box.dimensions != dimensions:
            raise ValueError(
                f"Particles box has {box.dimensions} dimensions; expected {dimensions}"
            )
        self.box = box
        self.terms = {
            "kinetic": Kinetic(),
            **{name: Potential(function) for name, function in potentials.items()},
        }


def _labels(spins: Any, particles: int) -> np.ndarray:
    """Spin labels (n,) int8 of +1 and -1."""
    found = np.asarray(spins)
    if found.shape != (particles,):
        raise ValueError(f"Particles spins has shape {found.shape}; expected ({particles},)")
    if not np.isin(found, (-1, 1)).all():
        raise ValueError(f"Particles spins must be +1 or -1, got {arguments.shown(spins)}")
    return found.astype(np.int8)
