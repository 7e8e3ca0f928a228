"""The Gram matrix of outer products of walkers in tiles of rows, centred; float64, one thread.

Left factors that are all +1 or -1 are bits, 64 a word: l_i . l_j = K - 2 (bits that differ).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, ROWS, VECTORS, Emitter, block
from vmcnet.kernels.numba_turn import turn

WIDE = VECTORS * BITS // 64  # columns of a block
LARGE = 2.0**52  # a whole number below it, in the last bits of its own, is their sum


def packed(signs):
    """The words (W, ceil(K / 64)) of numbers (W, K) that are +1 or -1: their bits as float64."""
    bits = np.packbits(signs > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.float64)


@intrinsic
def block_of_signs(
    context, a, at_a, down_a, along_a, b, at_b, down_b, terms, c, at_c, down_c, size, scale
):
    """block_product, times scale, of rows a and columns b whose `terms` words are `size` signs."""

    def generate(context, builder, signature, args):
        emit = Emitter(context, builder, signature, args, BITS)
        integers = ir.VectorType(emit.integer, emit.lanes)
        large, count = (
            ir.Constant(emit.vector, [LARGE] * emit.lanes),
            f"llvm.ctpop.v{emit.lanes}i64",
        )
        count = builder.module.globals.get(count) or ir.Function(
            builder.module, ir.FunctionType(integers, [integers]), count
        )

        def differing(left, right):
            left, right = (builder.bitcast(x, integers) for x in (left, right))
            bits = builder.call(count, [builder.xor(left, right)])
            whole = builder.or_(bits, builder.bitcast(large, integers))
            return builder.fsub(builder.bitcast(whole, emit.vector), large)

        size, scale = emit.repeated(args[11]), emit.repeated(args[12])
        for (i, j), z in emit.sums(ROWS, VECTORS, differing).items():
            place = emit.place(emit.start(8, 9), emit.times(i, args[10]), j * emit.lanes)
            emit.store(builder.fmul(builder.fsub(size, builder.fadd(z, z)), scale), place)
        return context.get_dummy_value()

    n = types.intp
    arguments = [a, n, n, n, b, n, n, n, c, n, n, types.float64, types.float64]
    return types.void(*arguments), generate


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
def outer_products(left, right, lefts, rights, rows, columns, out, added, signs, scale):
    """out (n, w) = (l_i . l_j) (r_i . r_j) - rows_i - columns_j, or += that where it is `added`.

    left (M, K), right (M, H): l_i and r_i of the n walkers, M >= n a multiple of ROWS, rows (M,);
    lefts and rights those of all walkers, `turned`, and columns one number for each of them. Where
    `signs` is not 0 left factors are the `packed` words of so many signs, l_i . l_j times scale.
    """
    count, width = out.shape
    factors, edge, to = np.empty(ROWS * WIDE), np.empty(ROWS * WIDE), out.reshape(-1)
    a, b, k, h = left.reshape(-1), right.reshape(-1), left.shape[1], right.shape[1]
    for j in range(0, width, WIDE):
        panel, other = lefts[j // WIDE].reshape(-1), rights[j // WIDE].reshape(-1)
        for i in range(0, count, ROWS):
            if signs:
                block_of_signs(
                    a, i * k, k, 1, panel, 0, WIDE, k, factors, 0, WIDE, float(signs), scale
                )
            else:
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
