"""Walkers of one block, and psi as terms and observables ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vmcnet.backend.arrays import Array
from vmcnet.geometry.moves import SpinMoves


@dataclass(frozen=True, repr=False)
class Walkers:
    """r (W, n, d) coordinates, s (W, n) int8 labels, spins +1 / -1 unless a system has others,
    log_psi (W,) of the current parameters.

    update: what psi keeps of these walkers for fast moves at the current parameters (a
    LocalUpdate), or None; log_psi may then be absent. blocks: how many blocks of as many walkers
    stand one after the other, see vmcnet.engine.together.
    """

    r: Any
    s: Any
    log_psi: Any = None
    update: Any = None
    blocks: int = 1

    def __repr__(self) -> str:
        return f"<Walkers: r {self.r.shape}, s {self.s.shape}>"

    def with_log(self, log_psi: Any) -> Walkers:
        return replace(self, log_psi=log_psi)


class Psi(Protocol):
    """A wavefunction at one theta, of the walkers of a block, (W,) each; in full it is
    wavefunctions.bound.Bound.
    """

    @property
    def amplitude(self) -> Callable[[Array, Array], tuple[Array, Array]]:
        """(r, s) -> (phase, log) of psi = phase exp(log); the phase is None where psi > 0."""
        ...

    def log(self, r: Array, s: Array) -> Array:
        """log psi, without the sign."""
        ...

    def is_real(self, walkers: Walkers) -> bool:
        """Whether psi is real, of either sign."""
        ...

    def ratio(self, r: Array, s: Array, amplitude: tuple[Array, Array]) -> Array:
        """psi(r, s)/psi, `amplitude` (phase, log) that of psi below."""
        ...

    def jet(self, walkers: Walkers, units: Array | None = None) -> tuple[Array, Array, Array]:
        """log psi, its coordinate derivatives (n d, W) and its Laplacian; with units u (W, n) of
        the particles u_i d/dr_i and sum_i u_i^2 lap_i.
        """
        ...

    def connected(self, walkers: Walkers, moves: SpinMoves, elements: Array) -> Array:
        """sum_m elements_m psi(s^m)/psi(s) over the moves that act on s; elements (M,)."""
        ...

    def label_ratios(self, walkers: Walkers, s: Array) -> Array:
        """psi(r, s')/psi of C configurations s (W, C, n) of the labels, (W, C)."""
        ...

    def exchange_ratios(self, walkers: Walkers) -> Array:
        """psi(s_i <-> s_j)/psi of all pairs i < j, (W, pairs), 1 where the spins are equal."""
        ...

    def spin_exchanges(self, walkers: Walkers, elements: Array) -> Array:
        """sum_{i<j} elements_ij psi(s_i <-> s_j)/psi over the pairs whose spins differ; elements
        (W, pairs).
        """
        ...
