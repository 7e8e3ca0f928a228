"""Exact diagonalisation of small spin lattices; needs scipy (pip install "vmcnet[exact]")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vmcnet.hamiltonians.pauli import OffDiagonal
from vmcnet.walkers import Walkers

LARGEST = 22


@dataclass(frozen=True)
class GroundState:
    """energy; configurations s (D, n) int8; vector (D,) with sum v^2 = 1, its largest entry
    positive.
    """

    energy: float
    s: np.ndarray
    vector: np.ndarray


def configurations(system) -> np.ndarray:
    """All configurations of the system's space or sector, (D, n) int8, in the order of the binary
    numbers (bit n-1-i set: s_i = +1).
    """
    n = system.particles
    if n > LARGEST:
        raise ValueError(f"exact diagonalisation of {n} spins: at most {LARGEST}")
    codes = np.arange(2**n, dtype=np.int64)
    s = (((codes[:, None] >> np.arange(n)[::-1]) & 1) * 2 - 1).astype(np.int8)
    return s if system.magnetisation is None else s[s.sum(axis=1) == system.magnetisation]


def matrix(system):
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


def ground_state(system) -> GroundState:
    """Lowest eigenvector of `matrix(system)`: dense below 600 configurations, Lanczos above."""
    from scipy.sparse.linalg import eigsh

    h, s = matrix(system), configurations(system)
    if h.shape[0] <= 600:
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
