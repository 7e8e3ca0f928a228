"""The counter-based generator Philox 4x64-10 compiled, word for word that of numpy.random.Philox;
its plain twin is philox.words.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled, inlined

M0, M1, W0, W1 = (
    np.uint64(k)
    for k in (0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
)
ROUNDS = 10


@intrinsic
def _high(typing, a, b):
    """The high word of the product of two words."""

    def code(context, builder, signature, arguments):
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(x, wide) for x in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), code


@inlined
def _group(a, b, c, d, k0, k1):
    for _ in range(ROUNDS):
        a, b, c, d = _high(M1, c) ^ b ^ k0, M1 * c, _high(M0, a) ^ d ^ k1, M0 * a
        k0 += W0
        k1 += W1
    return a, b, c, d


@compiled
def words(key, counters, start, out):
    """out (B, 4g) uint64: the words of groups start, start + 1, ... of B streams with one key (2,),
    counters (B, 4), uint64.
    """
    k0, k1 = key[0], key[1]
    for b in range(len(out)):
        c0, c1, c2, c3 = counters[b, 0], counters[b, 1], counters[b, 2], counters[b, 3]
        row = out[b]
        for g in range(row.size // 4):
            row[4 * g], row[4 * g + 1], row[4 * g + 2], row[4 * g + 3] = _group(
                c0 + np.uint64(1) + start + np.uint64(g), c1, c2, c3, k0, k1
            )
