"""What a term of a Hamiltonian is."""

from __future__ import annotations

from typing import Any, Protocol

from vmcnet.walkers import Psi, Walkers


class Term(Protocol):
    """(H_k psi)/psi for one part H_k of the Hamiltonian.

    local(walkers, psi) -> (W,), real or complex: its value at every walker of a block, in the
    system's unit of energy. walkers: r (W, n, d), s (W, n); psi: the wavefunction bound to its
    parameters, see wavefunctions.bound.Bound: psi.jet(walkers) gives log psi, its gradient (n d, W)
    and its Laplacian, psi.connected(walkers, moves, elements) sums ratios over SpinMoves. A result
    that is NaN or infinite is counted and stops the run. rowwise = True, in the class itself, says
    that every walker's value is made of that walker alone, in array code whose order does not
    depend on how many there are, or by psi.jet: blocks are then evaluated together.
    """

    def local(self, walkers: Walkers, psi: Psi) -> Any: ...
