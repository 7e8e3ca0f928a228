"""The Boltzmann factor of a classical lattice model as a wavefunction."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters


class Boltzmann(Wavefunction):
    """psi(s) = exp(-E(s)/2T), so that |psi|^2 is the Boltzmann distribution of a classical lattice
    model. It has no parameters. Raises ValueError for a system without temperature.
    """

    name = "boltzmann"
    reads = ("spins", "colours")
    thermal = True

    def __init__(self, system: Any) -> None:
        if system.temperature is None:
            raise ValueError(
                "Boltzmann needs a classical system with a temperature (classical_ising or potts)"
            )
        self.place(system)
        self.layout, self._system = Layout(), system

    def check(self, system: Any) -> None:
        own = self._system
        same = (
            system.moves == own.moves
            and system.temperature == own.temperature
            and np.array_equal(system.pair, own.pair)
            and np.array_equal(system.single, own.single)
            and np.array_equal(system.neighbours, own.neighbours)
        )
        if not same:
            raise ValueError("Boltzmann was built for another classical system: build it with this")

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        return None, ops.constant(
            self._system.energy(walkers.s) / (-2.0 * self._system.temperature)
        )
