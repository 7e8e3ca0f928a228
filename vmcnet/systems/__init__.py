"""Physical systems."""

from vmcnet.systems.base import System
from vmcnet.systems.bosons import TrappedBosons
from vmcnet.systems.quantum_dot import QuantumDot

__all__ = ["QuantumDot", "System", "TrappedBosons"]
