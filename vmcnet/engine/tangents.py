"""The log-derivatives of all walkers, distributed: what natural gradients are made of, the same
bits on any number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from vmcnet.engine.gram import Gram, ProductGram, Rows
from vmcnet.estimators.log_derivatives import LogDerivatives, joined, stacked
from vmcnet.kernels import numba_product
from vmcnet.parallel.dealt_cholesky import Cholesky
from vmcnet.parallel.dealt_matrix import DealtMatrix
from vmcnet.parallel.exact_sum import LIMB_BLOCKS, bounded_sum, exact_sum, exponents

KEEP = (
    2**30
    # bytes of log-derivatives that a rank keeps; where its blocks have more, they are made anew at
    # every use
)


# numbers of outer products, of a walker, that meet a vector twice in less time than the walker's
# row of a Gram matrix takes to be made in float64 and to meet it
CHEAP = 6


class BlockTangents:
    """X (N, P): rows dO_w / sqrt W, centred over all W walkers; complex rows are two, Re and Im. S
    = X^T X, F = 2 X^T f.

    derive() -> uncentred LogDerivatives of the own blocks in their order, of one or several at a
    time; weights: own block -> conj(E_L - <E>) (w,). A vector over rows is kept as an array (own
    blocks, w), complex where X is, and as one real vector (N,): tile by tile of vmcnet.engine.gram,
    real parts before imaginary ones.
    """

    def __init__(self, comm, own, blocks: int, walkers: int, derive, weights: dict):
        self.comm, self.own, self.blocks, self.walkers = comm, own, blocks, walkers
        self._derive, shares, first = derive, [], 0
        self._kept: Any = None
        self._latest: Any = None
        found, kept = np.stack([weights[b] for b in own]), []
        for raw in derive():
            self.size, self.dtype, bare = raw.size, raw.dtype, raw.bare()
            some = found[first : first + raw.blocks]
            first += raw.blocks
            shares.append(self._first_shares(raw, some))
            if kept is not None and raw.nbytes * len(own) <= KEEP * raw.blocks:
                kept.append(raw)
            else:
                kept = None
        every = joined(shares)
        every /= walkers
        total = exact_sum(comm, every, blocks)
        covariance, mean = total[: self.size], total[self.size + 2 :]
        weight = complex(
            *total[self.size : self.size + 2]
        )  # 0 up to rounding, but for the imaginary part of a finite sample's <E>
        self._mean = mean if self.dtype.kind != "c" else mean[: self.size] + 1j * mean[self.size :]
        self.gradient = 2.0 * (covariance - (weight * self._mean).real)
        residuals = np.conj(found - weight) / np.sqrt(walkers)
        self._residuals = (
            residuals if self.dtype.kind == "c" else np.ascontiguousarray(residuals.real)
        )
        self._form = bare.centred(self._mean)  # of no walkers: which parameters are where
        if kept is not None:
            self._kept = [raw.centred(self._mean) for raw in kept]

    @staticmethod
    def _first_shares(raw: LogDerivatives, weights: np.ndarray) -> np.ndarray:
        """The sums over the walkers of every block of weights O, real part, the weights and O:
        (blocks, P + 2 + P), O complex as two (P,).
        """
        p, total, parts = raw.size, weights.sum(axis=1), 2 if raw.dtype.kind == "c" else 1
        out = np.empty((raw.blocks, (1 + parts) * p + 2))
        out[:, p], out[:, p + 1] = total.real, total.imag
        if parts == 2:
            sums = raw.contracted()
            out[:, :p] = raw.contracted(weights.ravel()).real
            out[:, p + 2 :] = np.concatenate([sums.real, sums.imag], axis=1)
        else:
            raw.contracted(np.ascontiguousarray(weights.real).ravel(), out[:, :p])
            raw.contracted(None, out[:, p + 2 :])
        return out

    @property
    def nbytes(self) -> int:
        """Bytes of the log-derivatives that are kept."""
        return sum(kept.nbytes for kept in self._kept or ())

    def _each(self) -> Iterable[LogDerivatives]:
        """The centred log-derivatives of all own blocks, of one or several at a time."""
        return self._kept or (raw.centred(self._mean) for raw in self._derive())

    def _summed(self, shares: Iterable[np.ndarray]) -> np.ndarray:
        return exact_sum(self.comm, np.concatenate(list(shares)) / self.walkers, self.blocks)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """diag S (P,)."""
        return self._summed(x.built().squares() for some in self._each() for x in some.parted())

    @cached_property
    def _bound(self) -> np.ndarray:
        """A bound (P,) of the norm of every column of X, cheap for outer products: their mean is
        not taken off.
        """
        return np.sqrt(self._summed(some.squares() for some in self._each()))

    def residuals(self) -> np.ndarray:
        """f = (E_L - <E>) / sqrt W."""
        return self._residuals

    def product(self, v) -> np.ndarray:
        """X v, v (P,)."""
        off = self._form.mean_dot(v)
        rows = joined([some.dot(v) for some in self._each()])
        return ((rows - off) / np.sqrt(self.walkers)).reshape(len(self.own), -1)

    def transposed(self, rows) -> np.ndarray:
        """X^T x (P,): one exact sum."""
        return self._centred(exact_sum(self.comm, self._shares(np.asarray(rows)), self.blocks))

    def from_vector(self, x: np.ndarray) -> np.ndarray:
        """X^T x (P,), x (N,) over all rows, the same on every rank; that of the last x is known."""
        if self._latest is None or not np.array_equal(self._latest[0], x):
            self._latest = x, self.transposed(self.dealt(x))
        return self._latest[1]

    def _shares(self, rows: np.ndarray) -> np.ndarray:
        """What the own blocks add to X^T x before outer products are centred (blocks, P), and to
        conj(x)'s sum, real and imaginary part.
        """
        x, first = np.conj(rows) / np.sqrt(self.walkers), 0
        out = np.empty((len(self.own), self.size + 2))
        for some in self._each():
            here = slice(first, first + some.blocks)
            part, first = out[here, :-2], here.stop
            if self.dtype.kind == "c":
                part[...] = some.contracted(x[here].ravel()).real
            else:
                some.contracted(x[here].ravel(), part)
        total = x.sum(axis=1)
        out[:, -2], out[:, -1] = total.real, total.imag
        return out

    def _centred(self, total: np.ndarray) -> np.ndarray:
        """X^T x from the sum of the shares."""
        weight = total[-2] if self.dtype.kind != "c" else complex(*total[-2:])
        return total[:-2] - (weight * self._outer_means).real

    @cached_property
    def _outer_means(self) -> np.ndarray:
        return self._form.outer_means()

    def metric_product(self, v) -> np.ndarray:
        """S v (P,): one all-reduce, its exponents from |S v|_p <= |X_p| sum_q |v_q| |X_q|."""
        length = (np.abs(v) * self._bound).sum()
        bound = np.append(self._bound * length, [length] * 2)
        shares = self._shares(self.product(v))
        return self._centred(bounded_sum(self.comm, shares, exponents(bound), self.blocks, 2))

    def metric(self) -> DealtMatrix:
        """S (P, P): |S_pq|^2 <= S_pp S_qq gives the exponents of its exact sum, one reduction a
        tile, to the rank that owns it.
        """
        out, root = DealtMatrix(self.comm, self.size), np.sqrt(self.diagonal)
        kept = self.walkers * self.size * self.dtype.itemsize * len(self.own) <= KEEP * self.blocks
        matrices: Any = list(self._matrices()) if kept else None
        for t in range(out.tiles):
            rows = out.span(t)
            bound = exponents(root[rows, None] * root[: rows.stop])
            blocks = matrices or self._matrices()
            shares = (x[:, rows].T @ x[:, : rows.stop] / self.walkers for x in blocks)
            limbs = 1 if self.blocks <= LIMB_BLOCKS else 2
            found = bounded_sum(self.comm, shares, bound, self.blocks, limbs, out.owners[t])
            if found is not None:
                out.rows[t] = found
        return out

    def _matrices(self) -> Iterable[np.ndarray]:
        """dO of every own block, complex rows as two."""
        return (stacked(x.matrix()) for some in self._each() for x in some.parted())

    def gram(self, scale=None) -> DealtMatrix:
        """X D X^T (N, N), D = diag(scale^2) or 1; its rows are in the order of `gathered`.

        Dense layers met once enter as elementwise products of two small Gram matrices.
        """
        made = Gram(self.comm, self.blocks, len(self.own), self._rows)
        if scale is not None:
            parts = (x for some in self._each() for x in some.parted())
            made.add_columns(np.concatenate([x.built().columns * scale for x in parts]))
            return made.matrix
        for outers, mean in self._layers():
            made.add_outers(outers, mean)
        if len(self._form.index):
            made.add_columns(joined([some.columns for some in self._each()]))
        return made.matrix

    def _layers(self) -> Iterable[tuple]:
        """Of every dense layer met once its outer products and their mean."""
        for n, layer in enumerate(self._form.layers):
            outers = [some.layers[n].outer for some in self._each()]
            yield outers, layer.matrix(self._mean, 1.0)  # 1: what two biases make

    def gram_factors(self, scale, shift) -> Cholesky:
        """The factors of X D X^T + shift. Where X is outer products alone, and products with it are
        cheap beside the matrix, none is kept.
        """
        size = sum(f * h for f, h in (layer.outer.shape[1:] for layer in self._form.layers))
        kept = scale is not None or len(self._form.index) or self.dtype.kind == "c"
        if kept or size > CHEAP * self.walkers or numba_product.chosen() != numba_product.OWN:
            return self.factorised(self.gram(scale), shift)
        made = Gram(self.comm, self.blocks, len(self.own), self._rows)
        return self.factorised(ProductGram(self, [made.layer(*x) for x in self._layers()]), shift)

    @property
    def _rows(self) -> Rows:
        return Rows(self.walkers, 2 if self.dtype.kind == "c" else 1)

    def factorised(self, matrix, shift) -> Cholesky:
        """The factors of matrix + diag(shift)."""
        matrix.shift(shift)
        return Cholesky(matrix)

    def gathered(self, rows) -> np.ndarray | None:
        """A vector over rows as (N,) on rank 0; None elsewhere."""
        every = self.comm.gather(np.asarray(rows), self.blocks)
        return None if every is None else self._rows.of(every.ravel())

    def dealt(self, vector) -> np.ndarray:
        """The own part of a vector over rows (N,)."""
        return self._rows.walkers_of(vector).reshape(self.blocks, -1)[np.array(self.own)]
