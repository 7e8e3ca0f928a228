"""What reads the hidden states h (w, n, F) of a network: backflow, factors of orbitals, a Jastrow
factor. With zero weights each leaves psi as it is, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.wavefunctions.message_passing import MessagePassing, Network
from vmcnet.wavefunctions.reading import Configuration, Parameters


class Head:
    """One matrix (F, outputs), prefix + `name`, that starts as `spread` normals."""

    name = "head"

    def __init__(self, layout: Layout, prefix: str, network: Network, outputs: int) -> None:
        self._key, self._shape = prefix + self.name, (network.width, outputs)
        self._spread = network.options.spread
        layout.add(self._key, self._shape)

    def initial(self, stream: Stream) -> dict:
        return {self._key: self._spread * stream.normal(self._shape)}


class Backflow(Head):
    """Coordinates x_i + length h_i B, B (F, d): every orbital is read where all particles move it.

    Feynman and Cohen, Phys. Rev. 102, 1189 (1956); by networks Luo and Clark, Phys. Rev. Lett. 122,
    226401 (2019).
    """

    name = "backflow"

    def __init__(self, layout: Layout, prefix: str, network: Network, system: Any) -> None:
        super().__init__(layout, prefix, network, system.dimensions)
        self._length = system.length

    def __call__(self, ops: Interpreter, theta: Parameters, r: Handle, h: Handle) -> Handle:
        return r + ops.affine(h, theta[self._key] * self._length)


class ComplexBackflow(Head):
    """Coordinates x_i + i length h_i C, C (F, d): exp(i k.x) times exp(-k.y), y = length h_i C.

    Plane waves that are complex read it. Pescia et al., Phys. Rev. B 110, 035108 (2024).
    """

    name = "complex_backflow"

    def __init__(self, layout: Layout, prefix: str, network: Network, system: Any) -> None:
        super().__init__(layout, prefix, network, system.dimensions)
        self._length = system.length

    def __call__(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        return ops.affine(h, theta[self._key] * self._length)


class VirtualBackflow(Backflow):
    """Coordinates x_i + length h_i D, D (F, d), of the empty orbitals that pairs are excited into,
    x what backflow made of them.
    """

    name = "virtual_backflow"


class OrbitalFactors(Head):
    """Orbitals phi_k(x_i) (1 + (h_i A)_k), A (F, orbitals)."""

    name = "orbitals"

    def __call__(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        return 1.0 + ops.affine(h, theta[self._key])


class NeuralJastrow(Head):
    """log psi + sum_i h_i.j, j (F,): symmetric under exchange."""

    name = "jastrow"

    def __init__(self, layout: Layout, prefix: str, network: Network) -> None:
        super().__init__(layout, prefix, network, 1)

    def __call__(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle:
        return ops.sum(ops.sum(ops.affine(h, theta[self._key]), axis=-1), axis=-1)


HEADS: dict[str, Callable[..., Any]] = {
    head.name: head
    for head in (Backflow, ComplexBackflow, VirtualBackflow, OrbitalFactors, NeuralJastrow)
}


class Heads:
    """A MessagePassing network with heads for a determinant: its parameters are added to `layout`
    as network_... and the names of the heads.

    names: some of HEADS; orbitals: the number of orbitals; waves: whether they are complex plane
    waves, which alone read complex_backflow; excited: whether pairs are excited, whose empty
    orbitals alone read virtual_backflow. Raises ValueError for unknown names, names that come
    twice, or none.
    """

    def __init__(
        self,
        network: MessagePassing,
        names: Sequence[str],
        layout: Layout,
        system: Any,
        orbitals: int,
        waves: bool = False,
        excited: bool = False,
    ) -> None:
        names = list(names)
        unknown = [name for name in names if name not in HEADS]
        if unknown or not names or len(set(names)) < len(names):
            raise ValueError(
                f"heads = {names}: expected some of {', '.join(HEADS)}, each once at most"
            )
        if "complex_backflow" in names and not waves:
            raise ValueError(
                "heads: complex_backflow belongs to a Slater determinant of complex plane waves: "
                "give the system a twist, or leave it out"
            )
        if "virtual_backflow" in names and not excited:
            raise ValueError(
                "heads: virtual_backflow belongs to a Slater determinant with excitations: set "
                "excitations, or leave it out"
            )
        self.network = network.declare(layout, "network_", system)
        arguments = {"orbitals": (orbitals,), "jastrow": ()}
        self._heads = {
            name: HEADS[name](layout, "", self.network, *arguments.get(name, (system,)))
            for name in names
        }

    def initial(self, stream: Stream) -> dict:
        out = self.network.initial(stream)
        for head in self._heads.values():
            out |= head.initial(stream)
        return out

    def __call__(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Handle, Handle | None, Handle | None]:
        """(r, factors, log): the coordinates that orbitals read (w, n, d); what they are multiplied
        by, (w, n, orbitals) or None; what is added to log psi, (w,) or None.
        """
        return self.read(ops, theta, walkers, self.network.hidden(ops, theta, walkers))

    def read(self, ops: Interpreter, theta: Parameters, walkers: Configuration, h: Handle) -> Any:
        """The same of hidden states h (w, n, F)."""
        heads = self._heads
        return (
            heads["backflow"](ops, theta, walkers.r, h) if "backflow" in heads else walkers.r,
            heads["orbitals"](ops, theta, h) if "orbitals" in heads else None,
            heads["jastrow"](ops, theta, h) if "jastrow" in heads else None,
        )

    def virtual(self, ops: Interpreter, theta: Parameters, x: Handle, h: Handle) -> Handle | None:
        """Coordinates (w, n, d) that empty orbitals read, or None where they are x too."""
        head = self._heads.get("virtual_backflow")
        return None if head is None else head(ops, theta, x, h)

    def imaginary(self, ops: Interpreter, theta: Parameters, h: Handle) -> Handle | None:
        """y (w, n, d) of complex coordinates x + i y, or None."""
        head = self._heads.get("complex_backflow")
        return None if head is None else head(ops, theta, h)
