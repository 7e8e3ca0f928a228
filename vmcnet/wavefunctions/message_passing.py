"""A permutation-equivariant network over particles and pairs, for open and periodic space."""

from __future__ import annotations

from math import gamma, pi, sqrt
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.stream import Stream
from vmcnet.calculus.elementwise import LAYERS
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.reading import Configuration, Parameters

EDGES = ("filter", "full", "attention")


class MessagePassing:
    """Hidden states h_i (w, n, width) of all particles, from `passes` sums of messages over pairs.

    With f_ij a layer of the features of the pair (i, j), e_ij a layer of f_ij, c = 1/sqrt(n):
    m_i = sum_j e_ij (h_j V), then h_i <- h_i + act(h_i U + c m_i M + b). In open space h_i starts
    as a layer of (x_i, |x_i|^2/2), x in units of the system's length; pair features are
    x_ij/sqrt(1 + x_ij^2) and x_ij^2/(1 + |x_ij|)/2. In a box h_i starts as act(c sum_j e_ij M + b),
    which is the first pass; features are sin and cos of 2 pi x_ij/L and d^2/(0.2 + d) with
    d = |sin(pi x_ij/L)|. All are smooth where particles meet, so that a Jastrow factor's cusp stays
    exact. A system that keeps its centre of mass (`centre_length`) has no features of x_i, and the
    first pass is that of a box. s_i s_j is one more feature unless all spins are equal (a system
    may name other functions of two labels, `label_pairs`): h changes with particles and their spins
    exchanged together, in any configuration of spins.

    edges: filter, e_ij as above, which keeps pairs local (2 d + 2 numbers a feature in the forward
    Laplacian, not n d + 2); full, e_ij = act(f_ij W + h_i A + h_j B + b), m_i = sum_j e_ij;
    attention, the filter's terms times 1/(1 + exp(-(h_i Q).(h_j K)/sqrt(width) - f_ij.a)).
    range: e_ij times exp(-(d/range)^2) in a box, d_a = L_a/pi |sin(pi x_ij,a/L_a)| in units of the
    system's length, and c = 1/sqrt(neighbours in a ball of that radius); features are sin(2 pi
    x_ij/L) L/2 pi, d_a^2 and d^2/(0.25 + d), so that a network means the same in boxes of all sizes
    and one of few particles starts one of many. No such factor unless given.
    spread: of the random starting weights of heads that read h (0: exactly without them). Belongs
    to no system: `declare` says what it is on one. Message passing over pairs for fermions: Pescia
    et al., Phys. Rev. B 110, 035108 (2024), arXiv:2305.07240. Raises ValueError for arguments out
    of range.
    """

    @arguments.recorded
    def __init__(
        self,
        width: int = 16,
        passes: int = 2,
        activation: str = "tanh",
        edges: str = "filter",
        spread: float = 0.01,
        range: float | None = None,
    ) -> None:
        self.width = arguments.whole("MessagePassing width", width, 1, 4096)
        self.passes = arguments.whole("MessagePassing passes", passes, 1, 100)
        self.activation = arguments.choice("MessagePassing activation", activation, sorted(LAYERS))
        self.edges = arguments.choice("MessagePassing edges", edges, EDGES)
        self.spread = arguments.number("MessagePassing spread", spread, least=0)
        self.range = None if range is None else arguments.scale("MessagePassing range", range)

    def __repr__(self) -> str:
        return arguments.called(self)

    def declare(self, layout: Layout, prefix: str, system: Any) -> Network:
        """The network on a system, its parameters added to `layout` as prefix + name.

        Raises ValueError for fewer than two particles.
        """
        return Network(self, layout, prefix, system)

    def describe(self) -> str:
        return f"message_passing, width {self.width}, {self.passes} passes, {self.edges} edges"


def network_given(title: str, network: Any) -> MessagePassing:
    """The network, which must be a MessagePassing; ValueError otherwise."""
    if not isinstance(network, MessagePassing):
        raise ValueError(
            f"{title} network must be a MessagePassing network, got {arguments.shown(network)}"
        )
    return network


class Network:
    """A MessagePassing network on a system: `initial` parameters and hidden states."""

    def __init__(self, options: MessagePassing, layout: Layout, prefix: str, system: Any) -> None:
        if system.particles < 2:
            raise ValueError(
                f"MessagePassing needs at least 2 particles, the system has {system.particles}"
            )
        self.options, self.prefix, self.width = options, prefix, options.width
        self.particles, self.dimensions = system.particles, system.dimensions
        self.box, self.length = system.box, system.length
        self.range, neighbours = options.range, self.particles
        if self.range is not None:
            if self.box is None:
                raise ValueError(
                    "MessagePassing range belongs to periodic boxes, and this system has none: "
                    "leave it out"
                )
            d = self.dimensions
            reach = pi ** (d / 2) / gamma(d / 2 + 1) * (self.range * self.length) ** d
            neighbours = max(1.0, self.particles * reach / self.box.volume)
            self._decay = -1.0 / self.range**2
            self._chords = self.box.lengths / (np.pi * self.length)
        self._share = 1.0 / sqrt(neighbours)
        # where psi is a function of relative positions, particles have no features of their own
        self.one_body = system.box is None and system.centre_length is None
        if options.edges != "filter" and options.passes == 1 and not self.one_body:
            raise ValueError(
                f"MessagePassing edges = {options.edges} with passes = 1: the first pass has no "
                "hidden states to see where particles have no features of their own (in a box, "
                "about a centre of mass); give 2 passes or more, or leave edges out"
            )
        differ = len(set(np.asarray(system.spins).tolist())) > 1
        # functions of the labels of two particles; of spins +-1 their product
        self.labels = tuple(system.label_pairs) if differ else ()
        self._shapes = self._parameters()
        for name, shape in self._shapes.items():
            layout.add(prefix + name, shape)

    def _parameters(self) -> dict:
        """name -> shape; matrices (inputs, outputs), biases (outputs,)."""
        d, width, edges = self.dimensions, self.width, self.options.edges
        pair = (d + 1 if self.box is None else 2 * d + 1) + len(self.labels)
        out = {"pair_weights": (pair, width), "pair_bias": (width,)}
        if self.one_body:
            out |= {"one_weights": (d + 1, width), "one_bias": (width,)}
        square = (width, width)
        for t in range(1, self.options.passes + 1):
            out |= {f"edge{t}_weights": square, f"edge{t}_bias": (width,)}
            later = t > 1 or self.one_body
            if later and edges == "full":
                out |= {f"edge{t}_receiver": square, f"edge{t}_sender": square}
            elif later:
                out[f"value{t}_weights"] = square
            if later and edges == "attention":
                out |= {f"query{t}_weights": square, f"key{t}_weights": square}
                out[f"attention{t}_weights"] = (width, 1)
            if later:
                out[f"own{t}_weights"] = square
            out |= {f"message{t}_weights": square, f"update{t}_bias": (width,)}
        return out

    def initial(self, stream: Stream) -> dict:
        """Weights are normals of width 1/sqrt(inputs), biases 0."""
        return {
            self.prefix + name: (
                stream.normal(shape) / sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)
            )
            for name, shape in self._shapes.items()
        }

    def hidden(self, ops: Interpreter, theta: Parameters, walkers: Configuration) -> Handle:
        """h (w, n, width)."""
        act, p = self.options.activation, _Named(theta, self.prefix)
        features, signs, near = self._pair_features(ops, walkers)
        seen = p["pair_weights"], p["pair_weights"] * signs  # by i, by j
        first, second = (ops.dense(features, weights, p["pair_bias"], act) for weights in seen)
        h: Any = None
        if self.one_body:
            h = ops.dense(self._one_body(ops, walkers), p["one_weights"], p["one_bias"], act)
        for t in range(1, self.options.passes + 1):
            m = self._messages(ops, p, t, first, second, h, near)
            weights = p[f"message{t}_weights"] * self._share
            bias = p[f"update{t}_bias"]
            if h is None:
                h = ops.dense(m, weights, bias, act)
            else:
                h = ops.residual(h, [(h, p[f"own{t}_weights"]), (m, weights)], bias, act)
        return h

    def _messages(
        self,
        ops: Interpreter,
        p: Any,
        t: int,
        first: Any,
        second: Any,
        h: Handle | None,
        near: Handle | None,
    ) -> Handle:
        act, edges = self.options.activation, self.options.edges

        def damped(x: Handle) -> Handle:
            return x if near is None else x * near

        weights, bias = p[f"edge{t}_weights"], p[f"edge{t}_bias"]
        if h is not None and edges == "full":
            receivers = ops.pairs(ops.affine(h, p[f"edge{t}_receiver"]))
            senders = ops.pairs(ops.affine(h, p[f"edge{t}_sender"]))
            return ops.collect(
                *(
                    damped(
                        # the activation is named by the user, and checked against the known names
                        getattr(ops, act)(
                            ops.affine(x, weights, bias) + receivers[k] + senders[1 - k]
                        )
                    )
                    for k, x in enumerate((first, second))
                )
            )
        e, g = (damped(ops.dense(x, weights, bias, act)) for x in (first, second))
        if h is None:
            return ops.collect(e, g)
        v = ops.affine(h, p[f"value{t}_weights"])
        if edges == "attention":
            queries = ops.pairs(ops.affine(h, p[f"query{t}_weights"]))
            keys = ops.pairs(ops.affine(h, p[f"key{t}_weights"] * (1.0 / sqrt(self.width))))
            own = p[f"attention{t}_weights"]
            e, g = (
                x
                * ops.logistic(
                    ops.sum(queries[k] * keys[1 - k], axis=-1, keepdims=True) + ops.affine(f, own)
                )
                for k, (x, f) in enumerate(((e, first), (g, second)))
            )
        return ops.messages(e, g, v)

    def _one_body(self, ops: Interpreter, walkers: Configuration) -> Handle:
        x = walkers.r * (1.0 / self.length)
        return ops.concatenate([x, ops.sum(x * x, axis=-1, keepdims=True) * 0.5])

    def _pair_features(self, ops: Interpreter, walkers: Configuration) -> Any:
        """Features of all pairs (i, j) as i sees them; the signs (features, 1) that they have for
        j, odd ones -1; and what range multiplies messages by, or None.
        """
        near = None
        if self.box is None:
            odd, even = self._open(ops, walkers)
        elif self.range is None:
            odd, even = self._periodic(ops, walkers)
        else:
            odd, even, near = self._near(ops, walkers)
        if self.labels:
            even.append(ops.pair_labels(walkers.s, self.labels))
        features = ops.concatenate([odd, *even])
        signs = np.ones((features.shape[-1], 1))
        signs[: odd.shape[-1]] = -1.0
        return features, ops.fixed(signs), near

    def _open(self, ops: Interpreter, walkers: Configuration) -> Any:
        apart = ops.displacements(walkers.r * (1.0 / self.length))
        square = ops.sum(apart * apart, axis=-1, keepdims=True)
        distance = ops.expand(ops.norm(apart), -1)
        return apart * (1.0 + square) ** -0.5, [square / (1.0 + distance) * 0.5]

    def _periodic(self, ops: Interpreter, walkers: Configuration) -> Any:
        half = _scaled(ops, ops.displacements(walkers.r), np.pi / self.box.lengths)
        sine = ops.sin(half)
        distance = ops.expand(ops.norm(sine), -1)
        soft = distance * distance / (0.2 + distance)
        return ops.sin(2.0 * half), [1.0 - 2.0 * sine * sine, soft]

    def _near(self, ops: Interpreter, walkers: Configuration) -> Any:
        """Features in units of length, and exp(-(d/range)^2)."""
        half = _scaled(ops, ops.displacements(walkers.r), np.pi / self.box.lengths)
        chord = _scaled(ops, ops.sin(half), self._chords)
        odd = _scaled(ops, ops.sin(2.0 * half), 0.5 * self._chords)
        squares, distance = chord * chord, ops.expand(ops.norm(chord), -1)
        total = ops.sum(squares, axis=-1, keepdims=True)
        near = ops.exp(total * self._decay)
        return odd, [squares, total / (0.25 + distance)], near


def _scaled(ops: Interpreter, x: Handle, factors: np.ndarray) -> Handle:
    """x (w, ..., d) times the factors (d,) of its dimensions."""
    if len(set(factors.tolist())) == 1:
        return x * float(factors[0])
    return ops.affine(x, ops.fixed(np.diag(factors)))


class _Named:
    """theta with a prefix before every name."""

    def __init__(self, theta: Parameters, prefix: str) -> None:
        self._theta, self._prefix = theta, prefix

    def __getitem__(self, name: str) -> Handle:
        return self._theta[self._prefix + name]
