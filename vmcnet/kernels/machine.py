"""Restricted Boltzmann machines on spins, as what the compiled kernels work on, and the same in plain NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDEST_TILE = 64         # walkers a tile: a tile of 100 hidden units stays in the first-level cache
LARGEST = 600.0          # exponents that are left to exp; beyond, the machine offers no tables


@dataclass(frozen=True)
class Machine:
    """psi(s) = exp(a.s) prod_j 2 cosh(b_j + sum_i s_i W_ij) up to a constant factor: a (n,), b (M,), weights (n, M), real or complex."""

    a: np.ndarray
    b: np.ndarray
    weights: np.ndarray

    @property
    def is_complex(self) -> bool:
        return bool(np.iscomplexobj(self.weights))

    def joined(self, other: Machine) -> Machine:
        """The product of two machines is a machine: visible biases add, hidden units stand side by side."""
        return Machine(self.a + other.a, np.concatenate([self.b, other.b]), np.concatenate([self.weights, other.weights], axis=1))

    def reach(self) -> float:
        """No |Re theta_j| is larger, whatever the spins."""
        return float((np.abs(self.b.real) + np.abs(self.weights.real).sum(axis=0)).max())

    def slope(self) -> np.ndarray:
        """a_i + sum_j W_ij (n,): half the logarithm of the factor that belongs to a spin."""
        return self.a + self.weights.sum(axis=1)

    def fits(self) -> bool:
        """Whether no factor or product of the kernels can overflow."""
        return bool(np.isfinite(self.weights).all() and np.isfinite(self.b).all() and 2.0 * self.reach() < LARGEST / 2
                    and 4.0 * np.abs(self.slope().real).max() < LARGEST)

    def group_size(self) -> int:
        """Units whose product of 1 + exp(-2 theta_j) stays below exp(LARGEST), of its square for complex weights."""
        bound = np.log(2.0) + 2.0 * self.reach()
        return int(min(len(self.b), max(1, LARGEST / (1 + self.is_complex) // bound)))

    def table(self, moves):
        """E for s = +1 and s = -1 (moves, M) each, and the factors (moves, 2), of SpinMoves."""
        sites = moves.sites
        weights, slope = self.weights[sites[:, 0]], self.slope()[sites[:, 0]]
        if sites.shape[1] == 2:
            weights, slope = weights - self.weights[sites[:, 1]], slope - self.slope()[sites[:, 1]]
        return np.exp(4.0 * weights), np.exp(-4.0 * weights), np.stack([np.exp(-2.0 * slope), np.exp(2.0 * slope)], axis=1)


class MachineTables:
    """One block's spins with their x_j = exp(-2 theta_j); renewed at every iteration boundary and every RENEW sweeps of a call.

    The plain NumPy twin of CompiledTables, and what tests compare it with: the same proposals, thresholds and formulas.
    """

    RENEW = 64

    def __init__(self, machine: Machine, s, tables: dict):
        """s (W, n) int8; `tables` keeps the machine's tables of moves, shared by the blocks of one theta."""
        self.machine, self.size, self.walkers, self._tables = machine, machine.group_size(), len(s), tables
        self._fill(s)

    def _x(self, s):
        """exp(-2 theta) (W, M)."""
        return np.exp(-2.0 * (s.astype(np.float64) @ self.machine.weights + self.machine.b))

    def _table(self, moves):
        if moves not in self._tables:
            self._tables[moves] = self._prepared(moves)
        return self._tables[moves]

    def _prepared(self, moves):
        return self.machine.table(moves)

    def _fill(self, s):
        self.s, self.x = s.copy(), self._x(s)

    def _ratios(self, moves, m):
        up, down, factor = self._table(moves)
        sites = moves.sites[m]
        plus = self.s[:, sites[0]] > 0
        e = np.where(plus[:, None], up[m], down[m])
        ratio = np.where(plus, factor[m, 0], factor[m, 1])
        for lo in range(0, self.x.shape[1], self.size):
            hi = lo + self.size
            ratio = ratio * ((1.0 + self.x[:, lo:hi] * e[:, lo:hi]).prod(axis=1) / (1.0 + self.x[:, lo:hi]).prod(axis=1))
        return ratio, e, moves.acts(self.s, slice(m, m + 1))[:, 0]

    def sweep(self, moves, sequence, limits):
        """Accepted moves and NaN ratios of every walker, (W,) each, after the moves `sequence` (K,) with thresholds (K, W)."""
        accepted, bad = np.zeros(self.walkers, np.int64), np.zeros(self.walkers, np.int64)
        for start in range(0, len(sequence), self.RENEW * len(moves)):
            chunk = slice(start, start + self.RENEW * len(moves))
            if start:
                self._fill(self.spins())
            self._sweep(moves, sequence[chunk], limits[chunk], accepted, bad)
        return accepted, bad

    def _sweep(self, moves, sequence, limits, accepted, bad):
        for m, limit in zip(sequence.tolist(), limits, strict=True):
            ratio, e, acts = self._ratios(moves, m)
            p = np.abs(ratio) ** 2
            take = acts & (limit < p)
            accepted += take
            bad += acts & np.isnan(p)
            self.x = np.where(take[:, None], self.x * e, self.x)
            self.s[np.ix_(take, moves.sites[m])] *= -1

    def connected(self, moves, elements):
        """sum_m elements_m psi(s^m)/psi(s) over the moves that act, (W,)."""
        total = np.zeros(self.walkers, self.x.dtype)
        for m, element in enumerate(elements):
            ratio, _, acts = self._ratios(moves, m)
            total += np.where(acts, element * ratio, 0.0)
        return total

    def spins(self):
        """s (W, n) int8."""
        return self.s

    def tanh(self):
        """tanh theta (W, M) = (1 - x)/(1 + x)."""
        return 2.0 / (1.0 + self.x) - 1.0


class CompiledTables(MachineTables):
    """The same by the kernels of rbm.py and rbm_complex.py."""

    def __init__(self, machine, s, tables):
        from vmcnet.kernels import rbm, rbm_complex

        self._kernels = rbm_complex if machine.is_complex else rbm
        walkers = len(s)
        self._width = next(t for t in range(min(walkers, WIDEST_TILE), 0, -1) if walkers % t == 0)
        super().__init__(machine, s, tables)

    def _split(self, array):
        array = np.ascontiguousarray(array)
        return np.stack([array.real, array.imag]) if self.machine.is_complex else array

    def _tiles(self, array):
        return np.ascontiguousarray(array.reshape(-1, self._width, array.shape[-1]).transpose(0, 2, 1))

    def _prepared(self, moves):
        return tuple(self._split(part) for part in self.machine.table(moves))

    def _fill(self, s):
        self.s = self._tiles(s.astype(np.float64))
        self.x = self._split(self._tiles(self._x(s)))
        groups = -(-len(self.machine.b) // self.size)
        self.groups = np.empty(self.x.shape[:-2] + (groups, self._width))
        self._kernels.group_products(self.x, self.size, self.groups)

    def _sweep(self, moves, sequence, limits, accepted, bad):
        self._kernels.sweep(self.x, self.groups, self.s, moves.sites, *self._table(moves), self.size, sequence, limits, accepted, bad)

    def connected(self, moves, elements):
        total = np.zeros((2, self.walkers) if self.machine.is_complex else self.walkers)
        self._kernels.connected(self.x, self.groups, self.s, moves.sites, *self._table(moves), self.size, elements, total)
        return total[0] + 1j * total[1] if self.machine.is_complex else total

    def _rows(self, array):
        return array.transpose(0, 2, 1).reshape(-1, array.shape[1])

    def spins(self):
        return self._rows(self.s).astype(np.int8)

    def tanh(self):
        return self._rows(2.0 / (1.0 + (self.x[0] + 1j * self.x[1] if self.machine.is_complex else self.x)) - 1.0)
