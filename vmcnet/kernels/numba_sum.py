"""Compiled pass of the exact sum of vmcnet.parallel over one share; its plain twin is in the tests."""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def add_share(share, factor, limit, total):
    """total (limbs, P) int64 += share (P,) in units of 1/factor: whole ones, and with a second limb the rest in units of 1/(factor limit).

    factor (P,) powers of two, 0 where nothing is added; limit 2^bits. Returns whether every |share factor| was at most the limit.
    """
    inside = True
    for p in range(len(share)):
        scaled = share[p] * factor[p] if factor[p] > 0.0 else 0.0
        inside &= abs(scaled) <= limit
        high = np.rint(scaled)
        total[0, p] += np.int64(high)
        if len(total) > 1:
            total[1, p] += np.int64(np.rint((scaled - high) * limit))
    return inside
