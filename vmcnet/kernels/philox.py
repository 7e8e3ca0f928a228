"""The counter-based generator Philox 4x64-10 on whole arrays, word for word that of
numpy.random.Philox.

Salmon, Moraes, Dror, Shaw, SC11 (2011), doi:10.1145/2063384.2063405, section 3.3 and table 2 for
the constants.
"""

from __future__ import annotations

import numpy as np

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS, MASK = 10, 2**64 - 1


def _product(a: int, x):
    """High and low words of a x, x uint64: by halves of 32 bits."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1 = np.uint64(a & 0xFFFFFFFF), np.uint64(a >> 32)
    x0, x1 = x & low, x >> shift
    middle = a1 * x0 + (a0 * x0 >> shift)  # at most 2^64 - 2^32: no overflow
    other = a0 * x1 + (middle & low)
    return a1 * x1 + (middle >> shift) + (other >> shift), x * np.uint64(a)


def philox_words(xp, key, counter, first: int, count: int):
    """Words first .. first + count - 1 (uint64) of the stream with key (2,) and counter, four
    integers, in array code of the namespace xp; (B, count) of B streams with one key, whose
    counters are an array (B, 4) of xp.

    NumPy counts before it draws: group g of four words belongs to counter + 1 + g; the lowest word
    of the counter may not overflow.
    """
    start, stop = first // 4, -(-(first + count) // 4)
    zero = xp.arange(start, stop, dtype=np.uint64)
    one = (np.uint64(x) for x in counter) if isinstance(counter, tuple) else counter.T[..., None]
    a, b, c, d = (x + k * zero for x, k in zip(one, np.uint64([1, 0, 0, 0]), strict=True))
    a = a + np.uint64(1)
    k0, k1 = key
    for _ in range(ROUNDS):
        high_a, low_a = _product(MULTIPLIERS[0], a)
        high_c, low_c = _product(MULTIPLIERS[1], c)
        a, b, c, d = high_c ^ b ^ np.uint64(k0), low_c, high_a ^ d ^ np.uint64(k1), low_a
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    words = xp.stack([a, b, c, d], axis=-1).reshape(*a.shape[:-1], -1)
    return words[..., first - 4 * start : first - 4 * start + count]
