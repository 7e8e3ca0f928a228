"""What is joined over ranks and does not depend on their number: sums, by the maximum of exponents
and then as integers; rows of blocks, along a tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, log2
from typing import Any

import numpy as np

from vmcnet.kernels.numba_merge import merge
from vmcnet.kernels.numba_sum import add_share, largest_exponents
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
    block_sums, exponent = (
        np.ascontiguousarray(block_sums, np.float64),
        np.full(block_sums.shape[1], ZERO, np.int64),
    )
    largest_exponents(block_sums, block_sums.view(np.int64), ZERO, NONFINITE, exponent)
    common = comm.reduce_max(exponent.astype(np.int16)).astype(np.int64)
    return bounded_sum(comm, block_sums, common, blocks, 1 if blocks <= LIMB_BLOCKS else 2)


def exponents(bound: np.ndarray) -> np.ndarray:
    """Exponents for `bounded_sum` of numbers that are below `bound` up to rounding; NaN or
    infinite: the sum will be NaN.
    """
    finite = np.isfinite(bound)
    exponent = np.where(bound == 0.0, ZERO, np.frexp(np.where(finite, bound, 0.0))[1] + 1)
    return np.where(finite, exponent, NONFINITE).astype(np.int64)


def bounded_sum(
    comm: Communicator,
    shares: Iterable[np.ndarray],
    exponent: np.ndarray,
    blocks: int,
    limbs: int,
    root: int | None = None,
) -> Any:
    """As exact_sum, with the exponents known beforehand, |share| < 2^exponent: one all-reduce, and
    shares (iterable) may come one by one. With a `root` that rank alone gets the sum, the others
    None.

    With two limbs the exponents may be 2^40 too large and the sum still has all its digits. Raises
    ValueError for a share beyond its exponent.
    """
    bits = 62 - ceil(log2(max(blocks, 1)))
    valid = (exponent != ZERO) & (exponent != NONFINITE)
    shift = np.where(valid, bits - exponent, 0).astype(np.int32)
    once = np.minimum(shift, LARGEST_POWER)  # denormal shares are scaled in two steps
    twice = shift - once if (once < shift).any() else None
    factor = np.where(valid, np.ldexp(1.0, once), 0.0).reshape(-1)
    total = np.zeros((limbs, factor.size), np.int64)
    for share in shares:
        share = share if twice is None else np.ldexp(share, twice)
        if not add_share(
            np.ascontiguousarray(share, np.float64).reshape(-1), factor, 2.0**bits, total
        ):
            raise ValueError(
                "bounded_sum: a share lies beyond its exponent, or is NaN where its bound is not"
            )
    total = total.reshape(limbs, *exponent.shape)
    summed = comm.reduce_sum(total) if root is None else comm.reduce_sum_to(total, root)
    if summed is None:
        return None
    total = summed
    value = np.ldexp(total[0].astype(np.float64), -shift)
    if limbs == 2:
        value = value + np.ldexp(total[1].astype(np.float64), -shift - bits)
    return np.where(exponent == NONFINITE, np.nan, np.where(valid, value, 0.0))
