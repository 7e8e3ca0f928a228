"""Exact diagonalisation of small spin lattices: H |v> = E |v> in the basis of all configurations of
a system's space or sector, from the system's own terms.

2^n configurations, or n over n/2 of a sector: `ground_state` takes seconds up to 16 spins and about
3 GB for LARGEST of them. Reports give it as reference up to 12 spins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vmcnet.hamiltonians.pauli import OffDiagonal
from vmcnet.walkers import Walkers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LARGEST, DENSE = 22, 600  # spins; configurations up to which the matrix is diagonalised whole


class SpinSystem(Protocol):
    """What diagonalisation asks of a system: n spins on a lattice, dimensions and temperature of
    the other kinds (0, None), the sector or None, the terms by name.
    """

    particles: int
    dimensions: int
    temperature: float | None
    magnetisation: int | None
    terms: dict[str, Any]  # Term; a diagonal one is asked without psi


@dataclass(frozen=True)
class GroundState:
    """energy, in the system's units; configurations s (D, n) int8 of +1 and -1; vector (D,), the
    amplitudes of s, with sum v^2 = 1 and its largest entry positive.
    """

    energy: float
    s: np.ndarray
    vector: np.ndarray


def configurations(system: SpinSystem) -> np.ndarray:
    """All configurations of the system's space or sector, (D, n) int8, in the order of the binary
    numbers (bit n-1-i set: s_i = +1). Raises ValueError for a system that is no lattice of quantum
    spins, and above LARGEST spins.
    """
    if system.dimensions or system.temperature is not None:
        raise ValueError(
            f"exact diagonalisation is of quantum spins on a lattice, such as TransverseIsing or "
            f"Heisenberg, got {type(system).__name__}"
        )
    n = system.particles
    if n > LARGEST:
        raise ValueError(f"exact diagonalisation of {n} spins: at most {LARGEST}")
    codes = np.arange(2**n, dtype=np.int64)
    s = (((codes[:, None] >> np.arange(n)[::-1]) & 1) * 2 - 1).astype(np.int8)
    return s if system.magnetisation is None else s[s.sum(axis=1) == system.magnetisation]


def matrix(system: SpinSystem) -> csr_matrix:
    """The Hamiltonian (D, D) of a spin lattice in the basis of `configurations`, a scipy.sparse CSR
    matrix, from the system's own terms.
    """
    from scipy.sparse import coo_matrix, diags

    s = configurations(system)
    n, size = s.shape[1], len(s)
    weights = (1 << np.arange(n)[::-1]).astype(np.int64)
    codes = (s > 0) @ weights
    walkers, total = Walkers(np.zeros((size, n, 0)), s), None
    for term in system.terms.values():
        if isinstance(term, OffDiagonal):
            rows, columns, values = [], [], []
            for m, element in enumerate(term.elements):
                acts = np.flatnonzero(term.moves.acts(s, slice(m, m + 1))[:, 0])
                target = (term.moves.connected(s[acts], slice(m, m + 1))[:, 0] > 0) @ weights
                rows.append(acts)
                columns.append(np.searchsorted(codes, target))
                values.append(np.full(len(acts), element))
            part = coo_matrix(
                (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
                (size, size),
            ).tocsr()
        else:
            part = diags(term.local(walkers, None)).tocsr()
        total = part if total is None else total + part
    return total


def ground_state(system: SpinSystem) -> GroundState:
    """The lowest eigenvector of `matrix(system)`: of the whole matrix up to DENSE configurations,
    by Lanczos' method to 1e-12 above. Of a degenerate level it is one of many. Raises ValueError as
    `configurations`.
    """
    from scipy.sparse.linalg import eigsh

    h, s = matrix(system), configurations(system)
    if h.shape[0] <= DENSE:
        levels, vectors = np.linalg.eigh(h.toarray())
    else:
        levels, vectors = eigsh(
            h,
            1,
            which="SA",
            tol=1e-12,
            v0=np.ones(h.shape[0]) + 1e-3 * np.sin(np.arange(h.shape[0])),
        )
    vector = vectors[:, 0]
    return GroundState(float(levels[0]), s, vector * np.sign(vector[np.abs(vector).argmax()]))
