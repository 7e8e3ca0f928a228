"""A feed-forward network of spins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.feedforward import Layers, checked_network
from vmcnet.wavefunctions.reading import Configuration, Parameters


class SpinNetwork(Wavefunction):
    """psi = exp(v.h + i u.h) of a feed-forward network h(s) of the spins, s_i = +-1.

    weights = "complex": the last layer gives a logarithm and a phase, u not 0; "real": psi > 0.
    symmetric: the network reads the spins
    from every site of a periodic lattice and its outputs are summed, log psi = sum_g f(g s).
    layers, activation and skip as in FeedForward;
    v and u start as normals of width `spread`. Raises ValueError for particles in space and for
    symmetric without translations.
    """

    name = "network"
    reads = "spins"

    def __init__(
        self,
        system: Any,
        layers: Sequence[int] = (16,),
        activation: str = "logcosh",
        skip: bool = False,
        weights: str = "real",
        symmetric: bool = False,
        spread: float = 0.02,
    ) -> None:
        self.place(system)
        weights = arguments.choice("SpinNetwork weights", weights, ("real", "complex"))
        symmetric = arguments.flag("SpinNetwork symmetric", symmetric)
        layers = checked_network("SpinNetwork", layers, activation, skip)
        if skip and not any(
            a == b for a, b in zip([system.particles, *layers], layers, strict=False)
        ):
            raise ValueError(
                "SpinNetwork skip = true, but no layer keeps the width of the one before it: "
                f"layers = {layers}"
            )
        n = self.particles
        self._spread = arguments.positive("SpinNetwork spread", spread)
        self.complex = weights == "complex"
        self._group = system.lattice.symmetries("SpinNetwork") if symmetric else None
        self.layout = Layout()
        self._network = Layers(self.layout, "", n, layers, activation, skip)
        for name in ("last", "last_imaginary")[: 1 + self.complex]:
            self.layout.add(name, (self._network.outputs,))

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = self._network.initial(stream)
        return out | {
            k: self._spread * stream.normal((self._network.outputs,))
            for k in self.layout.entries
            if k.startswith("last")
        }

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        s = walkers.s if self._group is None else walkers.s[:, self._group]
        h = self._network(ops, theta, ops.constant(s.astype(ops.real_dtype)))
        if self._group is not None:
            h = ops.sum(h, axis=1)
        log = ops.sum(h * theta["last"], axis=-1)
        return None, ops.complex(
            log, ops.sum(h * theta["last_imaginary"], axis=-1)
        ) if self.complex else log
