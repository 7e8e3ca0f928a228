"""What reads the hidden states h (w, n, F) of a network: backflow, factors of orbitals, a Jastrow
factor. With zero weights each leaves psi as it is, to the bit.
"""

from __future__ import annotations


class Head:
    """One matrix (F, outputs), prefix + `name`, that starts as `spread` normals."""

    name = "head"

    def __init__(self, layout, prefix: str, network, outputs: int):
        self._key, self._shape = prefix + self.name, (network.width, outputs)
        self._spread = network.options.spread
        layout.add(self._key, self._shape)

    def initial(self, stream) -> dict:
        return {self._key: self._spread * stream.normal(self._shape)}


class Backflow(Head):
    """Coordinates x_i + length h_i B, B (F, d): every orbital is read where all particles move it.

    Feynman and Cohen, Phys. Rev. 102, 1189 (1956); by networks Luo and Clark, Phys. Rev. Lett. 122,
    226401 (2019).
    """

    name = "backflow"

    def __init__(self, layout, prefix, network, system):
        super().__init__(layout, prefix, network, system.dimensions)
        self._length = system.length

    def __call__(self, ops, theta, r, h):
        return r + ops.affine(h, theta[self._key] * self._length)


class OrbitalFactors(Head):
    """Orbitals phi_k(x_i) (1 + (h_i A)_k), A (F, orbitals)."""

    name = "orbitals"

    def __call__(self, ops, theta, orbitals, h):
        return orbitals * (1.0 + ops.affine(h, theta[self._key]))


class NeuralJastrow(Head):
    """log psi + sum_i h_i.j, j (F,): symmetric under exchange."""

    name = "jastrow"

    def __init__(self, layout, prefix, network):
        super().__init__(layout, prefix, network, 1)

    def __call__(self, ops, theta, h):
        return ops.sum(ops.sum(ops.affine(h, theta[self._key]), axis=-1), axis=-1)


HEADS = {head.name: head for head in (Backflow, OrbitalFactors, NeuralJastrow)}
