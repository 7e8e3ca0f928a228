"""Hidden fermions: a determinant with more particles than there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.filling import filled
from vmcnet.wavefunctions.heads import Heads
from vmcnet.wavefunctions.message_passing import MessagePassing, network_given
from vmcnet.wavefunctions.projection import Projected, Projection
from vmcnet.wavefunctions.reading import Configuration, Parameters


class HiddenFermions(Projected):
    """psi = det [[A, C], [B, 1 + D]] = det A det(1 + D - B A^-1 C): to the n particles come
    `hidden` ones, whose places are functions of all particles.

    A_ik = phi_k(x_i) with the occupied orbitals of either spin, 0 for particles of the other one.
    C_il, of particle i in hidden orbital l, is linear in the network's h_i and in orbitals,
    `shells` above the occupied ones included. The rows of B (hidden, n) and D (hidden, hidden) are
    a layer of what does not change under permutations, mean_i h_i and sum_i phi_k(x_i)/sqrt(n),
    with weights that start as the network's spread: at 0 psi is the Slater determinant. x_i are
    the particles, or what the head backflow makes of them; jastrow adds a symmetric factor. parity
    and spin_flip as for Slater.

    Robledo Moreno, Carleo, Georges, Stokes, PNAS 119, e2122059119 (2022); for neutrons Fore et al.,
    Phys. Rev. Research 5, 033062 (2023). Raises ValueError for arguments out of range.
    """

    name = "hidden_fermions"

    def __init__(
        self,
        system: Any,
        hidden: int = 4,
        shells: int = 1,
        network: Any = None,
        heads: Any = None,
        parity: str | None = None,
        spin_flip: str | None = None,
    ) -> None:
        self.place(system)
        self._projection = Projection("HiddenFermions", system, parity, spin_flip)
        self.hidden = arguments.whole("HiddenFermions hidden", hidden, 1, 1000)
        shells = arguments.whole("HiddenFermions shells", shells, 0, 100)
        network = MessagePassing() if network is None else network
        network_given("HiddenFermions", network)
        heads = ("backflow", "jastrow") if heads is None else heads
        arguments.texts("HiddenFermions heads", heads)
        if "orbitals" in heads:
            raise ValueError(
                f"HiddenFermions heads = {list(heads)}: expected some of backflow, jastrow; the "
                "hidden orbitals are in the place of the head orbitals"
            )
        spins = np.asarray(system.spins)
        numbers = {"up": int((spins > 0).sum()), "down": int((spins < 0).sum())}
        self.orbitals = system.orbitals(max(numbers.values()), shells)
        if not self.orbitals.real:
            raise ValueError(
                "HiddenFermions needs real orbitals: expected closed shells, and no twist"
            )
        if system.box is not None and system.box.twist.any():
            raise ValueError(
                "HiddenFermions: hidden states are periodic and follow no twist: leave it out"
            )
        self.box, self.twisted = self.orbitals.box, self.orbitals.twisted
        self.decays, self.layout = self.orbitals.decays, Layout()
        self.occupied = {
            spin: filled(self.orbitals, count, system.occupied(spin), f"occupied_{spin}")
            for spin, count in numbers.items()
            if count
        }
        self.orbitals.declare(self.layout, "")
        self._heads = Heads(network, heads, self.layout, system, 0)
        self._spread, width, size = network.spread, network.width, self.orbitals.size
        self._activation = network.activation
        self._shapes = {
            "hidden_orbitals": (width + size, self.hidden),
            "pooled_weights": (width + size, width),
            "pooled_bias": (width,),
            "hidden_rows": (width, self.hidden * (self.particles + self.hidden)),
        }
        for name, shape in self._shapes.items():
            self.layout.add(name, shape)

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = self.orbitals.initial("") | self._heads.initial(stream)
        for name, shape in self._shapes.items():
            scale = self._spread if name == "hidden_rows" else shape[0] ** -0.5
            out[name] = scale * stream.normal(shape) if len(shape) > 1 else np.zeros(shape)
        return out

    def _one(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        n, more = self.particles, self.hidden
        h = self._heads.network.hidden(ops, theta, walkers)
        x, _, jastrow = self._heads.read(ops, theta, walkers, h)
        phi = self.orbitals.matrix(ops, theta, "", x)
        features = ops.concatenate([h, phi])
        blocks = [
            ops.take(phi, self.occupied[spin], axis=-1) * ops.constant(mask)
            for spin, mask in self._masks(ops, walkers.s)
        ]
        top = ops.concatenate([*blocks, ops.affine(features, theta["hidden_orbitals"])])
        pooled = ops.concatenate([ops.mean(h, axis=1), ops.sum(phi, axis=1) * (1.0 / np.sqrt(n))])
        weights = theta["pooled_weights"], theta["pooled_bias"]
        pooled = ops.dense(pooled, *weights, self._activation)
        rows = ops.reshape(ops.affine(pooled, theta["hidden_rows"]), more, n + more)
        unit = ops.xp.asarray(np.eye(more, n + more, n)[None].astype(ops.real_dtype))
        rows = rows + ops.constant(unit)
        sign, log = ops.slogdet(ops.concatenate([ops.transpose(top), ops.transpose(rows)]))
        envelope = self.orbitals.envelope(ops, theta, "", walkers.r)
        for term in (envelope, jastrow):
            log = log if term is None else log + term
        return sign, log

    def _masks(self, ops: Interpreter, s: Array) -> Any:
        """Of either spin: 1 (w, n, 1) where a particle has it."""
        masks = {"up": s > 0, "down": s < 0}
        return [(k, masks[k][:, :, None].astype(ops.real_dtype)) for k in self.occupied]

    def describe(self) -> str:
        projected = f", {self._projection.describe()}" if self._projection else ""
        return f"hidden_fermions({self.layout.size} parameters; {self.hidden} hidden{projected})"
