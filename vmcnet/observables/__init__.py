"""What evaluations measure beside the energy."""

from vmcnet.observables.base import Observable
from vmcnet.observables.density import Density, DensityMap, Radius
from vmcnet.observables.exchange import MomentumDistribution, TotalSpin, Virial
from vmcnet.observables.finite_size import FiniteSize, finite_size
from vmcnet.observables.pairs import PairDistribution, StaticStructureFactor
from vmcnet.observables.spins import (
    Correlations,
    Magnetisation,
    StaggeredMagnetisation,
    StructureFactor,
)
from vmcnet.observables.thermal import HeatCapacity, OrderParameter

__all__ = [
    "Correlations",
    "Density",
    "DensityMap",
    "FiniteSize",
    "HeatCapacity",
    "Magnetisation",
    "MomentumDistribution",
    "Observable",
    "OrderParameter",
    "PairDistribution",
    "Radius",
    "StaggeredMagnetisation",
    "StaticStructureFactor",
    "StructureFactor",
    "TotalSpin",
    "Virial",
    "finite_size",
]
