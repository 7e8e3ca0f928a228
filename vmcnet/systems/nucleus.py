"""Light nuclei in free space, leading-order pionless effective field theory."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vmcnet import arguments
from vmcnet.exact.radial import line_energy
from vmcnet.hamiltonians.nucleons import (
    NUCLEONS,
    CentreOfMassTrap,
    NucleonKinetic,
    NucleonPairs,
    ProtonRepulsion,
    same_isospin,
    same_spin,
)
from vmcnet.hamiltonians.spin_pairs import GaussianImages, ThreeBody
from vmcnet.systems.base import System
from vmcnet.systems.neutron_matter import HBAR_C, MODELS, NEUTRON

PROTON = 938.272088  # MeV
C10, R0 = -7.04040080, 1.5459  # fm^2, fm: spin triplets, as C01 and R1 of a Model for singlets
FINE_STRUCTURE, CHARGE_RATE = 1.0 / 137.035999, 4.27  # e^2/(hbar c); 1/fm


@lru_cache(maxsize=8)
def _deuteron(mass: float, depth: float) -> float:
    """Energy of the s wave, MeV: r R(r) is the first odd function of the same well on a line."""
    half = 0.5 * mass * depth
    return 2.0 / mass * line_energy(lambda x: half * np.exp(-((x / R0) ** 2)), 45.0, 320, level=1)


class Nucleus(System):
    """H = -sum hbar^2/2m_i lap_i + sum_{i<j} v_ij + three-body force + repulsion of protons, at
    total momentum zero; MeV and fm.

    v_ij = u_s(r) in spin singlets with isospin triplet, u_t(r) in the reverse, Gaussians: model "o"
    of Schiavilla et al., Phys. Rev. C 103, 054003 (2021). m_i is the mass of a proton or a neutron,
    as the label of i says. Labels are of four kinds (hamiltonians.nucleons): 2H has a proton and a
    neutron up, 3H a proton up and neutrons up and down, 3He the mirror image, 4He all four. They
    are fixed, which is exact: H stays as it is where two particles are exchanged with their labels.
    R, the plain mean of all positions, which no exchange of isospins moves, is in the ground state
    of a trap whose energy is subtracted: psi must hold exp(-R^2/2 centre_length^2), as SShell does;
    the kinetic energy inside is the mean of the terms kinetic and centre_of_mass together. charges:
    whether protons repel each other. 2H has an exact energy, of its radial equation with the
    reduced mass. Raises ValueError for other numbers of nucleons.
    """

    units = "MeV"
    length_units = "fm"
    contact, fermions = 0.0, True
    label_pairs = (same_spin, same_isospin)

    def __init__(self, protons: int = 1, neutrons: int = 1, model: str = "o", charges: bool = True):
        protons = arguments.whole("Nucleus protons", protons, 0, 2)
        neutrons = arguments.whole("Nucleus neutrons", neutrons, 0, 2)
        if protons + neutrons < 2 or 0 in (protons, neutrons):
            raise ValueError(
                f"Nucleus of {protons} protons and {neutrons} neutrons: expected 1 or 2 of each, "
                "as many as an s shell holds"
            )
        charges = arguments.flag("Nucleus charges", charges)
        arguments.choice("Nucleus model", model, MODELS)
        self.protons, self.neutrons, self.model_name = protons, neutrons, model
        self.particles, self.dimensions = protons + neutrons, 3
        label = {parts: k for k, parts in NUCLEONS.items()}
        self.spins = np.array(
            [label[k, 1] for k in range(protons)] + [label[k, 0] for k in range(neutrons)], np.int8
        )
        self.length, self.centre_length = 1.5, 1.0
        neutron, proton = (m / HBAR_C**2 for m in (NEUTRON, PROTON))  # 1/(MeV fm^2)
        mass = 2.0 / (1.0 / neutron + 1.0 / proton)  # twice the reduced one of a pair
        self.energy_unit = 1.0 / (mass * self.length**2)
        chosen = MODELS[model]
        depth = HBAR_C * C10 / (np.pi**1.5 * R0**3)
        singlet, triplet = GaussianImages(chosen.r1), GaussianImages(R0)
        self.terms = {
            "kinetic": NucleonKinetic(neutron, proton),
            "centre_of_mass": CentreOfMassTrap(
                self.centre_length, [proton] * protons + [neutron] * neutrons
            ),
            "pairs": NucleonPairs(lambda x: chosen.pair * singlet(x), lambda x: depth * triplet(x)),
        }
        if self.particles > 2:
            self.terms["three_body"] = ThreeBody(GaussianImages(chosen.r3), chosen.triple)
        if protons > 1 and charges:
            self.terms["coulomb"] = ProtonRepulsion(FINE_STRUCTURE * HBAR_C, CHARGE_RATE)
        deuteron = _deuteron(mass, depth)
        self.tail = float(np.sqrt(-mass * deuteron))  # 1/fm: exp(-tail r) far out, of 2H
        if self.particles == 2:
            self.reference = deuteron, "exact: radial equation by collocation"

    def describe(self) -> str:
        return (
            f"nucleus: {self.protons} proton{'s' * (self.protons > 1)}, {self.neutrons} "
            f"neutron{'s' * (self.neutrons > 1)}, model {self.model_name}"
        )
