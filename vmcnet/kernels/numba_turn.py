"""Transposes in registers; float32 and float64, one thread."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, Emitter


@intrinsic
def _square(context, c, at, down, out, to, along):
    """out = the transpose of a square of c, one vector wide; rows down and along elements apart."""

    def generate(context, builder, signature, args):
        emit = Emitter(context, builder, signature, args, BITS)
        first, place, lanes = emit.start(0, 1), emit.start(3, 4), emit.lanes
        rows = [emit.load(emit.place(first, emit.times(i, args[2]))) for i in range(lanes)]
        step, index = 1, ir.IntType(32)
        while step < lanes:  # swaps the squares of `step` beside the diagonal
            low = [j if not j & step else lanes + j - step for j in range(lanes)]
            high = [lanes + j if j & step else j + step for j in range(lanes)]
            masks = [ir.Constant(ir.VectorType(index, lanes), m) for m in (low, high)]
            for i in range(lanes):
                if not i & step:
                    pair = rows[i], rows[i + step]
                    rows[i], rows[i + step] = (builder.shuffle_vector(*pair, m) for m in masks)
            step *= 2
        for i, row in enumerate(rows):
            emit.store(row, emit.place(place, emit.times(i, args[5])))
        return context.get_dummy_value()

    n = types.intp
    return types.void(c, n, n, out, n, n), generate


@compiled
def turn(c, at, down, rows, terms, out, to, along):
    """out[to + q along + i] = c[at + i down + q], i < rows, q < terms."""
    lanes = BITS // (8 * c.itemsize)
    wide, long = rows - rows % lanes, terms - terms % lanes
    for q in range(0, long, lanes):
        for i in range(0, wide, lanes):
            _square(c, at + i * down + q, down, out, to + q * along + i, along)
    for i in range(rows):
        for q in range(long if i < wide else 0, terms):
            out[to + q * along + i] = c[at + i * down + q]
