"""The Gram matrix of outer products of walkers in tiles of rows, centred; float32 and float64, one
thread.

Left factors that are all +1 or -1 are bits, as many in a word as a number has: l_i . l_j = K - 2
(bits that differ).
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, ROWS, VECTORS, Emitter, block
from vmcnet.kernels.numba_turn import turn

WIDE = VECTORS * BITS // 8  # bytes of a row of a block
# a whole number below one of these, put into its last bits, is added to it
LARGE = {32: 2.0**23, 64: 2.0**52}


def packed(signs, dtype=np.float64):
    """The words (W, K') of numbers (W, K) that are +1 or -1: bits, as numbers of this type."""
    bits, word = np.packbits(signs > 0, axis=1), np.dtype(dtype).itemsize
    out = np.zeros((len(bits), -(-bits.shape[1] // word) * word), np.uint8)
    out[:, : bits.shape[1]] = bits
    return out.view(dtype)


@intrinsic
def block_of_signs(
    context, a, at_a, down_a, along_a, b, at_b, down_b, terms, c, at_c, down_c, size, scale
):
    """block_product, times scale, of rows a and columns b whose `terms` words are `size` signs."""

    def generate(context, builder, signature, args):
        emit = Emitter(context, builder, signature, args, BITS)
        integers = ir.VectorType(ir.IntType(emit.size), emit.lanes)
        large = ir.Constant(emit.vector, [LARGE[emit.size]] * emit.lanes)
        count = f"llvm.ctpop.v{emit.lanes}i{emit.size}"
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
    arguments = [a, n, n, n, b, n, n, n, c, n, n, a.dtype, a.dtype]
    return types.void(*arguments), generate


def block_centred(added: bool):
    """block(a, at_a, down_a, along_a, b, at_b, down_b, terms, f, rows, at_rows, columns,
    at_columns, out, at_out, down_out) for compiled code: out = f (a b) - rows_i -
    columns_j, or out += that, the rows of f side by side; see block_product.
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
    """out (ceil(W / w), K, w) = the rows of x (W, K) turned, zeros beyond; w of WIDE bytes."""
    walkers, k = x.shape
    wide = WIDE // out.itemsize
    out[-1] = 0
    a, to = x.reshape(-1), out.reshape(-1)
    for w in range(0, walkers, wide):
        turn(a, w * k, k, min(wide, walkers - w), k, to, w * k, wide)


@compiled
def outer_products(left, right, lefts, rights, rows, columns, out, added, signs, scale):
    """out (n, w) = (l_i . l_j) (r_i . r_j) - rows_i - columns_j, or += that where it is `added`.

    left (M, K), right (M, H): l_i and r_i of the n walkers, M >= n a multiple of ROWS, rows (M,);
    lefts and rights those of all walkers, `turned`, and columns one number for each of them. Where
    `signs` is not 0 left factors are the `packed` words of so many signs, l_i . l_j times scale.
    """
    count, width = out.shape
    wide = WIDE // out.itemsize
    factors, edge = np.empty(ROWS * wide, out.dtype), np.empty(ROWS * wide, out.dtype)
    to, size, scale = out.reshape(-1), out.dtype.type(signs), out.dtype.type(scale)
    a, b, k, h = left.reshape(-1), right.reshape(-1), left.shape[1], right.shape[1]
    for j in range(0, width, wide):
        panel, other = lefts[j // wide].reshape(-1), rights[j // wide].reshape(-1)
        for i in range(0, count, ROWS):
            if signs:
                block_of_signs(a, i * k, k, 1, panel, 0, wide, k, factors, 0, wide, size, scale)
            else:
                block(a, i * k, k, 1, panel, 0, wide, k, factors, 0, wide)
            m, n, whole = min(ROWS, count - i), min(wide, width - j), i * width + j
            if m < ROWS or n < wide:
                centred(
                    b, i * h, h, 1, other, 0, wide, h, factors, rows, i, columns, j, edge, 0, wide
                )
                for r in range(m):
                    for q in range(n):
                        value = edge[r * wide + q]
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
                    wide,
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
                    wide,
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


@compiled
def add_to_tiles(left, right, lefts, rights, rows, columns, c, starts, tiles, side, *options):
    """outer_products of some tiles of `side` rows, of which tile t begins at element starts[t] of c
    and has side (t + 1) columns; rows beyond all walkers are zeros.
    """
    for t in tiles:
        i, width = slice(side * t, side * (t + 1)), side * (t + 1)
        out = c[starts[t] : starts[t] + side * width].reshape(side, width)
        outer_products(left[i], right[i], lefts, rights, rows[i], columns, out, *options)


@compiled
def scale_tiles(c, starts, tiles, side, size, scale, diagonal, squares):
    """The same tiles: scale_i T_ij scale_j left of the diagonal, `diagonal` (size,) on it, ones on
    it beyond, and zeros right of it; squares (tiles,) = the sum of the squares that the rows of a
    tile have in the whole matrix, elements left of the diagonal counted twice.
    """
    for n in range(len(tiles)):
        first, width = side * tiles[n], side * (tiles[n] + 1)
        at, total = starts[tiles[n]], np.zeros(width, c.dtype)
        squares[n] = 0
        for i in range(first, width):
            row = c[at + (i - first) * width : at + (i - first + 1) * width]
            row[i] = 1
            if i < size:
                left = scale[i]
                for j in range(i):
                    element = left * row[j] * scale[j]
                    total[j] += element * element
                    row[j] = element
                row[i] = diagonal[i]
                squares[n] += diagonal[i] * diagonal[i]
            else:
                row[:i] = 0
            row[i + 1 :] = 0
        squares[n] += 2 * total.sum()
