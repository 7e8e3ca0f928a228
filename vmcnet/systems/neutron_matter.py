"""Dilute neutron matter in a periodic box, leading-order pionless effective field theory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.plane_waves import kinetic_energy
from vmcnet.geometry.box import Box
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.hamiltonians.spin_pairs import (
    AntiparallelPairs,
    GaussianImages,
    SpinExchange,
    ThreeBody,
)
from vmcnet.systems.base import MOST_PAIRED, System
from vmcnet.systems.electron_gas import spin_counts
from vmcnet.wavefunctions.plane_waves import PlaneWaves, wave_labels

HBAR_C = 197.3269804  # MeV fm
NEUTRON = 939.56542  # MeV
PION_DECAY = 92.4  # MeV
CUTOFF = 1000.0  # MeV, of the three-body force


@dataclass(frozen=True)
class Model:
    """Constants of one interaction: c01 in fm^2, radii in fm, c_e without unit."""

    c01: float
    r1: float
    c_e: float
    r3: float

    @property
    def pair(self) -> float:
        """v(r) = pair exp(-r^2/r1^2) in the singlet, MeV."""
        return HBAR_C * self.c01 / (np.pi**1.5 * self.r1**3)

    @property
    def triple(self) -> float:
        """V = triple sum exp(-(r_ij^2 + r_jk^2)/r3^2), MeV."""
        return self.c_e * HBAR_C**6 / (PION_DECAY**4 * CUTOFF * np.pi**3 * self.r3**6)


# Schiavilla et al., Phys. Rev. C 103, 054003 (2021), tables I and III
MODELS = {
    "o": Model(-5.27518671, 1.8304, 1.0786, 1.0),
    "o_1.1": Model(-5.27518671, 1.8304, 1.2945, 1.1),
}


class NeutronMatter(System):
    """H = -hbar^2/2m sum lap_i + sum_{i<j} v(r_ij) (1 - P_ij)/2 + three-body force, P_ij the
    exchange of two spins; MeV and fm, reported a neutron.

    v and the three-body force are Gaussians summed over all images (spin_pairs): Fore et al., Phys.
    Rev. Research 5, 033062 (2023), eqs. 1 to 4. model: "o" (r3 = 1.0 fm) or "o_1.1". density in
    fm^-3, L = (N/density)^(1/3). The labels of the spins are fixed, which is exact for an
    antisymmetric psi. A determinant of plane waves and nothing else has an exact energy, which
    reports give as reference. Raises ValueError for arguments out of range.
    """

    units = "MeV"
    length_units = "fm"
    per_particle = "neutron"
    contact, fermions = 0.0, True

    def __init__(
        self,
        particles: int = 14,
        density: float = 0.04,
        model: str = "o",
        polarisation: float = 0.0,
        twist: Any = None,
    ):
        self.particles = particles = arguments.whole(
            "NeutronMatter particles", particles, 2, MOST_PAIRED
        )
        self.dimensions = 3
        self.density = density = arguments.scale("NeutronMatter density", density)
        arguments.choice("NeutronMatter model", model, MODELS)
        if twist is not None:
            twist = arguments.numbers("NeutronMatter twist", twist, 3, least=-0.5, most=0.5)
        self.up, self.down = spin_counts(particles, polarisation, "NeutronMatter")
        self.spins = np.array([1] * self.up + [-1] * self.down, np.int8)
        self.model, self.model_name = MODELS[model], model
        turned = None if twist is None else [2.0 * np.pi * x for x in twist]
        self.box = Box.cube((particles / density) ** (1.0 / 3.0), 3, turned)
        self.length = (4.0 * np.pi * density / 3.0) ** (-1.0 / 3.0)  # radius of one's sphere
        self.mass = NEUTRON / HBAR_C**2  # 1/(MeV fm^2)
        self.energy_unit = 1.0 / (self.mass * self.length**2)
        self._pair = GaussianImages(self.model.r1, self.box)
        self._triple = GaussianImages(self.model.r3, self.box)
        self.terms = {
            "kinetic": Kinetic(self.mass),
            "pair_diagonal": AntiparallelPairs(self._pair, 0.5 * self.model.pair),
            "pair_exchange": SpinExchange(self._pair, -0.5 * self.model.pair),
            "three_body": ThreeBody(self._triple, self.model.triple),
        }

    def plane_wave_terms(self, occupied: Any) -> dict:
        """Kinetic, pair and three-body energy (MeV, total) of a determinant of the plane waves
        `occupied`, integers (m, 3) of both spins.
        """
        return {
            "kinetic": kinetic_energy(self.box, occupied) / self.mass,
            "pair": self._pair_energy(*occupied),
            "three_body": self._triple_energy(occupied),
        }

    def _pair_energy(self, up: Any, down: Any) -> Any:
        """(1/2V) sum over k up and k' down of v(0) + v(k - k')."""
        q = self.box.wave_vectors(up[:, None] - down[None], twisted=False)
        q = np.sqrt((q * q).sum(axis=-1))
        both = self._pair.transform(np.zeros_like(q)) + self._pair.transform(q)
        return float(self.model.pair * both.sum() / (2.0 * self.box.volume))

    def _triple_energy(self, occupied: Any) -> Any:
        """Half the sum over ordered triples of states a, b, c and their six permutations p within
        one spin of sign(p) g(a - p(a)) g(c - p(c))/V^2: particle b is the centre.
        """
        m = np.concatenate(occupied)
        spin = np.concatenate([np.full(len(x), k) for k, x in enumerate(occupied)])
        same = (spin[:, None] == spin[None]).astype(float)
        q = self.box.wave_vectors(m[:, None] - m[None], twisted=False)
        g = same * self._triple.transform(np.sqrt((q * q).sum(axis=-1)))
        direct, swapped = np.trace(g), (g * same).sum()  # of one end; of one end with the centre
        total = (
            len(m) * (direct**2 - (g * g).sum())
            - 2.0 * direct * swapped
            + 2.0 * np.trace(g @ same @ g)
        )
        return float(0.5 * self.model.triple * total / self.box.volume**2)

    def orbitals(self, count: Any, more: Any = 0) -> Any:
        """Plane waves."""
        return PlaneWaves.holding(self.box, (self.up, self.down), more)

    def occupied(self, spin: Any) -> Any:
        """The closed shells of plane waves."""
        return wave_labels(self.box, self.up if spin == "up" else self.down)

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """The exact energy of a determinant of plane waves, where the wavefunction is nothing
        else.
        """
        if wavefunction.plane_waves is None:
            return None
        energy = sum(self.plane_wave_terms(wavefunction.plane_waves).values())
        return energy, "exact: Hartree-Fock energy of the plane waves"

    def describe(self) -> str:
        turned = ", twist " + ", ".join(f"{x:g}" for x in self.box.twist / (2.0 * np.pi))
        up = f"{self.up} neutron{'s' * (self.up != 1)}"
        return (
            f"neutron matter: {up} up and {self.down} down, {self.density:g} fm^-3, "
            f"L = {self.box.lengths[0]:.6g} fm, model {self.model_name}"
            f"{turned if self.box.twist.any() else ''}"
        )
