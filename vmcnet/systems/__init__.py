"""Physical systems."""

from vmcnet.systems.base import System
from vmcnet.systems.bosons import TrappedBosons
from vmcnet.systems.quantum_dot import QuantumDot
from vmcnet.systems.spin_lattice import Heisenberg, SpinLattice, TransverseIsing

__all__ = ["Heisenberg", "QuantumDot", "SpinLattice", "System", "TransverseIsing", "TrappedBosons"]
