"""Adjoint times slope of a layer, and its sums, in one compiled pass; float32 and float64."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, Emitter

LONG = 4  # vectors of a row that go by together


def block_slopes(bits: int, vectors: int):
    """slopes(adjoint, at, slope, down, rows, out, sums, at_sums) for compiled code: out = adjoint
    slope, `rows` rows of `vectors` vectors that begin at element `at` of all three and are `down`
    elements apart; sums = their sums over the rows, one after the other from 0.
    """

    @intrinsic
    def slopes(context, adjoint, at, slope, down, rows, out, sums, at_sums):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            first = [emit.start(k, 1) for k in (0, 2, 5)]

            def products(k):
                left, right, to = (emit.place(p, builder.mul(k, args[3])) for p in first)
                for j in range(vectors):
                    a, b = (emit.load(emit.place(p, j * emit.lanes)) for p in (left, right))
                    d = builder.fmul(a, b)
                    emit.store(d, emit.place(to, j * emit.lanes))
                    yield (d,)

            found, to = emit.chains(vectors, args[4], products), emit.start(6, 7)
            for j, z in enumerate(found):
                emit.store(z, emit.place(to, j * emit.lanes))
            return context.get_dummy_value()

        n = types.intp
        return types.void(adjoint, n, slope, n, n, out, sums, n), generate

    return slopes


def in_place(width: int, itemsize: int) -> bool:
    """Whether layer_reverse may write into the slope: no vectors overlap."""
    lanes = BITS // (8 * itemsize)
    return width % (LONG * lanes if width >= LONG * lanes else lanes) == 0 or width < lanes


long_slopes, short_slopes = block_slopes(BITS, LONG), block_slopes(BITS, 1)


@compiled
def layer_reverse(adjoint, slope, out, b):
    """out = adjoint slope (M, F) and b (B, F) its sums over the rows of B runs, in their order; out
    may be the slope where `in_place` says so.
    """
    width, rows = out.shape[1], out.shape[0] // b.shape[0]
    lanes = BITS // (8 * out.itemsize)
    for n in range(b.shape[0]):
        first = n * rows * width
        if width >= lanes and rows:
            long = width >= LONG * lanes
            step = LONG * lanes if long else lanes
            for column in range(0, width, step):
                j = min(column, width - step)  # the last vectors overlap those before them
                if long:
                    long_slopes(adjoint, first + j, slope, width, rows, out, b, n * width + j)
                else:
                    short_slopes(adjoint, first + j, slope, width, rows, out, b, n * width + j)
            continue
        total = b[n]
        total[:] = 0
        for w in range(n * rows, (n + 1) * rows):
            for f in range(width):
                d = adjoint[w, f] * slope[w, f]
                out[w, f] = d
                total[f] += d
