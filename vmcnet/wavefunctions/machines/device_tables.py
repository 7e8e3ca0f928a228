"""The tables of real machines on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.geometry.moves import SpinMoves
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.machines.machine import Machine, MachineTables


class DeviceTables(MachineTables):
    """Real weights by the CUDA kernels of sweep_cuda.py: arrays of the device, x (M,
    W) and s (n, W), of the walkers of one or several blocks.
    """

    joins = True

    def __init__(self, machine: Machine, walkers: Walkers, xp: Any, kernels: Any) -> None:
        self._xp, self._kernels = xp, kernels
        super().__init__(machine, walkers)

    def parted(self, blocks: int) -> list[DeviceTables]:
        """The tables of every block."""
        parts = [self._xp.split(array, blocks, axis=1) for array in (self.s, self.x)]
        rows = self._xp.split(self._r, blocks)
        return [self._with(*arrays) for arrays in zip(rows, *parts, strict=True)]

    def joined(self, others: list[DeviceTables]) -> DeviceTables:
        """The tables of several blocks in one, these being the first."""
        every, join = (self, *others), self._xp.concatenate
        return self._with(
            join([t._r for t in every]),
            join([t.s for t in every], axis=1),
            join([t.x for t in every], axis=1),
        )

    def _with(self, r: Array, s: Array, x: Array) -> DeviceTables:
        other = object.__new__(DeviceTables)
        vars(other).update(vars(self))
        other._r, other.s, other.x, other.walkers = r, s, x, s.shape[-1]
        return other

    def _own(self) -> tuple[Array, Array]:
        """x and s as the kernels take them: those of one block were cut out of others."""
        self.x, self.s = (self._xp.ascontiguousarray(array) for array in (self.x, self.s))
        return self.x, self.s

    def _counts(self) -> Array:
        return self._xp.zeros(self.walkers, np.int64)

    def _prepared(self, moves: SpinMoves) -> Any:
        return [self._xp.asarray(array) for array in (moves.sites, *self.machine.table(moves))]

    def _fill(self, s: Array) -> None:
        prepared = self.machine.prepared
        if "machine" not in prepared:
            prepared["machine"] = [
                self._xp.asarray(array) for array in (self.machine.weights, self.machine.b)
            ]
        weights, b = prepared["machine"]
        self.s = self._xp.ascontiguousarray(s.T)
        self.x = self._xp.ascontiguousarray(
            self._xp.exp(-2.0 * (s.astype(np.float64) @ weights + b)).T
        )

    def _sweep(
        self,
        moves: SpinMoves,
        sequence: np.ndarray,
        limits: np.ndarray,
        accepted: Array,
        bad: Array,
    ) -> None:
        self._kernels.machine_sweep(
            *self._own(),
            *self._table(moves),
            self.size,
            self._xp.asarray(sequence, dtype=np.int64),
            self._xp.asarray(limits, dtype=np.float64),
            accepted,
            bad,
        )

    def _connected(self, moves: SpinMoves, elements: Array, some: slice) -> Array:
        sites, table, factor = (array[some] for array in self._table(moves))
        return self._kernels.machine_connected(
            *self._own(), sites, table, factor, self.size, self._xp.asarray(elements)
        )

    def spins(self) -> Array:
        return self._xp.ascontiguousarray(self.s.T)

    def tanh(self) -> Array:
        return self._kernels.machine_tanh(self._own()[0])
