"""Bosons in a trap, free or as hard spheres."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.stream import Stream
from vmcnet.exact.radial import two_sphere_reference
from vmcnet.hamiltonians.harmonic import Harmonic
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.systems.base import MOST_PAIRED, MOST_PARTICLES, System
from vmcnet.walkers import Walkers

TRIES = 1000


class TrappedBosons(System):
    """H = sum_i (-1/2 lap_i + 1/2 omega^2 (x_i^2 + y_i^2) + 1/2 omega_z^2 z_i^2), z the last axis;
    energies in hbar/(mass length^2).

    omega_z: omega (a spherical trap) unless given. diameter > 0: hard spheres, infinite repulsion
    where r_ij <= diameter; H has no term for
    it, but psi must be 0 there. Exact: the ideal gas, E0 = n ((d - 1) omega + omega_z)/2, and two
    hard spheres in a spherical trap, by their relative motion. Raises ValueError for arguments out
    of range.
    """

    units = "hbar omega_0"
    length_units = "a_ho"

    def __init__(
        self,
        particles: int,
        omega: float = 1.0,
        dimensions: int = 3,
        omega_z: float | None = None,
        diameter: float = 0.0,
    ):
        self.particles = particles = arguments.whole(
            "TrappedBosons particles", particles, 1, MOST_PARTICLES
        )
        self.dimensions = arguments.whole("TrappedBosons dimensions", dimensions, 1, 3)
        self.omega = omega = arguments.scale("TrappedBosons omega", omega)
        if omega_z is not None:
            omega_z = arguments.scale("TrappedBosons omega_z", omega_z)
            if dimensions == 1:
                raise ValueError("TrappedBosons omega_z belongs to 2 or 3 dimensions, got 1")
        diameter = arguments.number(
            "TrappedBosons diameter", diameter, least=0, most=arguments.LARGEST
        )
        if diameter and particles < 2:
            raise ValueError(f"TrappedBosons diameter must be 0 for one particle, got {diameter:g}")
        if diameter and particles > MOST_PAIRED:
            raise ValueError(
                f"TrappedBosons particles must be at most {MOST_PAIRED} as hard spheres, got "
                f"{particles}"
            )
        self.core = diameter
        self.frequencies = np.array(
            [omega] * (dimensions - 1) + [omega if omega_z is None else omega_z]
        )
        self.anisotropy = float(self.frequencies[-1] / omega)
        self.spins = np.ones(particles, np.int8)
        self.length = 1.0 / np.sqrt(omega)
        self.terms = {"kinetic": Kinetic(), "trap": Harmonic(self.frequencies)}
        if particles == 2 and diameter and self.anisotropy == 1.0:
            energy = two_sphere_reference(omega, dimensions, diameter)
            if energy is not None:
                self.reference = energy, "exact: two hard spheres, relative motion"
        if not diameter:
            self.reference = (0.5 * particles * float(self.frequencies.sum()), "exact: ideal gas")

    def start(self, stream: Any, walkers: int) -> Walkers:
        """Particles one by one from the trap's ground state, each drawn again where it would touch
        one placed before.
        """
        return self._placed(stream, walkers, TRIES)

    def check_start(self) -> None:
        """ValueError unless some walkers find places in a tenth of the tries."""
        if self.core:
            self._placed(Stream(0, 0, 0, 0), 8, TRIES // 10)

    def _placed(self, stream: Any, walkers: int, tries: int) -> Walkers:
        width = 1.0 / np.sqrt(2.0 * self.frequencies)
        if not self.core:
            return Walkers(
                width * stream.normal((walkers, self.particles, self.dimensions)),
                self.labels(walkers),
            )
        r = np.empty((walkers, self.particles, self.dimensions))
        for i in range(self.particles):
            touching = np.ones(walkers, bool)
            for _ in range(tries):
                r[:, i] = np.where(
                    touching[:, None], width * stream.normal((walkers, self.dimensions)), r[:, i]
                )
                apart = r[:, :i] - r[:, i : i + 1]
                touching = ((apart * apart).sum(axis=-1) <= self.core**2).any(axis=1)
                if not touching.any():
                    break
            else:
                raise ValueError(
                    f"TrappedBosons: no place for particle {i + 1} of {self.particles} with "
                    f"spheres of diameter {self.core:g} in this trap: take fewer or smaller ones"
                )
        return Walkers(r, self.labels(walkers))

    def describe(self) -> str:
        shape = (
            "spherical"
            if self.anisotropy == 1.0
            else f"elliptical (omega_z/omega = {self.anisotropy:.4g})"
        )
        kind = f"hard-sphere bosons of diameter {self.core:g}" if self.core else "ideal bosons"
        return f"{self.particles} {kind}, {shape} trap in {self.dimensions} dimensions"
