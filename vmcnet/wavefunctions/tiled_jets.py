"""Jets in tiles of walkers that keep them near the processor."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace, writable
from vmcnet.calculus.jet import CONSTANT, JetData, Unmade
from vmcnet.calculus.jets import Jet, Jets
from vmcnet.calculus.replay import JetRecorder
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.reading import Reading

MEASURED = 16  # walkers whose jets are made to see how wide they are
# wavefunction -> {(n, d, dtype): bytes of a walker's widest jet}
WIDEST: WeakKeyDictionary[Any, dict] = WeakKeyDictionary()


class Measuring(Jets):
    """Jets that note the bytes of a walker's slots in the widest jet that is made."""

    widest = 0

    def apply(self, operation: Any, args: Any, **static: Any) -> Any:
        out = super().apply(operation, args, **static)
        for handle in (*args, *(out if isinstance(out, tuple) else (out,))):
            data = handle.data if isinstance(handle, Jet) else None  # a sign is no jet
            unread = isinstance(data, Unmade) and not data.made
            if isinstance(data, JetData) and not unread and data.support != CONSTANT:
                slots: Array = data.slots
                self.widest = max(self.widest, slots.nbytes // slots.shape[1])
        return out


def jet_tile(walkers: int, widest: int, near: int) -> int:
    """Walkers a tile: the largest of W, W/2, W/4 ... that divides W and keeps the widest jet, of
    that many bytes a walker, within `near` bytes.
    """
    while walkers % 2 == 0 and walkers * widest > near:
        walkers //= 2
    return walkers


def widest(reading: Reading, walkers: Walkers) -> int:
    """Bytes of a walker's widest jet: of the first walkers, once for a wavefunction and shape,
    since shapes alone decide.
    """
    r, s = walkers.r[:MEASURED], walkers.s[:MEASURED]
    known, key = WIDEST.setdefault(reading.wavefunction, {}), (*r.shape, r.dtype)
    if key not in known:
        ops = Measuring(np, *r.shape[1:])
        reading.log_psi(ops, reading.handles(ops, np, r.dtype), r, s)
        known[key] = ops.widest
    return known[key]


def jet(
    reading: Reading, walkers: Walkers, units: Array | None = None
) -> tuple[Array, Array, Array]:
    """log psi (W,), its coordinate derivatives (n d, W) and its Laplacian (W,); with units u (W, n)
    u_i d/dr_i and sum_i u_i^2 lap_i.

    Where the kernels ask for it, in tiles of walkers that keep a jet near the processor; their
    size depends on shapes and dtype alone.
    """
    r, s = writable(walkers.r), writable(walkers.s)
    xp, (count, n, d) = namespace(r), r.shape
    near = kernels.of(xp, r.dtype).near
    tile = count if near is None else jet_tile(count, widest(reading, walkers), near)

    def part(k: int) -> tuple[Array, Array, Array]:
        own = slice(k, k + tile)
        labels = s if tile == count else s[own]  # known by identity on a device
        if units is None:
            bound = reading.records.of(
                reading, ("jet",), r[own], labels, lambda xp: JetRecorder(xp, n, d)
            )
            if bound is not None:
                return bound(reading.arrays(xp, r.dtype).values())(r[own])
        ops = Jets(xp, n, d, None if units is None else units[own])
        parameters = reading.handles(ops, xp, r.dtype)
        return ops.read(reading.log_psi(ops, parameters, r[own], labels)[1])

    parts = [part(k) for k in range(0, count, tile)]
    return (
        parts[0]
        if len(parts) == 1
        else tuple(xp.concatenate(p, axis=-1) for p in zip(*parts, strict=True))
    )
