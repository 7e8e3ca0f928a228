"""What is joined over ranks and does not depend on their number: sums, by the maximum of exponents
and then as integers; rows of blocks, along a tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log2
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, on_host, to_host
from vmcnet.kernels.numba_merge import merge
from vmcnet.kernels.numba_sum import add_shares, bounding, largest_exponents, powers, unscaled
from vmcnet.parallel.communicators import Communicator

# exponents that stand for 0 and for NaN or infinity; like the others they fit 16 bits
ZERO, NONFINITE = -(2**14), 2**14


LIMB_BLOCKS = 1024  # more blocks than this: two limbs


LARGEST_POWER = 1023  # of 2 in float64


def merged_rows(comm: Communicator, rows: np.ndarray, blocks: int, kinds: np.ndarray) -> np.ndarray:
    """The row (K,) of all blocks from those of the own ones (own blocks, K), which it overwrites:
    merged along the tree of the blocks, the same bits on any number of ranks; one collective.

    kinds (K,): what every column is, as in kernels/numba_merge.py.
    """
    return comm.merged(rows, blocks, lambda rows, pairs: merge(rows, pairs, kinds))


def exact_sum(comm: Communicator, block_sums: np.ndarray, blocks: int) -> np.ndarray:
    """Sum over all blocks of all ranks, the same bits for any distribution of the blocks.

    block_sums (own blocks, P) float64 -> (P,). Every element gets the common exponent e of its
    largest block;
    x becomes the integer rint(x 2^(62 - h - e)), h = ceil(log2 blocks), and integers add without
    error. Above
    LIMB_BLOCKS blocks a second integer keeps the remainder. An element that is NaN or infinite in
    any block gives NaN.
    """
    block_sums = np.ascontiguousarray(block_sums, np.float64)
    exponent, largest = (
        np.empty(block_sums.shape[1], np.int16),
        np.zeros(block_sums.shape[1], np.int64),
    )
    largest_exponents(block_sums.view(np.int64), largest, ZERO, NONFINITE, exponent)
    common = comm.reduce_max(exponent).astype(np.int64)
    return bounded_sum(comm, block_sums, common, blocks, 1 if blocks <= LIMB_BLOCKS else 2)


def exponents(bound: np.ndarray) -> np.ndarray:
    """Exponents for `bounded_sum` of numbers that are below `bound` up to rounding; NaN or
    infinite: the sum will be NaN.
    """
    bound = np.ascontiguousarray(bound, np.float64)
    out = np.empty(bound.shape, np.int64)
    flat = bound.reshape(-1)
    bounding(flat, flat.view(np.int64), ZERO, NONFINITE, out.reshape(-1))
    return out


def bounded_sum(
    comm: Communicator,
    shares: Iterable[Array],
    exponent: np.ndarray,
    blocks: int,
    limbs: int,
    root: int | None = None,
) -> Any:
    """As exact_sum, with the exponents known beforehand, |share| < 2^exponent: one all-reduce, and
    shares (iterable) may come one by one; those on a device, (blocks, P), are added up there and
    come to the host as integers. With a `root` that rank alone gets the sum, the others
    None.

    With two limbs the exponents may be 2^40 too large and the sum still has all its digits. Raises
    ValueError for a share beyond its exponent.
    """
    bits = 62 - ceil(log2(max(blocks, 1)))
    flat = np.ascontiguousarray(exponent, np.int64).reshape(-1)
    words = np.empty(flat.size, np.int64)
    factor, total = words.view(np.float64), np.zeros((limbs, flat.size), np.int64)
    normal, twice = powers(flat, bits, ZERO, NONFINITE, words), None
    if not normal:  # at the ends of float64's range: denormal shares are scaled in two steps
        valid = (flat != ZERO) & (flat != NONFINITE)
        shift = np.where(valid, bits - flat, 0).astype(np.int32)
        once = np.minimum(shift, LARGEST_POWER)
        factor[:], twice = np.where(valid, np.ldexp(1.0, once), 0.0), shift - once
    for share in [shares] if isinstance(shares, np.ndarray) else shares:
        if twice is None and not on_host(share):
            inside = _add_there(share, factor, 2.0**bits, total)
        else:
            rows = np.ascontiguousarray(to_host(share), np.float64)
            rows = rows.reshape(-1, flat.size or 1)  # none: no rows
            rows = rows if twice is None else np.ldexp(rows, twice)
            inside = add_shares(rows, factor, 2.0**bits, total)
        if not inside:
            raise ValueError(
                "bounded_sum: a share lies beyond its exponent, or is NaN where its bound is not"
            )
    summed = comm.reduce_sum(total) if root is None else comm.reduce_sum_to(total, root)
    if summed is None:
        return None
    if normal:
        inverse = ((2046 << 52) - words).view(np.float64)  # of 2^k, and finite where the total is 0
        out = np.empty(flat.size)
        unscaled(summed, inverse, 2.0**-bits, flat, NONFINITE, out)
    else:
        out = np.ldexp(summed[0].astype(np.float64), -shift)
        if limbs == 2:
            out = out + np.ldexp(summed[1].astype(np.float64), -shift - bits)
        out = np.where(flat == NONFINITE, np.nan, np.where(valid, out, 0.0))
    return out.reshape(exponent.shape)


def _add_there(shares: Array, factor: np.ndarray, limit: float, total: np.ndarray) -> bool:
    """`add_shares` of shares (B, P) on a device: the sums of their integers come by one copy."""
    xp = namespace(shares)
    there = xp.asarray(factor)
    scaled = xp.where(there > 0, shares * there, 0.0)
    limbs = [xp.rint(scaled)]
    if len(total) > 1:
        limbs.append(xp.rint((scaled - limbs[0]) * limit))
    sums = [x.astype(np.int64).sum(axis=0) for x in limbs]
    outside = (~(abs(scaled) <= limit)).sum(axis=0)
    found = to_host(xp.concatenate([*sums, outside]))
    total += found[: total.size].reshape(total.shape)
    return not found[total.size :].any()
