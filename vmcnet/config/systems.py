"""[system]: one table a system."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field

from vmcnet.config.table import Positive, Table


class QuantumDotTable(Table):
    """Electrons in a parabolic trap."""

    builds = "vmcnet.systems:QuantumDot"
    type: Literal["quantum_dot"]
    particles: int = Field(2, ge=1, le=2, description="number of electrons; more than 2 need an antisymmetric wavefunction")
    dimensions: Literal[1, 2, 3] = Field(2, description="dimensions of space")
    omega: Positive = Field(1.0, description="trap frequency, hartree")
    interaction: Literal["coulomb", "none"] = Field("coulomb", description="repulsion between the electrons")


class TrappedBosonsTable(Table):
    """Ideal gas of bosons in a harmonic trap."""

    builds = "vmcnet.systems:TrappedBosons"
    type: Literal["trapped_bosons"]
    particles: int = Field(ge=1, le=10_000, description="number of bosons")
    dimensions: Literal[1, 2, 3] = Field(3, description="dimensions of space")
    omega: Positive = Field(1.0, description="trap frequency")


SystemTable = Annotated[Union[QuantumDotTable, TrappedBosonsTable], Field(discriminator="type")]
