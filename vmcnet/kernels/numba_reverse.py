"""Adjoint times slope of a layer, and its sums, in one compiled pass; float32 and float64.

The slope is a polynomial c_0 + y (c_1 + c_2 y), y = f(x): tanh and the logistic function need not
keep their slopes; where y is a slope that was kept, the polynomial is y.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, Emitter

LONG = 4  # vectors of a row that go by together


def block_slopes(bits: int, vectors: int):
    """slopes(adjoint, at_adjoint, down_adjoint, left, at_left, down_left, y, at, down, form, rows,
    out, sums, at_sums) for compiled code: out = left adjoint f', `rows` rows of `vectors` vectors;
    sums = their sums over the rows, one after the other from 0. y and out begin at element `at`
    and are `down` elements apart, `left` has one number a row; form: c_0, c_1, c_2 of f'.
    """

    @intrinsic
    def slopes(
        context,
        adjoint,
        at_adjoint,
        down_adjoint,
        left,
        at_left,
        down_left,
        y,
        at,
        down,
        form,
        rows,
        out,
        sums,
        at_sums,
    ):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            first, factor = emit.start(0, 1), emit.start(3, 4)
            kept, to, coefficients = emit.start(6, 7), emit.start(11, 7), emit.start(9)
            c = [emit.repeated(builder.load(emit.place(coefficients, k))) for k in range(3)]

            def products(k):
                row = emit.place(first, builder.mul(k, args[2]))
                left = emit.repeated(builder.load(emit.place(factor, builder.mul(k, args[5]))))
                here, there = (emit.place(p, builder.mul(k, args[8])) for p in (kept, to))
                for j in range(vectors):
                    a, y = (emit.load(emit.place(p, j * emit.lanes)) for p in (row, here))
                    slope = emit.fma(y, emit.fma(y, c[2], c[1]), c[0])
                    d = builder.fmul(builder.fmul(left, a), slope)
                    emit.store(d, emit.place(there, j * emit.lanes))
                    yield (d,)

            found, total = emit.chains(vectors, args[10], products), emit.start(12, 13)
            for j, z in enumerate(found):
                emit.store(z, emit.place(total, j * emit.lanes))
            return context.get_dummy_value()

        n = types.intp
        arguments = adjoint, n, n, left, n, n, y, n, n, form, n, out, sums, n
        return types.void(*arguments), generate

    return slopes


long_slopes, short_slopes = block_slopes(BITS, LONG), block_slopes(BITS, 1)


def in_place(width: int, itemsize: int) -> bool:
    """Whether layer_reverse may write into y: no vectors overlap."""
    lanes = BITS // (8 * itemsize)
    return width % (LONG * lanes if width >= LONG * lanes else lanes) == 0 or width < lanes


@compiled
def layer_reverse(adjoint, left, y, form, out, b):
    """out = left adjoint f' (M, F) and b (B, F) its sums over the rows of B runs, in their order;
    adjoint (M, F) or one row for all (1, F), left (M,) or one number for all (1,). out may be y
    where `in_place` says so.
    """
    width, rows = out.shape[1], out.shape[0] // b.shape[0]
    lanes = BITS // (8 * out.itemsize)
    down, step = width if adjoint.shape[0] > 1 else 0, 1 if left.size > 1 else 0
    for n in range(b.shape[0]):
        top = n * rows
        if width >= lanes and rows:
            long = width >= LONG * lanes
            wide = LONG * lanes if long else lanes
            for column in range(0, width, wide):
                j = min(column, width - wide)  # the last vectors overlap those before them
                if long:
                    long_slopes(
                        adjoint,
                        top * down + j,
                        down,
                        left,
                        top * step,
                        step,
                        y,
                        top * width + j,
                        width,
                        form,
                        rows,
                        out,
                        b,
                        n * width + j,
                    )
                else:
                    short_slopes(
                        adjoint,
                        top * down + j,
                        down,
                        left,
                        top * step,
                        step,
                        y,
                        top * width + j,
                        width,
                        form,
                        rows,
                        out,
                        b,
                        n * width + j,
                    )
            continue
        total = b[n]
        for f in range(width):
            total[f] = 0
        for w in range(top, top + rows):
            for f in range(width):
                a = left[w * step] * adjoint[w if down else 0, f]
                d = a * (form[0] + y[w, f] * (form[1] + form[2] * y[w, f]))
                out[w, f] = d
                total[f] += d
