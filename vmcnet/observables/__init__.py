"""What evaluations measure beside the energy."""

from vmcnet.observables.base import Observable
from vmcnet.observables.spins import (
    Correlations,
    Magnetisation,
    StaggeredMagnetisation,
    StructureFactor,
)
from vmcnet.observables.thermal import HeatCapacity, OrderParameter

__all__ = [
    "Correlations",
    "HeatCapacity",
    "Magnetisation",
    "Observable",
    "OrderParameter",
    "StaggeredMagnetisation",
    "StructureFactor",
]
