"""A symmetric factor from a message-passing network."""

from __future__ import annotations

from typing import Any

from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.heads import NeuralJastrow
from vmcnet.wavefunctions.message_passing import MessagePassing, network_given
from vmcnet.wavefunctions.reading import Configuration, Parameters


class NetworkJastrow(Wavefunction):
    """psi = exp sum_i h_i.j, h the hidden states of a MessagePassing network, j (width,).

    Real, without nodes, symmetric under exchange of particles with their spins; periodic where the
    system is. It has no cusp and does not decay: multiply it by a Jastrow factor and an envelope, a
    determinant for fermions. network: MessagePassing() unless given; its `spread` is that of j, so
    that psi starts near the other factors. Raises ValueError for fewer than two particles.
    """

    name = "network_jastrow"
    rowwise = True

    def __init__(self, system: Any, network: MessagePassing | None = None) -> None:
        self.place(system)
        self.box, self.layout = system.box, Layout()
        network = MessagePassing() if network is None else network
        network_given("NetworkJastrow", network)
        self._network = network.declare(self.layout, "", system)
        self._head = NeuralJastrow(self.layout, "", self._network)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {**self._network.initial(stream), **self._head.initial(stream)}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        return None, self._head(ops, theta, self._network.hidden(ops, theta, walkers))
