"""Compiled passes of the exact sum of vmcnet.parallel; their plain twins are in the tests."""

from __future__ import annotations

from math import frexp

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def add_share(share, factor, limit, total):
    """total (limbs, P) int64 += share (P,) in units of 1/factor: whole ones, and with a second limb
    the rest in units of 1/(factor limit).

    factor (P,) powers of two, 0 where nothing is added; limit 2^bits. Returns whether every |share
    factor| was at most the limit.
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


@compiled
def largest_exponents(sums, words, zero, nonfinite, out):
    """out (P,) = the largest exponent e, |x| < 2^e, of every column of sums (B, P), of which
    `words` are the bits; or one of the two marks.
    """
    for b in range(sums.shape[0]):
        for p in range(sums.shape[1]):
            e = (words[b, p] >> 52) & 0x7FF
            if e == 0x7FF:
                k = nonfinite
            elif e > 0:
                k = e - 1022
            else:
                k = zero if sums[b, p] == 0.0 else frexp(sums[b, p])[1]
            out[p] = max(out[p], k)
