"""Pfaffians: fermions in pairs."""

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
from vmcnet.wavefunctions.heads import Head, Heads
from vmcnet.wavefunctions.message_passing import network_given
from vmcnet.wavefunctions.projection import Projected, Projection
from vmcnet.wavefunctions.reading import Configuration, Parameters


class Triplet(Head):
    """t(i, j) = h_i T h_j, T (F, F), of which the Pfaffian reads the antisymmetric part."""

    def __init__(self, layout: Layout, name: str, network: Any) -> None:
        self.name = name
        super().__init__(layout, "", network, network.width)

    def __call__(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        return ops.matmul(ops.affine(h, theta[self._key]), ops.transpose(h))


class Pfaffian(Projected):
    """psi = Pf(X - X^T), X_ij = sum_k c_k phi_k(x_i) phi_k(x_j) for s_i > 0 > s_j, and a triplet
    part; x the particles or what a network makes of them.

    The sum is a pair's singlet: symmetric in space, one number c a shell of orbitals. It starts at
    1 for the occupied shells and 0 for the `shells` above, where psi is the product of both spins'
    Slater determinants. triplet: with a network of hidden states h, h_i T h_j of pairs with equal
    labels and, with another T, of unlike ones, both antisymmetric in space; it does not follow a
    twist. network, heads, parity and spin_flip as for Slater; without a network there is no triplet
    part. As many particles up as down, in closed shells of real orbitals: ValueError otherwise.

    Bajdich, Mitas, Wagner, Schmidt, Phys. Rev. B 77, 115112 (2008); with networks Kim et al.,
    Commun. Phys. 7, 148 (2024), arXiv:2305.08831.
    """

    name = "pfaffian"

    def __init__(
        self,
        system: Any,
        shells: int = 1,
        triplet: bool | None = None,
        network: Any = None,
        heads: Any = None,
        parity: str | None = None,
        spin_flip: str | None = None,
    ) -> None:
        self.place(system)
        self._projection = Projection("Pfaffian", system, parity, spin_flip)
        shells = arguments.whole("Pfaffian shells", shells, 0, 100)
        triplet = None if triplet is None else arguments.flag("Pfaffian triplet", triplet)
        numbers = [int((np.asarray(system.spins) * sign > 0).sum()) for sign in (1, -1)]
        if numbers[0] != numbers[1] or sum(numbers) != self.particles:
            raise ValueError(
                f"Pfaffian: {numbers[0]} particles up and {numbers[1]} down; expected as many up "
                "as down, since all are paired"
            )
        heads = None if heads is None else arguments.texts("Pfaffian heads", heads)
        if network is not None:
            network_given("Pfaffian", network)
        if network is None and (heads is not None or triplet):
            given = "triplet = true" if triplet else f"heads = {list(heads)}"
            raise ValueError(f"Pfaffian {given}: there is no network to read")
        self.orbitals = system.orbitals(numbers[0], shells)
        if not self.orbitals.real:
            raise ValueError(
                "Pfaffian pairs real orbitals: expected closed shells, and no twist but 0 or 1/2"
            )
        self.box, self.twisted = self.orbitals.box, self.orbitals.twisted
        self.decays, self.layout = self.orbitals.decays, Layout()
        occupied = set(filled(self.orbitals, numbers[0], system.occupied("up"), "occupied"))
        energies = list(self.orbitals.energies)
        self._shells = [
            tuple(k for k, e in enumerate(energies) if e == level) for level in sorted({*energies})
        ]
        self._start = [float(occupied >= {*shell}) for shell in self._shells]
        if sum(len(s) for s, c in zip(self._shells, self._start, strict=True) if c) != numbers[0]:
            raise ValueError("Pfaffian: an open shell; expected closed shells of either spin")
        self.orbitals.declare(self.layout, "")
        for k in range(len(self._shells)):
            self.layout.add(f"pairing{k}", ())
        self._heads: Heads | None = None
        self._triplet: list[Triplet] = []
        if network is not None:
            heads = ("backflow", "jastrow") if heads is None else heads
            self._heads = Heads(network, heads, self.layout, system, self.orbitals.size)
            if triplet is not False:
                if self.box is not None and self.box.twist.any():
                    raise ValueError(
                        "Pfaffian triplet: hidden states are periodic and follow no twist: set "
                        "triplet = false, or leave the twist out"
                    )
                self._triplet = [
                    Triplet(self.layout, name, self._heads.network)
                    for name in ("triplet_like", "triplet_unlike")
                ]

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = self.orbitals.initial("")
        out |= {f"pairing{k}": np.float64(c) for k, c in enumerate(self._start)}
        heads = [] if self._heads is None else [self._heads]
        parts: list[Any] = [*heads, *self._triplet]
        for part in parts:
            out |= part.initial(stream)
        return out

    def _one(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        x, factors, more = walkers.r, None, None
        h: Any = None
        if self._heads is not None:
            h = self._heads.network.hidden(ops, theta, walkers)
            x, factors, more = self._heads.read(ops, theta, walkers, h)
        phi = self.orbitals.matrix(ops, theta, "", x)
        phi = phi if factors is None else phi * factors
        weighted = [
            ops.take(phi, shell, axis=-1) * theta[f"pairing{k}"]
            for k, shell in enumerate(self._shells)
        ]
        order = [k for shell in self._shells for k in shell]
        columns = ops.transpose(ops.take(phi, order, axis=-1))
        up, like = self._masks(ops, walkers.s)
        pairs = ops.matmul(ops.concatenate(weighted), columns) * ops.constant(up)
        for head, mask in zip(self._triplet, (like, 1.0 - like), strict=False):
            pairs = pairs + head(ops, theta, h) * ops.constant(mask)
        sign, log = ops.log_pfaffian(pairs)
        envelope = self.orbitals.envelope(ops, theta, "", walkers.r)
        for term in (envelope, more):
            log = log if term is None else log + term
        return sign, log

    def _masks(self, ops: Interpreter, s: Array) -> Any:
        """(w, n, n): 2 where i is up and j down; 1 where their labels are equal."""
        i, j = s[:, :, None], s[:, None, :]
        up = 2.0 * ((i > 0) & (j < 0))
        return up.astype(ops.real_dtype), (i == j).astype(ops.real_dtype)

    def describe(self) -> str:
        empty = sum(1 for c in self._start if not c)
        triplet = ", singlet and triplet" if self._triplet else ""
        projected = f", {self._projection.describe()}" if self._projection else ""
        return f"pfaffian({self.layout.size} parameters; {empty} shells above{triplet}{projected})"
