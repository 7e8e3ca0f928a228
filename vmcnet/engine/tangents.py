"""The log-derivatives of all walkers, distributed: what natural gradients are made of, the same
bits on any number of ranks.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from vmcnet.engine.gram import Gram, Rows
from vmcnet.estimators.log_derivatives import LogDerivatives, stacked
from vmcnet.parallel.dealt_cholesky import Cholesky
from vmcnet.parallel.dealt_matrix import DealtMatrix
from vmcnet.parallel.exact_sum import LIMB_BLOCKS, bounded_sum, exact_sum, exponents

KEEP = (
    2**30
    # bytes of log-derivatives that a rank keeps; where its blocks have more, they are made anew at
    # every use
)


class BlockTangents:
    """X (N, P): rows dO_w / sqrt W, centred over all W walkers; complex rows are two, Re and Im. S
    = X^T X, F = 2 X^T f.

    derive(b) -> uncentred LogDerivatives of block b; weights: own block -> conj(E_L - <E>) (w,). A
    vector over rows is kept as one array (w,) an own block, complex where X is, and as one real
    vector (N,): tile by tile of vmcnet.engine.gram, real parts before imaginary ones.
    """

    def __init__(self, comm, own, blocks: int, walkers: int, derive, weights: dict):
        self.comm, self.own, self.blocks, self.walkers = comm, own, blocks, walkers
        self._derive, self._kept, shares = derive, {}, []
        for b in own:
            raw = derive(b)
            self.size, self.dtype = raw.size, raw.dtype
            sums = stacked(raw.contracted(np.ones(raw.walkers)))
            total = weights[b].sum()
            shares.append(
                np.concatenate([raw.contracted(weights[b]).real, [total.real, total.imag], sums])
                / walkers
            )
            if raw.nbytes * len(own) <= KEEP:
                self._kept[b] = raw
        total = exact_sum(comm, np.stack(shares), blocks)
        covariance, mean = total[: self.size], total[self.size + 2 :]
        weight = complex(
            *total[self.size : self.size + 2]
        )  # 0 up to rounding, but for the imaginary part of a finite sample's <E>
        self._mean = mean if self.dtype.kind != "c" else mean[: self.size] + 1j * mean[self.size :]
        self.gradient = 2.0 * (covariance - (weight * self._mean).real)
        self._residuals = {b: np.conj(w - weight) / np.sqrt(walkers) for b, w in weights.items()}
        self._kept = {b: raw.centred(self._mean) for b, raw in self._kept.items()}

    @property
    def nbytes(self) -> int:
        """Bytes of the log-derivatives that are kept."""
        return sum(kept.nbytes for kept in self._kept.values())

    def _block(self, b) -> LogDerivatives:
        return self._kept[b] if b in self._kept else self._derive(b).centred(self._mean)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """diag S (P,)."""
        shares = [self._block(b).built().squares() / self.walkers for b in self.own]
        return exact_sum(self.comm, np.stack(shares), self.blocks)

    @cached_property
    def _bound(self) -> np.ndarray:
        """A bound (P,) of the norm of every column of X, cheap for outer products: their mean is
        not taken off.
        """
        shares = [self._block(b).squares() / self.walkers for b in self.own]
        return np.sqrt(exact_sum(self.comm, np.stack(shares), self.blocks))

    def residuals(self) -> list:
        """f = (E_L - <E>) / sqrt W."""
        return [
            self._residuals[b] if self.dtype.kind == "c" else self._residuals[b].real
            for b in self.own
        ]

    def product(self, v) -> list:
        """X v, v (P,)."""
        off = self._block(self.own[0]).mean_dot(v)
        return [(self._block(b).dot(v) - off) / np.sqrt(self.walkers) for b in self.own]

    def transposed(self, rows) -> np.ndarray:
        """X^T x (P,): one exact sum."""
        shares = [self._share(b, x) for b, x in zip(self.own, rows, strict=True)]
        return self._centred(exact_sum(self.comm, np.stack(shares), self.blocks))

    def _share(self, b, x) -> np.ndarray:
        """What block b adds to X^T x before outer products are centred (P,), and to conj(x)'s sum,
        real and imaginary part.
        """
        x = np.conj(x) / np.sqrt(self.walkers)
        total = x.sum()
        return np.append(self._block(b).contracted(x).real, [total.real, total.imag])

    def _centred(self, total: np.ndarray) -> np.ndarray:
        """X^T x from the sum of the shares."""
        weight = total[-2] if self.dtype.kind != "c" else complex(*total[-2:])
        return total[:-2] - (weight * self._outer_means).real

    @cached_property
    def _outer_means(self) -> np.ndarray:
        return self._block(self.own[0]).outer_means()

    def metric_product(self, v) -> np.ndarray:
        """S v (P,): one all-reduce, its exponents from |S v|_p <= |X_p| sum_q |v_q| |X_q|."""
        length = (np.abs(v) * self._bound).sum()
        bound = np.append(self._bound * length, [length] * 2)
        shares = (self._share(b, x) for b, x in zip(self.own, self.product(v), strict=True))
        return self._centred(bounded_sum(self.comm, shares, exponents(bound), self.blocks, 2))

    def metric(self) -> DealtMatrix:
        """S (P, P): |S_pq|^2 <= S_pp S_qq gives the exponents of its exact sum, one reduction a
        tile, to the rank that owns it.
        """
        out, root = DealtMatrix(self.comm, self.size), np.sqrt(self.diagonal)
        kept = self.walkers * self.size * self.dtype.itemsize * len(self.own) <= KEEP * self.blocks
        matrices: Any = [self._matrix(b) for b in self.own] if kept else None
        for t in range(out.tiles):
            rows = out.span(t)
            bound = exponents(root[rows, None] * root[: rows.stop])
            blocks = matrices or (self._matrix(b) for b in self.own)
            shares = (x[:, rows].T @ x[:, : rows.stop] / self.walkers for x in blocks)
            limbs = 1 if self.blocks <= LIMB_BLOCKS else 2
            found = bounded_sum(self.comm, shares, bound, self.blocks, limbs, out.owners[t])
            if found is not None:
                out.rows[t] = found
        return out

    def _matrix(self, b) -> np.ndarray:
        return stacked(self._block(b).matrix())

    def gram(self, scale=None) -> DealtMatrix:
        """X D X^T (N, N), D = diag(scale^2) or 1; its rows are in the order of `gathered`.

        Dense layers met once enter as elementwise products of two small Gram matrices.
        """
        made, first = Gram(self.comm, self.blocks, self._rows), self._block(self.own[0])
        if scale is not None:
            made.add_columns([self._block(b).built().columns * scale for b in self.own])
            return made.matrix
        mean = np.append(self._mean, 1.0)  # the last one is of the constant that two biases make
        for n, (index, _) in enumerate(first.joined):
            made.add_outers([self._block(b).joined[n][1] for b in self.own], mean[index])
        if len(first.rest):
            blocks = (self._block(b) for b in self.own)
            made.add_columns([x.columns[:, x.rest] for x in blocks])
        return made.matrix

    @property
    def _rows(self) -> Rows:
        return Rows(self.walkers, 2 if self.dtype.kind == "c" else 1)

    def factorised(self, matrix: DealtMatrix, shift) -> Cholesky:
        """The factors of matrix + diag(shift)."""
        matrix.shift(shift)
        return Cholesky(matrix)

    def gathered(self, rows) -> np.ndarray | None:
        """A vector over rows as (N,) on rank 0; None elsewhere."""
        joined = self.comm.gather(np.stack(rows), self.blocks)
        return None if joined is None else self._rows.of(joined.ravel())

    def dealt(self, vector) -> list:
        """The own part of a vector over rows (N,)."""
        shaped = self._rows.walkers_of(vector).reshape(self.blocks, -1)
        return [shaped[b] for b in self.own]
