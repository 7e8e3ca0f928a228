"""Terms of spin Hamiltonians, in Pauli matrices: diagonal ones, and flips and exchanges as
connected configurations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array, namespace
from vmcnet.geometry.moves import SpinMoves
from vmcnet.walkers import Psi, Walkers


class Diagonal:
    """strength sum_bonds w_ij s_i s_j of every walker, (W,); w_ij whole numbers, 1 unless given."""

    rowwise = True

    def __init__(self, strength: float, bonds: ArrayLike, weights: ArrayLike = 1) -> None:
        self._strength, self._bonds = strength, np.asarray(bonds)
        self._weights = np.broadcast_to(weights, len(self._bonds)).astype(np.float64)
        self._plain = bool((self._weights == 1).all())

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        xp = namespace(walkers.s)
        i, j = xp.asarray(self._bonds[:, 0]), xp.asarray(self._bonds[:, 1])
        s = walkers.s
        product = s[:, i] * s[:, j]
        if not self._plain:
            return self._strength * (product * xp.asarray(self._weights)).sum(axis=1)
        return self._strength * product.sum(axis=1, dtype=xp.float64)


class LongitudinalField:
    """strength sum_i s_i of every walker, (W,)."""

    rowwise = True

    def __init__(self, strength: float) -> None:
        self._strength = strength

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        return self._strength * walkers.s.sum(axis=1, dtype=namespace(walkers.s).float64)


class OffDiagonal:
    """sum_m element_m psi(s^m)/psi(s) over the moves that act on s, (W,): real matrix elements <s|
    H |s^m> (M,), the same for all s.
    """

    def __init__(self, moves: SpinMoves, elements: ArrayLike) -> None:
        self.moves = moves
        self.elements = np.broadcast_to(np.asarray(elements, np.float64), (len(moves),)).copy()

    @property
    def positive(self) -> bool:
        """Whether any element is above 0: then no psi > 0 need be the ground state."""
        return bool((self.elements > 0).any())

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        return psi.connected(walkers, self.moves, self.elements)


class TransverseField(OffDiagonal):
    """strength sum_i sigma^x_i."""

    rowwise = True

    def __init__(self, strength: float, sites: int) -> None:
        super().__init__(SpinMoves.flips(sites), strength)


class BondExchange(OffDiagonal):
    """strength sum_bonds (sigma^x_i sigma^x_j + sigma^y_i sigma^y_j) = 2 strength sum_bonds
    (sigma^+_i sigma^-_j + h.c.).

    With `sublattice` (n,) +-1 in the basis turned by pi about z on one sublattice (Marshall): the
    element changes sign on the bonds that join the two. weights of the bonds: 1 unless given.
    """

    rowwise = True

    def __init__(
        self,
        strength: float,
        bonds: ArrayLike,
        sublattice: np.ndarray | None = None,
        weights: Array = 1,
    ) -> None:
        bonds = np.asarray(bonds)
        signs = 1.0 if sublattice is None else np.asarray(sublattice, float)[bonds].prod(axis=1)
        super().__init__(SpinMoves(bonds), 2.0 * strength * signs * weights)
