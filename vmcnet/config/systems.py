"""[system]: one table a system."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable
from vmcnet.systems.base import MOST_PAIRED, MOST_PARTICLES


class QuantumDotTable(Table):
    """Electrons in a parabolic trap."""

    builds = "vmcnet.systems:QuantumDot"
    type: Literal["quantum_dot"]
    particles: int = Field(ge=1, le=MOST_PAIRED, description="number of electrons")
    spin_projection: float | None = Field(
        description=(
            "(up - down)/2, half-integer for odd numbers; the lowest, 0 or 1/2, when absent"
        ),
    )
    dimensions: Literal[1, 2, 3] = Field(description="dimensions of space")
    omega: Positive = Field(description="trap frequency, hartree")
    interaction: Literal["coulomb", "soft_coulomb", "none"] = Field(
        description="repulsion 1/r, 1/sqrt(r^2 + softening^2), or none"
    )
    softening: Positive = Field(description="length of the soft repulsion, bohr")


class Fermions1DTable(Table):
    """Fermions without spin on a line, in a parabolic trap."""

    builds = "vmcnet.systems:Fermions1D"
    type: Literal["fermions_1d"]
    particles: int = Field(ge=1, le=MOST_PAIRED, description="number of fermions")
    omega: Positive = Field(description="trap frequency, hartree")
    strength: float = Field(description="V0: integral of the interaction, below 0 attractive")
    range: Positive = Field(description="width s of the Gaussian interaction, bohr")


class TrappedBosonsTable(Table):
    """Bosons in a harmonic trap, ideal or as hard spheres."""

    builds = "vmcnet.systems:TrappedBosons"
    type: Literal["trapped_bosons"]
    particles: int = Field(ge=1, le=MOST_PARTICLES, description="number of bosons")
    dimensions: Literal[1, 2, 3] = Field(description="dimensions of space")
    omega: Positive = Field(description="trap frequency")
    omega_z: Positive | None = Field(description="frequency along the last axis; omega when absent")
    diameter: Annotated[float, Field(ge=0)] = Field(
        description="diameter of hard spheres, in units of length; 0: ideal gas"
    )


class DoubleWellTable(Table):
    """Particles without interaction in a double well."""

    builds = "vmcnet.systems:DoubleWell"
    type: Literal["double_well"]
    particles: int = Field(ge=1, le=MOST_PARTICLES, description="number of particles")
    barrier: Positive = Field(description="height of the barrier, hartree")
    half_distance: Positive = Field(description="minima at plus and minus this x, bohr")
    dimensions: Literal[1, 2, 3] = Field(description="dimensions of space; harmonic along y and z")
    omega: Positive = Field(description="trap frequency along y and z")


class ElectronGasTable(Table):
    """Electrons in a periodic box with a neutralising background."""

    builds = "vmcnet.systems:ElectronGas"
    type: Literal["electron_gas"]
    particles: int = Field(ge=2, le=MOST_PAIRED, description="number of electrons")
    r_s: Positive = Field(
        description="radius of the sphere (disk in 2D) that holds one electron, bohr"
    )
    dimensions: Literal[2, 3] = Field(description="dimensions of space")
    polarisation: Annotated[float, Field(ge=0, le=1)] = Field(
        description="(up - down)/particles, 0 to 1"
    )
    twist: list[Annotated[float, Field(ge=-0.5, le=0.5)]] | None = Field(
        description="twist of the boundary along every axis over 2 pi, -1/2 to 1/2"
    )
    lattice: Literal["bcc"] | None = Field(
        description="start on the sites of a crystal, which lattice orbitals read"
    )


class NeutronMatterTable(Table):
    """Dilute neutron matter in a periodic box."""

    builds = "vmcnet.systems:NeutronMatter"
    type: Literal["neutron_matter"]
    particles: int = Field(ge=2, le=MOST_PAIRED, description="number of neutrons")
    density: Positive = Field(description="neutrons in fm^3")
    model: Literal["o", "o_1.1"] = Field(
        description="interaction; range of the three-body force 1.0 or 1.1 fm"
    )
    polarisation: Annotated[float, Field(ge=0, le=1)] = Field(
        description="(up - down)/particles, 0 to 1"
    )
    twist: list[Annotated[float, Field(ge=-0.5, le=0.5)]] | None = Field(
        description="twist of the boundary along every axis over 2 pi, -1/2 to 1/2"
    )


class UnitaryGasTable(Table):
    """Fermions up and down with an infinite scattering length in a periodic box."""

    builds = "vmcnet.systems:UnitaryGas"
    type: Literal["unitary_gas"]
    particles: int = Field(ge=2, le=MOST_PAIRED, description="number of fermions, even")
    effective_range: Positive = Field(description="effective range k_F r_e of the interaction")


class NucleusTable(Table):
    """A light nucleus in free space: 2H, 3H, 3He or 4He."""

    builds = "vmcnet.systems:Nucleus"
    type: Literal["nucleus"]
    protons: int = Field(ge=1, le=2, description="number of protons")
    neutrons: int = Field(ge=1, le=2, description="number of neutrons")
    model: Literal["o", "o_1.1"] = Field(
        description="interaction; range of the three-body force 1.0 or 1.1 fm"
    )
    charges: bool = Field(description="protons repel each other")


Length = Annotated[int, Field(ge=1, le=100_000)]
Edge = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


class LatticeTable(Table):
    """Where the spins are: a hypercubic lattice by `extent`, or a graph by `sites` and `edges`."""

    extent: Annotated[list[Length], Field(min_length=1, max_length=8)] | None = Field(
        description="lengths of a hypercubic lattice: [n] a chain, [x, y] a square"
    )
    periodic: bool = Field(description="periodic in all directions, or open; hypercubic lattices")
    sites: Annotated[int, Field(ge=2, le=100_000)] | None = Field(description="vertices of a graph")
    edges: list[Edge] | None = Field(
        description="bonds of a graph, pairs of vertices counted from 0"
    )


class TransverseIsingTable(LatticeTable):
    """Ising model in a transverse field, Pauli matrices."""

    builds = "vmcnet.systems:TransverseIsing"
    type: Literal["transverse_ising"]
    field: float = Field(description="transverse field h")
    coupling: float = Field(description="coupling J; above 0 ferromagnetic")
    longitudinal: float = Field(description="field along z")


class HeisenbergTable(LatticeTable):
    """Heisenberg, XXZ and J1-J2 model, spin 1/2."""

    builds = "vmcnet.systems:Heisenberg"
    type: Literal["heisenberg"]
    coupling: float = Field(description="J between nearest neighbours; above 0 antiferromagnetic")
    anisotropy: float = Field(description="Jz/J")
    second: float = Field(description="J2 between second neighbours")
    field: float = Field(description="field along z")
    magnetisation: int | None = Field(
        description=(
            "sum of the spins +-1 of every walker; 0 when absent, 1 for an odd number of sites"
        )
    )
    full_space: bool = Field(description="all magnetisations instead of one")
    marshall: bool | None = Field(
        description=(
            "basis turned on one sublattice, where for J > 0 the sign rule makes psi positive; "
            "when absent turned where that makes psi positive"
        )
    )
    second_edges: list[Edge] = Field(description="second-neighbour bonds of a graph")


class ClassicalIsingTable(LatticeTable):
    """Classical Ising model at a temperature."""

    builds = "vmcnet.systems:ClassicalIsing"
    type: Literal["classical_ising"]
    temperature: Positive = Field(description="temperature, k_B = 1")
    coupling: float = Field(description="J; above 0 ferromagnetic")
    field: float = Field(description="magnetic field h")


class PottsTable(LatticeTable):
    """Classical Potts model at a temperature."""

    builds = "vmcnet.systems:Potts"
    type: Literal["potts"]
    states: int = Field(ge=2, le=127, description="colours q of a site")
    temperature: Positive = Field(description="temperature, k_B = 1")
    coupling: float = Field(description="J; E = -J sum delta(s_i, s_j)")


SystemTable = Annotated[
    QuantumDotTable
    | Fermions1DTable
    | TrappedBosonsTable
    | DoubleWellTable
    | ElectronGasTable
    | NeutronMatterTable
    | UnitaryGasTable
    | NucleusTable
    | TransverseIsingTable
    | HeisenbergTable
    | ClassicalIsingTable
    | PottsTable
    | UserTable,
    Field(discriminator="type"),
]
