"""Compiled passes of the exact sum of vmcnet.parallel; their plain twins are in the tests."""

from __future__ import annotations

from math import frexp

import numpy as np

from vmcnet.kernels.compiled import compiled

MAGNITUDE = 2**63 - 1  # all bits of a number but its sign


@compiled
def add_shares(shares, factor, limit, total):
    """total (limbs, P) int64 += every row of shares (B, P) in units of 1/factor: whole ones, and
    with a second limb the rest in units of 1/(factor limit).

    factor (P,) powers of two, 0 where nothing is added; limit 2^bits. Returns whether every |share
    factor| was at most the limit.
    """
    inside = True
    for b in range(len(shares)):
        for p in range(shares.shape[1]):
            scaled = shares[b, p] * factor[p] if factor[p] > 0.0 else 0.0
            inside &= abs(scaled) <= limit
            high = np.rint(scaled)
            total[0, p] += np.int64(high)
            if len(total) > 1:
                total[1, p] += np.int64(np.rint((scaled - high) * limit))
    return inside


@compiled
def powers(exponent, bits, zero, nonfinite, words):
    """words (P,) int64, the bits of the float64 numbers 2^(bits - e), 0 where e is one of the two
    marks; False where one of them, or its inverse over 2^bits, is no normal number.
    """
    normal = True
    for p in range(len(exponent)):
        e, shift = exponent[p], bits - exponent[p]
        if e in (zero, nonfinite):
            words[p] = 0
        else:
            normal &= shift > -960 and shift + bits < 960
            words[p] = (1023 + shift) << 52
    return normal


@compiled
def bounding(bound, words, zero, nonfinite, out):
    """out (P,) = e with |x| < 2^e for all |x| up to a little more than bound (P,), of which `words`
    are the bits; or one of the two marks.
    """
    for p in range(len(words)):
        e = (words[p] >> 52) & 0x7FF
        if e == 0x7FF:
            out[p] = nonfinite
        elif e > 0:
            out[p] = e - 1021
        else:
            out[p] = zero if bound[p] == 0.0 else frexp(bound[p])[1] + 1


@compiled
def largest_exponents(words, largest, zero, nonfinite, out):
    """out (P,) = the largest exponent e, |x| < 2^e, of every column of float64 numbers with the
    bits `words` (B, P); or one of the two marks. largest (P,) int64: zeros, overwritten.
    """
    for b in range(len(words)):  # without their signs, bits are ordered as their numbers are
        for p in range(len(out)):
            largest[p] = max(largest[p], words[b, p] & MAGNITUDE)
    for p in range(len(out)):
        e, rest = largest[p] >> 52, largest[p]
        if e == 0x7FF:
            out[p] = nonfinite
        elif e > 0:
            out[p] = e - 1022
        elif rest == 0:
            out[p] = zero
        else:
            e = -1074
            while rest > 0:
                e, rest = e + 1, rest >> 1
            out[p] = e


@compiled
def unscaled(total, inverse, lower, exponent, nonfinite, out):
    """out (P,) = the numbers that total (limbs, P) of add_shares stands for, inverse = 1/factor and
    lower = 1/limit; NaN where the exponent is that mark.
    """
    for p in range(len(out)):
        value = total[0, p] * inverse[p]
        if len(total) > 1:
            value += total[1, p] * (inverse[p] * lower)
        out[p] = np.nan if exponent[p] == nonfinite else value
