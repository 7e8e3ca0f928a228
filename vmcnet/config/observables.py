"""[[observable]]: one table an observable."""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from vmcnet.config.explain import JobError, explain
from vmcnet.config.table import Table


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


ObservableTable = Annotated[
    MagnetisationTable
    | StaggeredTable
    | CorrelationsTable
    | StructureFactorTable
    | OrderParameterTable
    | HeatCapacityTable,
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
