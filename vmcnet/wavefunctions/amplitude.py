"""psi as numbers: what sampling asks for again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace, on_host
from vmcnet.calculus.replay import Recorder
from vmcnet.calculus.staged import Staged
from vmcnet.calculus.values import Values
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.reading import Parameters, Reading

ROWS = 512  # configurations of one call on the host, which stay near the processor


def ratio(new: tuple[Array, Array], old: tuple[Array, Array]) -> Array:
    """psi'/psi of two amplitudes (phase, log) of shapes that broadcast; either phase may be None,
    which is 1.
    """
    (there, log), (here, known) = new, old
    xp = namespace(log)
    out = xp.exp(log - known)
    if there is not None:
        out = out * there
    return out if here is None else out * xp.conj(here)


MEASURED = 16  # walkers that show how wide the arrays of log psi are


class WidestValue(Values):
    """Values that note the bytes of a walker in the widest array that is made."""

    def __init__(self, xp: Any, walkers: int) -> None:
        super().__init__(xp)
        self.walkers, self.widest = walkers, 0

    def apply(self, operation: Any, args: Any, **static: Any) -> Any:
        out = super().apply(operation, args, **static)
        values = out if isinstance(out, tuple) else (out,)
        for value in values:
            if value.shape and value.shape[0] == self.walkers:
                self.widest = max(self.widest, value.data.nbytes // self.walkers)
        return out


def widest_value(reading: Reading, walkers: Walkers) -> int:
    """Bytes of a walker in the widest array that log psi makes, of the first walkers."""
    r, s = walkers.r[:MEASURED], walkers.s[:MEASURED]
    xp = namespace(r)
    ops = WidestValue(xp, len(r))
    reading.log_psi(ops, reading.handles(ops, xp, r.dtype), r, s)
    return ops.widest


class Amplitude:
    """(r, s) -> (phase, log psi), (W,) each, of a Reading; the phase is None where psi > 0.

    Handles of parameters are made once. On the host, spins that come again have their operations
    repeated without log_psi.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._readers: dict[tuple, tuple[Values, Parameters]] = {}
        self._repeats: dict[Any, tuple] = {}

    def __call__(self, r: Array, s: Array) -> tuple[Array, Array]:
        repeat = self._repeat(r, s)
        if repeat is not None:
            return repeat(r)
        phase, log = self._reading.log_psi(*self.reader(namespace(r), r.dtype), r, s)
        return None if phase is None else phase.data, log.data

    def _repeat(self, r: Array, s: Array) -> Any:
        """A function of coordinates alone that gives phase and log psi, or None."""
        if not on_host(s):
            return None
        spins, repeat = self._repeats.get(r.dtype, (None, None))
        if spins != s.tobytes():
            bound = self._reading.records.of(self._reading, ("value",), r, s, Recorder)
            if bound is None:
                return None
            repeat = bound(self._reading.arrays(np, r.dtype).values())
            self._repeats[r.dtype] = s.tobytes(), repeat
        return repeat

    def configurations(self, r: Array, s: Array) -> tuple[Array, Array]:
        """(phase, log psi), (W, C) each, of C configurations s (W, C, n) of labels at the same r
        (W, n, d): what does not depend on labels is evaluated once a walker.
        """
        xp, (tile, count, n), parts = namespace(r), s.shape, []
        tiled = kernels.of(xp, r.dtype).near is not None
        while tiled and tile % 2 == 0 and tile * count > ROWS:
            tile //= 2
        for k in range(0, len(r), tile):
            ops = Staged(xp, tile, count)
            theta, rows = self._reading.handles(ops, xp, r.dtype), slice(k, k + tile)
            found = self._reading.log_psi(ops, theta, r[rows], s[rows].reshape(-1, n))
            parts.append([None if x is None else x.data.reshape(-1, count) for x in found])
        phases, logs = zip(*parts, strict=True)
        if all(phase is None for phase in phases):
            return None, xp.concatenate(logs)
        one = xp.ones((tile, count), r.dtype)  # where psi > 0 in all configurations of a tile
        phases = [one if phase is None else phase for phase in phases]
        return xp.concatenate(phases), xp.concatenate(logs)

    def reader(self, xp: Any, dtype: Any) -> tuple[Values, Parameters]:
        """The interpreter of values and the handles of the parameters, made once."""
        key = xp, dtype
        if key not in self._readers:
            ops = Values(xp)
            self._readers[key] = ops, self._reading.handles(ops, xp, dtype)
        return self._readers[key]
