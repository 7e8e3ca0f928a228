"""Feed-forward networks: of all coordinates, permutation-symmetric by pooling, with pair
features.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.elementwise import ACTIVATIONS
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters

MOST_LAYERS, WIDEST = 1000, 100_000


class Layers:
    """Layers h <- f(h W + b), with `skip` h <- h + f(h W + b) wherever a layer keeps the width;
    parameters PREFIX_weights1, PREFIX_bias1, ...

    Weights start as normals of width 1/sqrt(fan in), biases at 0.
    """

    def __init__(
        self,
        layout: Layout,
        prefix: str,
        inputs: int,
        layers: Sequence[int],
        activation: str,
        skip: bool,
    ) -> None:
        self.prefix, self.widths, self.activation, self.skip = (
            prefix,
            [inputs, *layers],
            activation,
            skip,
        )
        self._layers = []  # names of weights and bias, and whether the input is added
        for k, (fan, width) in enumerate(zip(self.widths, self.widths[1:], strict=False), 1):
            layout.add(f"{prefix}weights{k}", (fan, width)).add(f"{prefix}bias{k}", (width,))
            self._layers.append((f"{prefix}weights{k}", f"{prefix}bias{k}", skip and fan == width))

    @property
    def outputs(self) -> int:
        return self.widths[-1]

    def initial(self, stream: Stream) -> dict:
        out = {}
        for k, (fan, width) in enumerate(zip(self.widths, self.widths[1:], strict=False), 1):
            out[f"{self.prefix}weights{k}"] = stream.normal((fan, width)) / sqrt(fan)
            out[f"{self.prefix}bias{k}"] = np.zeros(width)
        return out

    def __call__(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        return self.above(ops, theta, h, 0)

    def added(self, layer: int) -> bool:
        """Whether a layer adds its input."""
        return self._layers[layer][2]

    def above(self, ops: Interpreter, theta: Parameters, h: Handle, layer: int) -> Handle:
        """The layers from `layer` on, the first is 0."""
        for weights, bias, added in self._layers[layer:]:
            new = ops.dense(h, theta[weights], theta[bias], self.activation)
            h = h + new if added else new
        return h


def checked_network(title: str, layers: Sequence[int], activation: str, skip: bool) -> list[int]:
    """`layers` as a list of widths; ValueError for what makes no network."""
    arguments.choice(f"{title} activation", activation, sorted(f.name for f in ACTIVATIONS))
    arguments.flag(f"{title} skip", skip)
    layers = arguments.wholes(f"{title} layers", layers, 1, WIDEST, MOST_LAYERS)
    if not layers:
        raise ValueError(f"{title} needs at least one layer, got layers = []")
    return layers


class FeedForward(Wavefunction):
    """psi = exp(network), a real factor without nodes that does not decay: multiply it by an
    envelope.

    All coordinates in units of the system's length. Without `symmetric` one network of `layers`
    reads the vector (w, n d), with `pairs`
    also the features of all pairs. With `symmetric` the same network reads every particle (w, n,
    d), with `pairs` a second one
    of `layers` every pair; their outputs are averaged over particles and over pairs, joined, and
    read by the layers of `head`: bosons stay bosons
    (Zaheer et al., Deep Sets, arXiv:1703.06114, eq. 2). log psi = n (last layer . v), v (h,)
    starting at `spread` normals, so that
    psi starts near the other factors; a constant in log psi would be no parameter.
    Pair features, symmetric in i and j: r_i + r_j and, by component, (r_i - r_j)_k^2 / (1 + r_ij):
    without slope at contact, so
    that a Jastrow factor's cusp remains exact. activation: one of tanh, logistic, softplus,
    logcosh, gelu, silu.
    Raises ValueError for empty layers, unknown activations and options that would do nothing.
    """

    name = "network"
    rowwise = True
    decays = False

    def __init__(
        self,
        system: Any,
        layers: Sequence[int] = (16, 16),
        activation: str = "tanh",
        skip: bool = False,
        symmetric: bool = False,
        pairs: bool = False,
        head: Sequence[int] = (),
        spread: float = 0.01,
    ) -> None:
        self.place(system)
        layers = checked_network("FeedForward", layers, activation, skip)
        head = () if head is None else head
        head = arguments.wholes("FeedForward head", head, 1, WIDEST, MOST_LAYERS)
        symmetric = arguments.flag("FeedForward symmetric", symmetric)
        pairs = arguments.flag("FeedForward pairs", pairs)
        if head and not symmetric:
            raise ValueError(
                "FeedForward head = ... has no meaning without symmetric = true: there is nothing "
                "to pool"
            )
        if pairs and system.particles < 2:
            raise ValueError("FeedForward pairs = true needs at least 2 particles")
        n, d = self.particles, self.dimensions
        self.symmetric, self.pairs, self._length = symmetric, pairs, system.length
        self._spread = arguments.positive("FeedForward spread", spread)
        self.layout = Layout()
        self.networks: list[Layers] = []
        if symmetric:
            self._particle = self._network("", d, layers, activation, skip)
            if pairs:
                self._pair = self._network("pair_", 2 * d, layers, activation, skip)
            self._head = self._network(
                "head_", layers[-1] * (2 if pairs else 1), head, activation, skip
            )
            last = self._head.outputs
        else:
            self._all = self._network(
                "", n * d + (n * (n - 1) * d if pairs else 0), layers, activation, skip
            )
            last = self._all.outputs
        if skip and not any(
            a == b
            for net in self.networks
            for a, b in zip(net.widths, net.widths[1:], strict=False)
        ):
            raise ValueError(
                "FeedForward skip = true, but no layer keeps the width of the one before it: "
                f"layers = {list(layers)}, head = {head}"
            )
        self.layout.add("last_weights", (last, 1))

    def _network(
        self, prefix: str, inputs: int, layers: Sequence[int], activation: str, skip: bool
    ) -> Layers:
        self.networks.append(Layers(self.layout, prefix, inputs, layers, activation, skip))
        return self.networks[-1]

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = {}
        for network in self.networks:
            out.update(network.initial(stream))
        return {
            **out,
            "last_weights": self._spread * stream.normal(self.layout.entries["last_weights"].shape),
        }

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        x = walkers.r / self._length
        h = self._pooled(ops, theta, x) if self.symmetric else self._flat(ops, theta, x)
        log = ops.sum(ops.affine(h, theta["last_weights"]), axis=-1)
        return None, self.particles * log if self.particles > 1 else log

    @staticmethod
    def _pair_features(ops: Interpreter, x: Handle) -> Any:
        first, second = ops.pairs(x)
        apart = first - second
        distance = ops.expand(ops.norm(apart), -1)
        return ops.concatenate([first + second, apart * apart / (1.0 + distance)])

    def _flat(self, ops: Interpreter, theta: Parameters, x: Handle) -> Handle:
        features = ops.flatten(x)
        if self.pairs:
            features = ops.concatenate([features, ops.flatten(self._pair_features(ops, x))])
        return self._all(ops, theta, features)

    def _pooled(self, ops: Interpreter, theta: Parameters, x: Handle) -> Handle:
        pooled = ops.mean(self._particle(ops, theta, x), axis=1)
        if self.pairs:
            pooled = ops.concatenate(
                [pooled, ops.mean(self._pair(ops, theta, self._pair_features(ops, x)), axis=1)]
            )
        return self._head(ops, theta, pooled)
