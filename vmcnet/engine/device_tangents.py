"""The log-derivatives of all walkers on cards: natural gradients without copies of them to the
host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from vmcnet.backend.arrays import Array, namespace, seen, to_host
from vmcnet.backend.device import memory
from vmcnet.engine.device_cholesky import DeviceCholesky
from vmcnet.estimators.run_derivatives import RunDerivatives, Slab
from vmcnet.parallel.communicators import Communicator
from vmcnet.parallel.exact_sum import bounded_sum, exact_sum, exponents

KEEP = 0.25  # of a card's memory: log-derivatives are kept up to there, more made anew at every use
SLAB = 2**28  # bytes of columns of all walkers that rank 0 multiplies at a time


class Group(NamedTuple):
    """Blocks that are evaluated in one call: their numbers, which of them are own ones (the others
    are copies, whose results are dropped), and what makes their log-derivatives.
    """

    members: list[int]
    own: slice
    derive: Callable[[list[int]], RunDerivatives]


class DeviceTangents:
    """What vmcnet.engine.tangents.BlockTangents is on the host, with X and vectors over rows (own
    blocks, w) on the card of every rank. As one vector (N,) these have the real parts of all
    walkers before the imaginary ones.

    Sums over walkers are exact sums of those of blocks, made by calls whose shapes follow from the
    job. The matrix is made and factorised on the card of rank 0, of the rows of all ranks: the same
    bits on any number of equal cards. A rank alone copies vectors over parameters to the host, no
    more; among several ranks rows of X go through the hosts.
    """

    nbytes = 0  # of log-derivatives that are kept on the host

    def __init__(
        self, comm: Communicator, groups: list[Group], blocks: int, walkers: int, weights: dict
    ) -> None:
        self.comm, self.blocks, self.walkers, self._groups = comm, blocks, walkers, groups
        self._kept, of_blocks, shares = dict[int, RunDerivatives](), [], []
        self.own = [b for g in groups for b in g.members[g.own]]
        for k, group in enumerate(groups):
            run = group.derive(group.members)
            self.xp, self.size, self.dtype = run.xp, run.size, np.dtype(run.dtype)
            self._layout = run
            weight = self.xp.concatenate([weights[b] for b in group.members])
            weight = weight.astype(complex if weight.dtype.kind == "c" else float)
            of_run = weight if weight.dtype.kind == self.dtype.kind else weight.real
            in_blocks = weight.reshape(run.blocks, -1)
            total = in_blocks.sum(axis=1)[:, None]
            sums = run.contracted(self.xp.ones(run.walkers))
            parts = [run.contracted(of_run).real, total.real, total.imag, sums.real]
            parts += [sums.imag] if self.dtype.kind == "c" else []
            shares.append(self.xp.concatenate(parts, axis=1)[group.own])
            of_blocks.append(in_blocks[group.own])
            if run.nbytes * len(groups) <= KEEP * memory(self.xp):
                self._kept[k] = run
        total = exact_sum(comm, np.concatenate(seen(shares)) / walkers, blocks)
        size = self.size
        covariance, mean = total[:size], total[size + 2 :]
        weight = complex(*total[size : size + 2])  # 0 up to rounding, but for <E> of a sample
        self._mean = mean if self.dtype.kind != "c" else mean[:size] + 1j * mean[size:]
        self.gradient = 2.0 * (covariance - (weight * self._mean).real)
        rows = (self.xp.concatenate(of_blocks) - weight).conj() / np.sqrt(walkers)
        self._residuals = rows if self.dtype.kind == "c" else rows.real
        self._centre = self.xp.asarray(self._mean)
        for run in self._kept.values():
            run.centre(self._centre)

    def _runs(self) -> Iterator[tuple[Group, RunDerivatives]]:
        for k, group in enumerate(self._groups):
            kept = self._kept.get(k)
            yield group, kept or group.derive(group.members).centre(self._centre)

    def _summed(self, shares: list) -> np.ndarray:
        """The exact sum of what own blocks give (blocks of a group, K), by one copy."""
        return exact_sum(self.comm, np.concatenate(seen(shares)), self.blocks)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """diag S (P,)."""
        shares = [run.centred_squares()[group.own] for group, run in self._runs()]
        return self._summed([x / self.walkers for x in shares])

    @cached_property
    def _bound(self) -> np.ndarray:
        """A bound (P,) of the norm of every column of X, cheap for outer products: their mean is
        not taken off.
        """
        shares = [run.squares()[group.own] for group, run in self._runs()]
        return np.sqrt(self._summed([x / self.walkers for x in shares]))

    def residuals(self) -> Array:
        """f = (E_L - <E>) / sqrt W."""
        return self._residuals

    def product(self, v: np.ndarray) -> Array:
        """X v, v (P,) on the host."""
        v = self.xp.asarray(v)
        rows = [run.dot(v).reshape(run.blocks, -1)[group.own] for group, run in self._runs()]
        return self.xp.concatenate(rows) / np.sqrt(self.walkers)

    def transposed(self, rows: Array) -> np.ndarray:
        """X^T x (P,) on the host: one exact sum."""
        return self._centred(self._summed(list(self._shares(rows))))

    def _shares(self, rows: Array) -> Iterator[Array]:
        """What the own blocks of every group add to X^T x before outer products are centred, and to
        conj(x)'s sum, real and imaginary part (own blocks, P + 2).
        """
        rows, first = rows.conj() / np.sqrt(self.walkers), self.own[0]
        for group, run in self._runs():
            x = self.xp.concatenate([rows[b - first] for b in group.members])
            total = x.reshape(run.blocks, -1).sum(axis=1)[:, None]
            parts = [run.contracted(x).real, total.real, total.imag]
            yield self.xp.concatenate(parts, axis=1)[group.own]

    def _centred(self, total: np.ndarray) -> np.ndarray:
        """X^T x from the sum of the shares."""
        weight = total[-2] if self.dtype.kind != "c" else complex(*total[-2:])
        return total[:-2] - (weight * self._outer_means).real

    @cached_property
    def _outer_means(self) -> np.ndarray:
        """The mean of the outer products' parameters (P,), 0 of the columns, which are centred."""
        out = np.zeros_like(self._mean)
        for place in (s.place for s in self._layout.slabs(self.size) if s.outer is not None):
            out[place] = self._mean[place]
        return out

    def metric_product(self, v: np.ndarray) -> np.ndarray:
        """S v (P,), v (P,) on the host: one all-reduce, its exponents from |S v|_p <= |X_p| sum_q
        |v_q| |X_q|; shares are made integers and added up on the card.
        """
        length = (np.abs(v) * self._bound).sum()
        bound = np.append(self._bound * length, [length] * 2)
        shares = self._shares(self.product(v))
        return self._centred(bounded_sum(self.comm, shares, exponents(bound), self.blocks, 2))

    def _everyone(self, made: Callable[[RunDerivatives], Array]) -> Array | None:
        """(W, m) of all walkers on the card of rank 0, from those of every run; None elsewhere.
        Always an array of its own, so that a product with it has the same bits wherever it came
        from.
        """
        block = self.walkers // self.blocks
        parts = [made(run).reshape(run.blocks, block, -1)[group.own] for group, run in self._runs()]
        every: Any = self.xp.concatenate(parts)
        if self.comm.size > 1:
            every = self.comm.gather(to_host(every), self.blocks)
        return None if every is None else self.xp.asarray(every).reshape(self.walkers, -1)

    def _columns(self, slabs: list[Slab]) -> Iterator[tuple[slice, Array]]:
        """Place and columns (N, m) of every slab on rank 0; nothing elsewhere."""
        for slab in slabs:
            every = self._everyone(lambda run, slab=slab: run.dense(slab))
            if every is not None:
                yield slab.place, _stacked(every)

    @property
    def _most(self) -> int:
        """Parameters of a slab."""
        return max(1, SLAB // (self.dtype.itemsize * self.walkers))

    def metric(self) -> Array | None:
        """S (P, P) on rank 0."""
        found = [x for _, x in self._columns(self._layout.slabs(self._most))]
        if not found:
            return None
        x = self.xp.concatenate(found, axis=1)
        del found
        return (x.T @ x) / self.walkers

    def gram(self, scale: np.ndarray | None = None) -> Array | None:
        """X D X^T (N, N) on rank 0, D = diag(scale^2) or 1. Outer products enter as elementwise
        products of two small matrices, whose rows and columns are centred at the end.
        """
        xp, parts = self.xp, 2 if self.dtype.kind == "c" else 1
        out = None if self.comm.rank else xp.zeros([parts * self.walkers] * 2)
        slabs = self._layout.slabs(self._most)
        if scale is None:
            slabs = self._layout.column_slabs(self._most)
            for n in range(len(self._layout.outers)):
                left, right = (
                    self._everyone(lambda run, n=n, side=side: side(run.outers[n]))
                    for side in (attrgetter("left"), attrgetter("right"))
                )
                if out is not None:
                    out += _outer_gram(left, right)
            if out is not None and self._layout.outers:
                shaped = out.reshape(parts, self.walkers, parts, self.walkers)
                shaped -= shaped.mean(axis=1, keepdims=True)
                shaped -= shaped.mean(axis=3, keepdims=True)
        factor = None if scale is None else xp.asarray(scale)
        for place, x in self._columns(slabs):
            x = x if factor is None else x * factor[place]
            out += x @ x.T
        if out is not None:
            out /= self.walkers
        return out

    def gram_factors(self, scale: np.ndarray | None, shift: float) -> DeviceCholesky:
        """What solves (X D X^T + shift) x = b."""
        return self.factorised(self.gram(scale), shift)

    def factorised(self, matrix: Array | None, shift: Any) -> DeviceCholesky:
        """What solves (matrix + diag(shift)) x = b."""
        return DeviceCholesky(self.comm, matrix, shift)

    def gathered(self, rows: Array) -> Array | None:
        """A vector over rows as (N,) on the card of rank 0; None elsewhere."""
        every: Any = rows
        if self.comm.size > 1:
            every = self.comm.gather(to_host(rows), self.blocks)
        return None if every is None else _stacked(self.xp.asarray(every).reshape(-1))

    def from_vector(self, vector: Array) -> np.ndarray:
        """X^T x (P,) on the host, x (N,) over all rows from the host or this card."""
        vector = self.xp.asarray(vector)
        if self.dtype.kind == "c":
            vector = vector[: self.walkers] + 1j * vector[self.walkers :]
        own = slice(self.own[0], self.own[-1] + 1)
        return self.transposed(vector.reshape(self.blocks, -1)[own])


def _stacked(x: Array) -> Array:
    """Real parts above imaginary parts along axis 0; a real array as it is."""
    if x.dtype.kind != "c":
        return x
    return namespace(x).concatenate([x.real, x.imag])


def _outer_gram(left: Array, right: Array) -> Array:
    """sum_fh O_w O_w' of O = left_wf right_wh, an elementwise product of two small matrices; of
    complex O real and imaginary parts as in vmcnet.estimators.log_derivatives.outer_gram.
    """
    plain = (left @ left.T) * (right @ right.T)
    if plain.dtype.kind != "c":
        return plain
    conjugate = (left @ left.conj().T) * (right @ right.conj().T)
    plus, minus = 0.5 * (conjugate + plain), 0.5 * (conjugate - plain)
    xp = namespace(left)
    upper = xp.concatenate([plus.real, -minus.imag], axis=1)
    return xp.concatenate([upper, xp.concatenate([plus.imag, minus.real], axis=1)])
