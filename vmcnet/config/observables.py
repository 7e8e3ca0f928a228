"""[[observable]]: one table an observable."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from vmcnet.config.explain import JobError, explain
from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable
from vmcnet.observables.base import MOST_SHELLS


class MagnetisationTable(Table):
    """Mean spin m, |m| and m^2."""

    builds = "vmcnet.observables:Magnetisation"
    type: Literal["magnetisation"]


class StaggeredTable(Table):
    """The same with opposite signs on the two sublattices."""

    builds = "vmcnet.observables:StaggeredMagnetisation"
    type: Literal["staggered"]


class CorrelationsTable(Table):
    """Spin correlations at every displacement of a periodic lattice."""

    builds = "vmcnet.observables:Correlations"
    type: Literal["correlations"]


class StructureFactorTable(Table):
    """Structure factor of the spins at every wave vector of a periodic lattice."""

    builds = "vmcnet.observables:StructureFactor"
    type: Literal["structure_factor"]


class OrderParameterTable(Table):
    """Order parameter of a classical model and its Binder cumulant."""

    builds = "vmcnet.observables:OrderParameter"
    type: Literal["order"]


class HeatCapacityTable(Table):
    """Energy and heat capacity of a classical model."""

    builds = "vmcnet.observables:HeatCapacity"
    type: Literal["thermodynamics"]


Bins = Annotated[int, Field(ge=1, le=100_000)]
Shells = Annotated[int, Field(ge=1, le=MOST_SHELLS)]
BY_SPIN = "spins up and down apart"


class DensityTable(Table):
    """Density of particles at the distance r from the origin, in open space."""

    builds = "vmcnet.observables:Density"
    type: Literal["density"]
    bins: Bins = Field(50, description="bins between 0 and extent")
    extent: Positive | None = Field(
        None, description="largest distance; 5 lengths of the system when absent"
    )
    by_spin: bool = Field(False, description=BY_SPIN)


class DensityMapTable(Table):
    """Density of particles over one, two or three axes; the others are integrated over."""

    builds = "vmcnet.observables:DensityMap"
    type: Literal["density_map"]
    axes: Annotated[list[Annotated[int, Field(ge=0, le=2)]], Field(min_length=1, max_length=3)] = (
        Field([0, 1], description="axes, counted from 0")
    )
    bins: Annotated[int, Field(ge=1, le=1000)] = Field(40, description="cells along an axis")
    extent: Positive | None = Field(
        None,
        description="from -extent to extent; 5 lengths of the system when absent, the box in a box",
    )
    by_spin: bool = Field(False, description=BY_SPIN)


class RadiusTable(Table):
    """Mean distance and mean square distance from the origin, in open space."""

    builds = "vmcnet.observables:Radius"
    type: Literal["radius"]


class PairDistributionTable(Table):
    """How often two particles are at a distance r: g(r) in a box, a probability in open space."""

    builds = "vmcnet.observables:PairDistribution"
    type: Literal["pair_distribution"]
    bins: Bins = Field(60, description="bins between 0 and extent")
    extent: Positive | None = Field(
        None,
        description="largest distance; the corner of a box, 8 lengths of the system when absent",
    )
    by_spin: bool = Field(False, description="pairs of equal and of opposite spins apart")
    channels: bool = Field(False, description="pairs in singlet and in triplet apart")


class StaticStructureFactorTable(Table):
    """Structure factor of particles in a periodic box."""

    builds = "vmcnet.observables:StaticStructureFactor"
    type: Literal["static_structure_factor"]
    shells: Shells = Field(12, description="shells of wave vectors, the shortest first")


class MomentumDistributionTable(Table):
    """Occupation of wave vectors in a box, density of momenta along the axes in open space."""

    builds = "vmcnet.observables:MomentumDistribution"
    type: Literal["momentum_distribution"]
    shells: Shells = Field(12, description="shells of wave vectors, or values of k in open space")
    largest: Positive | None = Field(
        None, description="largest k in open space; 4 over the length of the system when absent"
    )
    extent: Positive | None = Field(
        None, description="largest displacement in open space; 5 lengths of the system when absent"
    )


class VirialTable(Table):
    """Virial r.grad V and the ratio 2 <T>/<r.grad V>."""

    builds = "vmcnet.observables:Virial"
    type: Literal["virial"]


class TotalSpinTable(Table):
    """Total spin S^2 of spin-1/2 particles."""

    builds = "vmcnet.observables:TotalSpin"
    type: Literal["total_spin"]


ObservableTable = Annotated[
    MagnetisationTable
    | StaggeredTable
    | CorrelationsTable
    | StructureFactorTable
    | OrderParameterTable
    | HeatCapacityTable
    | DensityTable
    | DensityMapTable
    | RadiusTable
    | PairDistributionTable
    | StaticStructureFactorTable
    | MomentumDistributionTable
    | VirialTable
    | TotalSpinTable
    | UserTable,
    Field(discriminator="type"),
]


class _Observables(Table):
    observable: list[ObservableTable]


def parse_observables(entries, source: str) -> list:
    """Tables of observables from dictionaries, or from texts such as 'density, bins = 40'; raises
    JobError, naming the `source`.
    """
    found = [_read(entry, source) if isinstance(entry, str) else entry for entry in entries]
    try:
        return _Observables.model_validate({"observable": found}).observable
    except ValidationError as error:
        raise JobError(f"{source}: {explain(error, _Observables)}") from None


def _read(text: str, source: str) -> dict:
    name, _, keys = text.partition(",")
    try:
        return {"type": name.strip(), **tomllib.loads(f"x = {{{keys}}}")["x"]}
    except tomllib.TOMLDecodeError as error:
        raise JobError(
            f"{source} {text!r}: expected NAME or 'NAME, KEY = VALUE, ...' with values as in a "
            f"job file ({error})"
        ) from None
