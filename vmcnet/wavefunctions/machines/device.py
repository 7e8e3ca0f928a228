"""The kernels of sweep_cuda.py as the tables call them, on CuPy arrays."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.kernels.gpu import launch, module
from vmcnet.wavefunctions.machines import sweep_cuda

CONNECTIONS = 2**24  # ratios of walkers and moves that are held at a time


def _launch(name: str, size: int, *arguments: Any) -> None:
    launch(module(sweep_cuda.SOURCE, sweep_cuda.NAMES), name, size, *arguments)


def _sites(sites: Array) -> Any:
    return sites, np.int32(sites.shape[1])


def machine_sweep(
    x: Array,
    s: Array,
    sites: Array,
    table: Array,
    factor: Array,
    size: int,
    sequence: np.ndarray,
    limits: np.ndarray,
    accepted: Array,
    bad: Array,
) -> None:
    """Moves `sequence` (K,), or (B, K) of the walkers of B blocks, proposed one after the other,
    thresholds limits (K, W); x (M, W), s (n, W) and the counts (W,) in place.
    """
    units, walkers = x.shape
    sequence, limits = cupy.ascontiguousarray(sequence), cupy.ascontiguousarray(limits)
    _launch(
        "machine_sweep",
        walkers,
        x,
        s,
        *_sites(sites),
        table,
        factor,
        sequence,
        np.int64(sequence.shape[-1]),
        np.int64(walkers if sequence.ndim == 1 else walkers // len(sequence)),
        limits,
        accepted,
        bad,
        np.int64(walkers),
        np.int32(units),
        np.int32(size),
    )


def machine_connected(
    x: Array, s: Array, sites: Array, table: Array, factor: Array, size: int, elements: Array
) -> Array:
    """sum_m elements_m psi(s^m)/psi(s) over the moves that act (W,), in the order of the moves."""
    units, walkers = x.shape
    total, step = cupy.zeros(walkers), max(1, CONNECTIONS // walkers)
    for start in range(0, len(elements), step):
        some = slice(start, start + step)
        weights = elements[some]
        part, count = cupy.empty((len(weights), walkers)), np.int64(len(weights))
        _launch(
            "machine_connected",
            part.size,
            x,
            s,
            *_sites(sites[some]),
            table[some],
            factor[some],
            weights,
            part,
            count,
            np.int64(walkers),
            np.int32(units),
            np.int32(size),
        )
        _launch("machine_total", walkers, part, total, count, np.int64(walkers))
    return total


def machine_tanh(x: Array) -> Array:
    """tanh theta (W, M) from x (M, W) = exp(-2 theta)."""
    out = cupy.empty(x.shape[::-1])
    _launch("machine_tanh", out.size, x, out, np.int64(x.shape[1]), np.int32(x.shape[0]))
    return out
