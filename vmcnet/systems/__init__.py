"""Physical systems."""

from vmcnet.systems.base import System
from vmcnet.systems.bosons import TrappedBosons
from vmcnet.systems.classical import ClassicalIsing, Potts
from vmcnet.systems.electron_gas import ElectronGas
from vmcnet.systems.external import DoubleWell, Particles
from vmcnet.systems.fermions_1d import Fermions1D
from vmcnet.systems.neutron_matter import NeutronMatter
from vmcnet.systems.nucleus import Nucleus
from vmcnet.systems.quantum_dot import QuantumDot
from vmcnet.systems.spin_lattice import Heisenberg, SpinLattice, TransverseIsing
from vmcnet.systems.unitary_gas import UnitaryGas

__all__ = [
    "ClassicalIsing",
    "DoubleWell",
    "ElectronGas",
    "Fermions1D",
    "Heisenberg",
    "NeutronMatter",
    "Nucleus",
    "Particles",
    "Potts",
    "QuantumDot",
    "SpinLattice",
    "System",
    "TransverseIsing",
    "TrappedBosons",
    "UnitaryGas",
]
