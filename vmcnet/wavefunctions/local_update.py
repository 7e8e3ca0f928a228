"""Local updates: what a wavefunction may offer so that a move of a few spins, or of one particle,
costs less than log psi.

A wavefunction gives an `UpdateRule` for its parameters; of the walkers of a block the rule makes a
`LocalUpdate`, which sampling moves and terms of the Hamiltonian ask. A class that names one of the
two as its base inherits what has a body here.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from vmcnet.backend.arrays import Array, namespace
from vmcnet.geometry.moves import ParticleMove, SpinMove, SpinMoves
from vmcnet.walkers import Walkers

RENEW = 64  # sweeps between two renewals


class LocalUpdate(Protocol):
    """The walkers of one block at one theta, with what psi keeps of them.

      configuration() -> r (W, n, d), s (W, n)     as they stand
      ratio(move) -> (phase, log)                  psi(moved)/psi = phase exp(log), (W,) each
      accept(move, mask)                           the walkers of mask (W,) take the move
      renew()                                      everything anew from r and s

    phase is None (1), +-1 or of modulus 1; log may be complex; psi = 0 there: log = -inf. Where an
    exchange does not act, on two equal spins, the ratio says nothing. The methods may be called in
    any order. joins: the walkers may be those of several blocks, each with moves of its own in a
    sweep; parted(blocks) gives the updates of the single ones, and joined(updates) one of all.
    Raises TypeError for a move of a kind that the rule does not name.
    """

    joins: bool = False

    def configuration(self) -> tuple[Array, Array]: ...

    def ratio(self, move: Any) -> tuple[Array, Array]: ...

    def accept(self, move: Any, mask: Array) -> None: ...

    def renew(self) -> None: ...

    def sweep(
        self, moves: SpinMoves, sequence: np.ndarray, limits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The SpinMoves `sequence` (K,) one after the other; walker w takes a move where
        limits (K, W) < |psi'/psi|^2. Accepted moves and NaN ratios of every walker, (W,) each.
        """
        s = self.configuration()[1]
        xp = namespace(s)
        accepted, bad = xp.zeros(len(s), np.int64), xp.zeros(len(s), np.int64)
        limits = xp.log(xp.asarray(limits))
        for k, (m, limit) in enumerate(zip(sequence.tolist(), limits, strict=True)):
            if k and k % (RENEW * len(moves)) == 0:
                self.renew()
            move = SpinMove(moves, m)
            exponent, acts = 2.0 * self.ratio(move)[1].real, move.acts(self.configuration()[1])
            take = acts & (limit < exponent)
            bad += acts & xp.isnan(exponent)
            accepted += take
            self.accept(move, take)
        return accepted, bad

    def connected(self, moves: SpinMoves, elements: Array) -> Array:
        """sum_m elements_m psi(s^m)/psi(s) over the SpinMoves that act, (W,); elements (M,)."""
        s, total = self.configuration()[1], 0.0
        xp = namespace(s)
        for m, element in enumerate(elements):
            move = SpinMove(moves, m)
            phase, log = self.ratio(move)
            ratio = xp.exp(log) if phase is None else phase * xp.exp(log)
            total = total + xp.where(move.acts(s), element * ratio, 0.0)
        return total


class UpdateRule(Protocol):
    """psi at one theta, as local updates are made of it; one for all blocks.

    kinds: the kinds of move, SpinMove or ParticleMove, whose ratios it knows.
    """

    kinds: tuple[type, ...]

    def of(self, walkers: Walkers) -> LocalUpdate | None:
        """None where these walkers or parameters are beyond it: log psi is then evaluated whole."""

    def times(self, other: UpdateRule) -> UpdateRule:
        """The rule of a product of two factors."""
        return ProductRule(self, other)


class ProductRule(UpdateRule):
    """Two factors, each with a rule of its own: phases multiply, logs add."""

    def __init__(self, first: UpdateRule, second: UpdateRule) -> None:
        self.parts = first, second
        self.kinds = tuple(kind for kind in first.kinds if kind in second.kinds)

    def of(self, walkers: Walkers) -> LocalUpdate | None:
        parts = [rule.of(walkers) for rule in self.parts]
        return None if None in parts else ProductUpdate(parts)


class ProductUpdate(LocalUpdate):
    """The updates of factors, moved together."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts

    def configuration(self) -> tuple[Array, Array]:
        return self.parts[0].configuration()

    def ratio(self, move: Any) -> tuple[Array, Array]:
        phase, total = self.parts[0].ratio(move)
        for part in self.parts[1:]:
            p, log = part.ratio(move)
            total = total + log
            phase = p if phase is None else phase if p is None else phase * p
        return phase, total

    def accept(self, move: Any, mask: Array) -> None:
        for part in self.parts:
            part.accept(move, mask)

    def renew(self) -> None:
        for part in self.parts:
            part.renew()


__all__ = ["LocalUpdate", "ParticleMove", "ProductRule", "ProductUpdate", "SpinMove", "UpdateRule"]
