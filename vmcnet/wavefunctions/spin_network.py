"""A feed-forward network of spins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.feedforward import Layers, checked_network
from vmcnet.wavefunctions.local_update import UpdateRule
from vmcnet.wavefunctions.reading import Configuration, Parameters
from vmcnet.wavefunctions.spin_network_update import NetworkRule

# sites from which an update costs less than log psi, as measured; symmetric networks
LEAST, LEAST_SYMMETRIC = 64, 16


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
        self.group = system.lattice.symmetries("SpinNetwork") if symmetric else None
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
        seen = ops.constant(self.seen(walkers.s).astype(ops.real_dtype))
        return None, self._outputs(ops, theta, self._network(ops, theta, seen))

    def seen(self, s: Array) -> Array:
        """What the first layer reads: s (W, n), or its images under the group (W, G, n)."""
        if self.group is None:
            return s
        xp = namespace(s)
        return xp.take(s, xp.asarray(self.group), axis=1)  # contiguous, as indexing would not be

    def _outputs(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        if self.group is not None:
            h = ops.sum(h, axis=1)
        log = ops.sum(h * theta["last"], axis=-1)
        if not self.complex:
            return log
        return ops.complex(log, ops.sum(h * theta["last_imaginary"], axis=-1))

    @property
    def activation(self) -> str:
        return self._network.activation

    @property
    def keeps_spins(self) -> bool:
        """Whether the first layer adds what it reads."""
        return self._network.added(0)

    def first(self, theta: Parameters) -> tuple[Handle, Handle]:
        """Weights (n, H) and bias (H,) of the first layer."""
        return theta["weights1"], theta["bias1"]

    def read(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        """log psi (w,) from the first layer's result (w, H) or (w, G, H)."""
        return self._outputs(ops, theta, self._network.above(ops, theta, h, 1))

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        """Moves by the rows of the first layer's weights, where that costs less."""
        least = LEAST if self.group is None else LEAST_SYMMETRIC
        return NetworkRule(self, values) if self.particles >= least else None
