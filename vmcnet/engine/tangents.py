"""The log-derivatives of all walkers, distributed: what natural gradients are made of, the same
bits on any number of ranks.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from vmcnet.estimators.log_derivatives import LogDerivatives, outer_gram, stacked
from vmcnet.kernels.numba_gram import add_row_sums, fill_lower, partners
from vmcnet.parallel.exact_sum import LIMB_BLOCKS, bounded_sum, exact_sum, exponents

KEEP = (
    2**30
    # bytes of log-derivatives that a rank keeps; where its blocks have more, they are made anew at
    # every use
)
EXCHANGE = 2**26  # bytes of columns that the ranks exchange at a time for the Gram matrix
TILE = 2**22  # elements of the metric that are summed at a time


class BlockTangents:
    """X (N, P): rows dO_w / sqrt W, centred over all W walkers; complex rows are two, Re and Im. S
    = X^T X, F = 2 X^T f.

    derive(b) -> uncentred LogDerivatives of block b; weights: own block -> conj(E_L - <E>) (w,). A
    vector over rows is kept as one
    array (w,) an own block, complex where X is, and as one real vector (N,) on rank 0: block by
    block, real parts before imaginary ones.
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
        return [self._block(b).dot(v) / np.sqrt(self.walkers) for b in self.own]

    def transposed(self, rows) -> np.ndarray:
        """X^T x (P,): one exact sum."""
        shares = [self._share(b, x) for b, x in zip(self.own, rows, strict=True)]
        return exact_sum(self.comm, np.stack(shares), self.blocks)

    def _share(self, b, x):
        return self._block(b).contracted(np.conj(x)).real / np.sqrt(self.walkers)

    def metric_product(self, v) -> np.ndarray:
        """S v (P,): one all-reduce, its exponents from |S v|_p <= |X_p| sum_q |v_q| |X_q|."""
        bound = self._bound * (np.abs(v) * self._bound).sum()
        root = np.sqrt(self.walkers)
        shares = (self._share(b, self._block(b).dot(v) / root) for b in self.own)
        return bounded_sum(self.comm, shares, exponents(bound), self.blocks, 2)

    def metric(self) -> np.ndarray:
        """S (P, P), its lower triangle, on every rank: |S_pq|^2 <= S_pp S_qq gives the exponents.
        One all-reduce a tile of rows.
        """
        size, root = self.size, np.sqrt(self.diagonal)
        rows, out = max(1, TILE // max(size, 1)), np.zeros((size, size))
        for start in range(0, size, rows):
            part, left = slice(start, min(start + rows, size)), slice(0, min(start + rows, size))
            bound = exponents(root[part, None] * root[left])
            blocks = (stacked(self._block(b).matrix()) for b in self.own)
            shares = (x[:, part].T @ x[:, left] / self.walkers for x in blocks)
            out[part, left] = bounded_sum(
                self.comm, shares, bound, self.blocks, 1 if self.blocks <= LIMB_BLOCKS else 2
            )
        return out

    def gram(self, scale=None) -> np.ndarray | None:
        """The lower triangle of X D X^T (N, N), D = diag(scale^2) or 1, on rank 0; None elsewhere.

        Block i is multiplied with the blocks i, i+1, ... i+B/2 (cyclic), whoever owns them, so that
        all ranks have the same work and every
        product of blocks is made once. Dense layers met once enter as elementwise products of two
        small Gram matrices.
        """
        first = self._block(self.own[0])
        outers = first.joined if scale is None else []
        parts, width = (2 if self.dtype.kind == "c" else 1), self.walkers // self.blocks
        tiles = np.zeros((len(self.own), self.blocks // 2 + 1, parts * width, parts * width))

        def add(local, product):
            everyone = [self.comm.allgather(np.stack(x), self.blocks) for x in local]
            for tile, b in zip(tiles, self.own, strict=True):
                for k in range(partners(b, self.blocks)):
                    low, high = sorted((b, (b + k) % self.blocks))
                    tile[k] += product(*(x[high] for x in everyone), *(x[low] for x in everyone))

        for n in range(len(outers)):
            pairs = [self._block(b).joined[n] for b in self.own]
            add(([p.left for p in pairs], [p.right for p in pairs]), outer_gram)
        for start, stop in self._chunks(len(first.rest) if scale is None else self.size, parts):
            local = []
            for b in self.own:
                block = self._block(b) if scale is None else self._block(b).built()
                local.append(
                    stacked(block.columns[:, block.rest[start:stop]])
                    if scale is None
                    else stacked(block.columns[:, start:stop]) * scale[start:stop]
                )
            add((local,), lambda x, y: x @ y.T)
        gathered = self.comm.gather(tiles, self.blocks)
        return None if gathered is None else self._assembled(gathered, parts, bool(outers))

    def _chunks(self, columns, parts):
        step = max(1, EXCHANGE // (8 * parts * self.walkers))
        return [(k, min(k + step, columns)) for k in range(0, columns, step)]

    def _assembled(self, tiles, parts, centre):
        """The lower triangle of the Gram matrix (N, N) / W; outer products were not centred: take
        off the mean of Re and Im rows from either side.
        """
        size = self.blocks * tiles.shape[2]
        means, out = np.zeros((parts, size)), np.empty((size, size))
        if centre:
            add_row_sums(tiles, means)
            means /= self.walkers
        mean = means.reshape(parts, self.blocks, parts, -1).mean(axis=(1, 3))
        fill_lower(tiles, means, mean, 1.0 / self.walkers, out)
        return out

    def gathered(self, rows) -> np.ndarray | None:
        """A vector over rows as (N,) on rank 0; None elsewhere."""
        joined = self.comm.gather(np.stack([stacked(x) for x in rows]), self.blocks)
        return None if joined is None else joined.ravel()

    def dealt(self, vector) -> list:
        """The own part of a vector over rows (N,)."""
        shaped = vector.reshape(self.blocks, -1)
        return [_complex(shaped[b]) if self.dtype.kind == "c" else shaped[b] for b in self.own]

    def on_root(self, compute):
        """compute() of rank 0 on every rank: an array, or None."""
        return self.comm.broadcast(compute() if self.comm.rank == 0 else None)


def _complex(x):
    half = len(x) // 2
    return x[:half] + 1j * x[half:]
