"""A wavefunction bound to one parameter vector, read in three ways."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, writable
from vmcnet.calculus.jet import pair_arrays
from vmcnet.calculus.operation import Blocks
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import reverse, tiled_jets
from vmcnet.wavefunctions.amplitude import Amplitude, ratio
from vmcnet.wavefunctions.exchanges import (
    connected_sum,
    exchange_ratios,
    label_ratios,
)
from vmcnet.wavefunctions.local_update import LocalUpdate, UpdateRule
from vmcnet.wavefunctions.reading import Configuration, Reading
from vmcnet.wavefunctions.records import Records


class Bound:
    """A wavefunction at one theta: its values, its jets, its derivatives. All methods take Walkers
    of one block.

    amplitude(r, s) -> (phase, log) of psi = phase exp(log), (W,) each; the phase is None where
    psi > 0.
    """

    def __init__(
        self, wavefunction: Any, theta: np.ndarray, records: Records | None = None
    ) -> None:
        self.wavefunction, self.theta = wavefunction, theta
        self.reading = Reading(wavefunction, theta, records)
        self.amplitude = Amplitude(self.reading)

    def at(self, theta: np.ndarray) -> Bound:
        """The same wavefunction at another theta; what log_psi does is known there."""
        return type(self)(self.wavefunction, theta, self.reading.records)

    def __reduce__(self) -> tuple:
        """Pickled without what was computed from the parameters."""
        return type(self), (self.wavefunction, self.theta)

    def log(self, r: Array, s: Array) -> Array:
        """log psi (W,), complex if the wavefunction is; the sign is not in it. Raises ValueError
        unless r is (W, n, d) and s (W, n).
        """
        if r.ndim != 3 or s.shape != r.shape[:2]:
            raise ValueError(
                f"psi.log: expected r (W, n, d) and s (W, n), found {r.shape} and {s.shape}"
            )
        return self.amplitude(r, s)[1]

    def ratio(self, r: Array, s: Array, amplitude: tuple[Array, Array]) -> Array:
        """psi(r, s)/psi (W,), `amplitude` (phase, log) that of psi below."""
        return ratio(self.amplitude(r, s), amplitude)

    def is_real(self, walkers: Walkers) -> bool:
        """Whether psi is real (of either sign): if log psi is known to be complex it is not,
        otherwise by evaluating it for one walker.
        """
        if walkers.log_psi is not None and walkers.log_psi.dtype.kind == "c":
            return False
        phase, log = self.amplitude(writable(walkers.r)[:1], writable(walkers.s)[:1])
        return log.dtype.kind != "c" and (phase is None or phase.dtype.kind != "c")

    @cached_property
    def rule(self) -> UpdateRule | None:
        """The UpdateRule that psi offers, or None."""
        return self.wavefunction.update_rule(self.reading.values)

    def update(self, walkers: Walkers, kind: Any = SpinMove) -> LocalUpdate | None:
        """The LocalUpdate of the walkers for moves of a kind; None where psi offers none."""
        return self.rule.of(walkers) if self.rule is not None and kind in self.rule.kinds else None

    def __repr__(self) -> str:
        return f"<bound to parameters: {self.wavefunction.describe()}>"

    def renew(self, walkers: Walkers, kind: Any = SpinMove) -> Any:
        """The walkers with what sampling by moves of a kind starts from: a LocalUpdate where psi
        offers it, log psi otherwise.
        """
        update, (r, s) = self.update(walkers, kind), (walkers.r, walkers.s)
        return Walkers(r, s, self.log(r, s) if update is None else None, update)

    def connected(self, walkers: Walkers, moves: SpinMoves, elements: Array) -> Array:
        """sum_m elements_m psi(s^m)/psi(s) over the SpinMoves that act on s (W, n), (W,); elements
        (M,). By a LocalUpdate where psi offers one.
        """
        update = self.update(walkers) if walkers.update is None else walkers.update
        if update is not None:
            return update.connected(moves, elements)
        return connected_sum(self.amplitude, walkers, moves, elements)

    def spin_exchanges(self, walkers: Walkers, elements: Array) -> Array:
        """sum_{i<j} elements_ij psi(s_i <-> s_j)/psi over the pairs whose spins differ, (W,);
        elements (W, pairs) of all pairs i < j.
        """
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.s.shape[1])
        acts = walkers.s[:, i] != walkers.s[:, j]
        return xp.where(acts, elements * self.exchange_ratios(walkers), 0.0).sum(axis=1)

    def label_ratios(self, walkers: Walkers, s: Array) -> Array:
        """psi(r, s')/psi of C configurations s (W, C, n) of the labels, (W, C)."""
        return label_ratios(self.amplitude, walkers, s)

    def exchange_ratios(self, walkers: Walkers) -> Array:
        """psi(s_i <-> s_j)/psi of all pairs i < j, (W, pairs), 1 where the spins are equal. By the
        wavefunction's ratios where it has them.
        """
        ops, theta = self.amplitude.reader(namespace(walkers.r), walkers.r.dtype)
        read = Configuration(ops.coordinates(walkers.r), walkers.s)
        ratios = self.wavefunction.exchange_ratios(ops, theta, read)
        if ratios is None:
            return exchange_ratios(self.amplitude, walkers)
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.s.shape[1])
        return xp.where(walkers.s[:, i] != walkers.s[:, j], ratios, 1.0)

    def jet(self, walkers: Walkers, units: Array | None = None) -> tuple[Array, Array, Array]:
        """log psi (W,), its coordinate derivatives (n d, W) and its Laplacian (W,); with units u
        (W, n) of the particles u_i d/dr_i and sum_i u_i^2 lap_i.
        """
        return tiled_jets.jet(self.reading, walkers, units)

    def drift(self, r: Array, s: Array) -> Array:
        """Re grad log psi (W, n, d), by one reverse pass."""
        return self.log_and_drift(r, s)[1]

    def log_and_drift(self, r: Array, s: Array) -> tuple[Array, Array]:
        """log psi (W,) and Re grad log psi (W, n, d), by one pass forward and one back."""
        return reverse.log_and_drift(self.reading, r, s)

    def _log_derivatives(self, walkers: Walkers, seed: Array, per_walker: bool) -> Array:
        xp, width = namespace(walkers.r), (walkers.r.shape[0], -1) if per_walker else (-1,)
        parts = [
            adjoint.reshape(width)
            for adjoint in reverse.parameter_adjoints(self.reading, walkers, seed, per_walker)
        ]
        return (
            xp.concatenate(parts, axis=-1)
            if parts
            else xp.zeros(walkers.r.shape[:1] * per_walker + (0,))
        )

    def contracted(self, walkers: Walkers, weights: Array) -> Array:
        """sum_w weights_w O_w (P,), O = d log psi / d theta, without ever building O."""
        return self._log_derivatives(walkers, weights, False)

    def contracted_blocks(self, walkers: Walkers, weights: Array, blocks: int) -> Array:
        """sum_w weights_w O_w of every one of `blocks` blocks of walkers that stand one after the
        other, (blocks, P): for each what `contracted` gives for it alone, to the bit where
        the wavefunction is `rowwise`.
        """
        pieces = reverse.parameter_adjoints(self.reading, walkers, weights, Blocks(blocks))
        parts = [piece.reshape(blocks, -1) for piece in pieces]
        xp = namespace(walkers.r)
        return xp.concatenate(parts, axis=-1) if parts else xp.zeros((blocks, 0))

    def log_derivatives(self, walkers: Walkers) -> Array:
        """O (W, P) = d log psi / d theta of every walker."""
        return self._log_derivatives(walkers, None, True)

    def log_derivative_pieces(self, walkers: Walkers) -> list:
        """O as one piece an entry of the layout: (W,) + shape, or an Outer for the weight of a
        dense layer met once.
        """
        return list(reverse.parameter_adjoints(self.reading, walkers, None, True, factored=True))
