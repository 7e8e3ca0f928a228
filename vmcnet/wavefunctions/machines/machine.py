"""Restricted Boltzmann machines on spins, as what the compiled kernels work on, and the same in
plain NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, on_host
from vmcnet.calculus.products import matmul
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.local_update import RENEW, LocalUpdate, UpdateRule

WIDEST_TILE, NARROWEST_TILE = 128, 16  # walkers a tile, the length of the innermost loops
LARGEST = 600.0  # exponents that are left to exp; beyond, the machine offers no tables


@dataclass(frozen=True)
class Machine(UpdateRule):
    """psi(s) = exp(a.s) prod_j 2 cosh(b_j + sum_i s_i W_ij) up to a constant factor: a (n,), b
    (M,), weights (n, M), real or complex.

    prepared: what the tables of all blocks share, by their class and the SpinMoves.
    """

    a: np.ndarray
    b: np.ndarray
    weights: np.ndarray
    prepared: dict = field(default_factory=dict, compare=False, repr=False)
    kinds = (SpinMove,)

    def of(self, walkers: Walkers) -> MachineTables | None:
        """By compiled loops on the host; on a device by its kernels, which know real weights. None
        where there are neither, or where the weights are too large for them.
        """
        if not self.fits:
            return None
        xp = namespace(walkers.s)
        if on_host(walkers.s):
            return CompiledTables(self, walkers)
        kernels = None if self.is_complex else device_kernels(xp)
        if not kernels:
            return None
        from vmcnet.wavefunctions.machines.device_tables import DeviceTables

        return DeviceTables(self, walkers, xp, kernels)

    def times(self, other: UpdateRule) -> UpdateRule:
        return self.joined(other) if isinstance(other, Machine) else super().times(other)

    @cached_property
    def is_complex(self) -> bool:
        return bool(np.iscomplexobj(self.weights))

    @cached_property
    def parts(self) -> list:
        """(weights, b) of the real and of the imaginary parts, contiguous."""
        return [
            tuple(np.ascontiguousarray(x) for x in pair)
            for pair in ((self.weights.real, self.b.real), (self.weights.imag, self.b.imag))
        ]

    def joined(self, other: Machine) -> Machine:
        """The product of two machines is a machine: visible biases add, hidden units stand side by
        side.
        """
        return Machine(
            self.a + other.a,
            np.concatenate([self.b, other.b]),
            np.concatenate([self.weights, other.weights], axis=1),
        )

    @cached_property
    def reach(self) -> float:
        """No |Re theta_j| is larger, whatever the spins."""
        return float((np.abs(self.b.real) + np.abs(self.weights.real).sum(axis=0)).max())

    def slope(self) -> np.ndarray:
        """a_i + sum_j W_ij (n,): half the logarithm of the factor that belongs to a spin."""
        return self.a + self.weights.sum(axis=1)

    @cached_property
    def fits(self) -> bool:
        """Whether no factor or product of the kernels can overflow."""
        return bool(
            np.isfinite(self.weights).all()
            and np.isfinite(self.b).all()
            and 2.0 * self.reach < LARGEST / 2
            and 4.0 * np.abs(self.slope().real).max() < LARGEST
        )

    @cached_property
    def group_size(self) -> int:
        """Units whose product of 1 + exp(-2 theta_j) stays below exp(LARGEST), of its square for
        complex weights; groups are of equal size.
        """
        bound, units = np.log(2.0) + 2.0 * self.reach, len(self.b)
        groups = -(-units // int(max(1, LARGEST / (1 + self.is_complex) // bound)))
        return -(-units // groups)

    def table(self, moves: SpinMoves) -> tuple[np.ndarray, np.ndarray]:
        """E for s = +1 and s = -1 (moves, 2, M), and the factors (moves, 2), of SpinMoves."""
        sites = moves.sites
        weights, slope = self.weights[sites[:, 0]], self.slope()[sites[:, 0]]
        if sites.shape[1] == 2:
            weights, slope = weights - self.weights[sites[:, 1]], slope - self.slope()[sites[:, 1]]
        return np.stack([np.exp(4.0 * weights), np.exp(-4.0 * weights)], axis=1), np.stack(
            [np.exp(-2.0 * slope), np.exp(2.0 * slope)], axis=1
        )


class MachineTables(LocalUpdate):
    """One block's spins with their x_j = exp(-2 theta_j); renewed at every iteration boundary and
    every RENEW sweeps of a call.

    The plain NumPy twin of CompiledTables, and what tests compare it with: the same proposals,
    thresholds and formulas.
    """

    def __init__(self, machine: Machine, walkers: Walkers) -> None:
        self.machine, self.size, self.walkers = machine, machine.group_size, len(walkers.s)
        self._r = walkers.r
        self._fill(walkers.s)

    def configuration(self) -> tuple[Array, Array]:
        return self._r, self.spins()

    def ratio(self, move: Any) -> tuple[Array, Array]:
        one = slice(move.index, move.index + 1)
        with np.errstate(divide="ignore"):  # 0 where an exchange does not act
            return None, namespace(self.s).log(self._connected(move.moves, np.ones(1), one))

    def accept(self, move: Any, mask: Array) -> None:
        xp, counts = namespace(self.s), self._counts()
        limits = xp.where(mask, -1.0, np.inf)[None]  # |psi'/psi|^2 is above -1, and not above inf
        self._sweep(move.moves, np.array([move.index]), limits, counts, counts)

    def renew(self) -> None:
        self._fill(self.spins())

    def _x(self, s: Array) -> Array:
        """exp(-2 theta) (W, M)."""
        s, out = (
            s.astype(np.float64),
            np.empty((len(s), len(self.machine.b)), self.machine.weights.dtype),
        )
        if not self.machine.is_complex:
            return np.exp(-2.0 * (matmul(s, self.machine.weights) + self.machine.b), out=out)
        real, imaginary = (matmul(s, weights) + b for weights, b in self.machine.parts)
        t = np.tan(
            -imaginary
        )  # e^i phi by tan(phi/2): NumPy's tan is eight times faster than its sine and cosine
        square = t * t
        size = np.exp(-2.0 * real) / (1.0 + square)
        out.real, out.imag = size * (1.0 - square), size * (2.0 * t)
        return out

    def _table(self, moves: SpinMoves) -> Any:
        key = type(self), moves
        if key not in self.machine.prepared:
            self.machine.prepared[key] = self._prepared(moves)
        return self.machine.prepared[key]

    def _prepared(self, moves: SpinMoves) -> Any:
        return self.machine.table(moves)

    def _fill(self, s: Array) -> None:
        self.s, self.x = s.copy(), self._x(s)

    def _ratios(self, moves: SpinMoves, m: int) -> tuple[Array, Array, Array]:
        table, factor = self._table(moves)
        sites = moves.sites[m]
        plus = self.s[:, sites[0]] > 0
        e = np.where(plus[:, None], *table[m])
        ratio = np.where(plus, factor[m, 0], factor[m, 1])
        for lo in range(0, self.x.shape[1], self.size):
            hi = lo + self.size
            ratio = ratio * (
                (1.0 + self.x[:, lo:hi] * e[:, lo:hi]).prod(axis=1)
                / (1.0 + self.x[:, lo:hi]).prod(axis=1)
            )
        return ratio, e, moves.acts(self.s, slice(m, m + 1))[:, 0]

    def sweep(
        self, moves: SpinMoves, sequence: np.ndarray, limits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accepted moves and NaN ratios of every walker, (W,) each, after the moves `sequence` (K,)
        with thresholds (K, W).
        """
        accepted, bad = self._counts(), self._counts()
        for start in range(0, sequence.shape[-1], RENEW * len(moves)):
            chunk = slice(start, start + RENEW * len(moves))
            if start:
                self.renew()
            self._sweep(moves, sequence[..., chunk], limits[chunk], accepted, bad)
        return accepted, bad

    def _counts(self) -> Array:
        return np.zeros(self.walkers, np.int64)

    def _sweep(
        self,
        moves: SpinMoves,
        sequence: np.ndarray,
        limits: np.ndarray,
        accepted: Array,
        bad: Array,
    ) -> None:
        for m, limit in zip(sequence.tolist(), limits, strict=True):
            ratio, e, acts = self._ratios(moves, m)
            p = np.abs(ratio) ** 2
            take = acts & (limit < p)
            accepted += take
            bad += acts & np.isnan(p)
            self.x = np.where(take[:, None], self.x * e, self.x)
            self.s[np.ix_(take, moves.sites[m])] *= -1

    def connected(self, moves: SpinMoves, elements: Array) -> Array:
        """sum_m elements_m psi(s^m)/psi(s) over the moves that act, (W,)."""
        return self._connected(moves, elements, slice(None))

    def _connected(self, moves: SpinMoves, elements: Array, some: slice) -> Array:
        """The same over the moves of the slice `some`, elements (some,)."""
        total = np.zeros(self.walkers, self.x.dtype)
        for m, element in zip(range(len(moves))[some], elements, strict=True):
            ratio, _, acts = self._ratios(moves, m)
            total += np.where(acts, element * ratio, 0.0)
        return total

    def spins(self) -> Array:
        """s (W, n) int8."""
        return self.s

    def tanh(self) -> Array:
        """tanh theta (W, M) = (1 - x)/(1 + x)."""
        return 2.0 / (1.0 + self.x) - 1.0


class CompiledTables(MachineTables):
    """The same by sweep_real.py and sweep_complex.py, no tile of walkers across blocks."""

    joins = True

    def __init__(self, machine: Machine, walkers: Walkers) -> None:
        from vmcnet.wavefunctions.machines import sweep_complex, sweep_real

        self._kernels = sweep_complex if machine.is_complex else sweep_real
        count = len(walkers.s) // walkers.blocks
        width = next(t for t in range(min(count, WIDEST_TILE), 0, -1) if count % t == 0)
        # a block of 131 walkers is one tile, not 131
        self._width = width if width >= NARROWEST_TILE else count
        super().__init__(machine, walkers)

    def parted(self, blocks: int) -> list[CompiledTables]:
        """The tables of every block."""
        parts = (np.split(array, blocks) for array in self._arrays())
        return [self._with(arrays) for arrays in zip(*parts, strict=True)]

    def joined(self, others: list[CompiledTables]) -> CompiledTables:
        """The tables of several blocks in one, these being the first."""
        parts = zip(*(tables._arrays() for tables in (self, *others)), strict=True)
        return self._with([np.concatenate(arrays) for arrays in parts])

    def _arrays(self) -> tuple:
        return self._r, self.s, self.x, self.products

    def _with(self, arrays: Any) -> CompiledTables:
        other = object.__new__(CompiledTables)
        vars(other).update(vars(self))
        other._r, other.s, other.x, other.products = arrays
        other.walkers = len(other.s) * other._width
        return other

    def _parts(self, array: Array, axis: int = 0) -> np.ndarray:
        """Real and imaginary part along a new axis; a real array as it is."""
        return np.stack([array.real, array.imag], axis) if self.machine.is_complex else array

    def _grouped(self, array: Array, missing: float) -> np.ndarray:
        """(K, M, ...) -> (K, G, R, ...): the units by groups, `missing` where a group has no unit;
        R is the next multiple of 4.
        """
        units, size = array.shape[1], self.size
        groups, rows = -(-units // size), -(-size // 4) * 4
        out = np.empty((array.shape[0], groups, rows, *array.shape[2:]), array.dtype)
        for g in range(groups):
            part = array[:, g * size : (g + 1) * size]
            out[:, g, : part.shape[1]], out[:, g, part.shape[1] :] = part, missing
        return out

    def _tiles(self, array: Array) -> np.ndarray:
        """(W, K) -> (tiles, K, T)."""
        return array.reshape(-1, self._width, array.shape[1]).transpose(0, 2, 1)

    def _prepared(self, moves: SpinMoves) -> Any:
        table, factor = self.machine.table(moves)
        grouped = self._grouped(table.reshape(-1, table.shape[2]), 1.0)
        return self._parts(grouped.reshape(*table.shape[:2], *grouped.shape[1:])), self._parts(
            factor
        )

    def _fill(self, s: Array) -> None:
        self.s = np.ascontiguousarray(self._tiles(s), np.float64)
        self.x = self._parts(self._grouped(self._tiles(self._x(s)), 0.0), 1)
        self.products = np.empty(self.x.shape[:-2] + self.x.shape[-1:])
        self._kernels.group_products(self.x, self.products)

    def _sweep(
        self,
        moves: SpinMoves,
        sequence: np.ndarray,
        limits: np.ndarray,
        accepted: Array,
        bad: Array,
    ) -> None:
        self._kernels.sweep(
            self.x,
            self.products,
            self.s,
            moves.sites,
            *self._table(moves),
            np.atleast_2d(sequence),
            limits,
            accepted,
            bad,
        )

    def _connected(self, moves: SpinMoves, elements: Array, some: slice) -> Array:
        total = np.zeros((2, self.walkers) if self.machine.is_complex else self.walkers)
        table, factor = (
            np.ascontiguousarray(array[:, some] if self.machine.is_complex else array[some])
            for array in self._table(moves)
        )
        self._kernels.connected(
            self.x, self.products, self.s, moves.sites[some], table, factor, elements, total
        )
        return total[0] + 1j * total[1] if self.machine.is_complex else total

    def spins(self) -> Array:
        spins = self.s.astype(np.int8).transpose(0, 2, 1)
        return np.ascontiguousarray(spins).reshape(self.walkers, -1)

    def tanh(self) -> Array:
        x = self.x[:, 0] + 1j * self.x[:, 1] if self.machine.is_complex else self.x
        rows = x[:, :, : self.size].transpose(0, 3, 1, 2).reshape(self.walkers, -1)
        return 2.0 / (1.0 + np.ascontiguousarray(rows[:, : len(self.machine.b)])) - 1.0


def device_kernels(xp: Any) -> Any:
    """The kernels for arrays of the namespace xp, or None."""
    if xp.__name__ != "cupy":
        return None
    from vmcnet.wavefunctions.machines import device

    return device
