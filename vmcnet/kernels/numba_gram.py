"""The Gram matrix of outer products of walkers in tiles of rows, centred; float64, one thread."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, ROWS, VECTORS, Emitter, block
from vmcnet.kernels.numba_turn import turn

WIDE = VECTORS * BITS // 64  # columns of a block


def block_centred(added: bool):
    """block(a, at_a, down_a, along_a, b, at_b, down_b, terms, f, rows, at_rows, columns,
    at_columns, out, at_out, down_out) for compiled code, float64: out = f (a b) - rows_i -
    columns_j, or out += that, f (ROWS, WIDE) side by side; see block_product.
    """

    @intrinsic
    def block(
        context,
        a,
        at_a,
        down_a,
        along_a,
        b,
        at_b,
        down_b,
        terms,
        f,
        rows,
        at_rows,
        columns,
        at_columns,
        out,
        at_out,
        down_out,
    ):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, BITS)
            sums = emit.sums(ROWS, VECTORS)
            factors, first = emit.start(8), emit.start(13, 14)
            own, others = emit.start(9, 10), emit.start(11, 12)
            beside = [emit.load(emit.place(others, j * emit.lanes)) for j in range(VECTORS)]
            for i in range(ROWS):
                off = emit.repeated(builder.load(emit.place(own, i)))
                for j in range(VECTORS):
                    factor = emit.load(emit.place(factors, (i * VECTORS + j) * emit.lanes))
                    value = builder.fsub(builder.fmul(factor, sums[i, j]), off)
                    value = builder.fsub(value, beside[j])
                    to = emit.place(first, emit.times(i, args[15]), j * emit.lanes)
                    emit.store(builder.fadd(emit.load(to), value) if added else value, to)
            return context.get_dummy_value()

        n = types.intp
        arguments = [a, n, n, n, b, n, n, n, f, rows, n, columns, n, out, n, n]
        return types.void(*arguments), generate

    return block


centred, centred_onto = block_centred(False), block_centred(True)


@compiled
def turned(x, out):
    """out (ceil(W / WIDE), K, WIDE) = the rows of x (W, K) turned, zeros beyond."""
    walkers, k = x.shape
    out[-1] = 0
    a, to = x.reshape(-1), out.reshape(-1)
    for w in range(0, walkers, WIDE):
        turn(a, w * k, k, min(WIDE, walkers - w), k, to, w * k, WIDE)


@compiled
def outer_products(left, right, lefts, rights, rows, columns, out, added):
    """out (n, w) = (l_i . l_j) (r_i . r_j) - rows_i - columns_j, or += that where it is `added`.

    left (M, K), right (M, H): l_i and r_i of the n walkers, M >= n a multiple of ROWS, rows (M,);
    lefts and rights those of all walkers, `turned`, and columns one number for each of them.
    """
    count, width = out.shape
    factors, edge, to = np.empty(ROWS * WIDE), np.empty(ROWS * WIDE), out.reshape(-1)
    a, b, k, h = left.reshape(-1), right.reshape(-1), left.shape[1], right.shape[1]
    for j in range(0, width, WIDE):
        panel, other = lefts[j // WIDE].reshape(-1), rights[j // WIDE].reshape(-1)
        for i in range(0, count, ROWS):
            block(a, i * k, k, 1, panel, 0, WIDE, k, factors, 0, WIDE)
            m, n, whole = min(ROWS, count - i), min(WIDE, width - j), i * width + j
            if m < ROWS or n < WIDE:
                centred(
                    b, i * h, h, 1, other, 0, WIDE, h, factors, rows, i, columns, j, edge, 0, WIDE
                )
                for r in range(m):
                    for q in range(n):
                        value = edge[r * WIDE + q]
                        to[whole + r * width + q] = value + (
                            to[whole + r * width + q] if added else 0
                        )
            elif added:
                centred_onto(
                    b,
                    i * h,
                    h,
                    1,
                    other,
                    0,
                    WIDE,
                    h,
                    factors,
                    rows,
                    i,
                    columns,
                    j,
                    to,
                    whole,
                    width,
                )
            else:
                centred(
                    b,
                    i * h,
                    h,
                    1,
                    other,
                    0,
                    WIDE,
                    h,
                    factors,
                    rows,
                    i,
                    columns,
                    j,
                    to,
                    whole,
                    width,
                )
