"""Matrix products of many rows with a small matrix, float32 and float64, one thread.

Every element is the chain fma(a_ik, b_kj, sum) over k = 0, 1, ...: its bits depend on its row and column alone, not on the shape around them, the
width of the processor's vectors or a library's choice of loops. A block of ROWS x VECTORS vectors of the result stays in registers while a column of a
and a row of b go by; operands are read where they lie, and b is packed only where its rows are not contiguous or lie so far apart that
they fall onto each other in the first-level cache (the order of the loops follows Goto and van de Geijn, ACM TOMS 34, 12 (2008)).
"""

from __future__ import annotations

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled

TILE = 240                                 # rows that meet all columns before the next ones come: they stay in the second-level cache
FAR = 2048                                 # bytes between rows of b from which they are packed


def _registers():
    """Bits of a vector, rows and vectors of a block: 24 sums in 32 registers, or 12 in 16; None without fused multiply and add."""
    has = binding.get_host_cpu_features().get
    if has("avx512f"):
        return 512, 12, 2
    if has("avx2") and has("fma"):
        return 256, 6, 2
    return (128, 12, 2) if has("neon") else None


def block_product(bits: int, rows: int, vectors: int):
    """A function block(a, at_a, down_a, along_a, b, at_b, down_b, c, at_c, down_c, terms) for compiled code.

    c[i, j] = sum_k a[i, k] b[k, j] for `rows` rows and `vectors` vectors of columns, k < terms, terms >= 1; a begins at element at_a of its array,
    its rows are down_a and its columns along_a elements apart; b and c likewise, their columns side by side.
    """

    @intrinsic
    def block(context, a, at_a, down_a, along_a, b, at_b, down_b, c, at_c, down_c, terms):
        def generate(context, builder, signature, args):
            pointers = {k: context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 4, 7)}
            _, at_a, down_a, along_a, _, at_b, down_b, _, at_c, down_c, terms = args
            scalar, size = pointers[7].type.pointee, signature.args[7].dtype.bitwidth
            lanes, integer, nothing = bits // size, ir.IntType(64), ir.Undefined
            vector = ir.VectorType(scalar, lanes)
            name = f"llvm.fma.v{lanes}f{size}"
            fma = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
            blocks = [(i, j) for i in range(rows) for j in range(vectors)]

            def place(pointer, *offsets):
                for offset in offsets:
                    pointer = builder.gep(pointer, [ir.Constant(integer, offset) if isinstance(offset, int) else offset])
                return pointer

            def times(i, stride):
                return builder.mul(ir.Constant(integer, i), stride)

            def load(pointer):
                loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()))
                loaded.align = size // 8
                return loaded

            def repeated(value):
                one = builder.insert_element(ir.Constant(vector, nothing), value, ir.Constant(ir.IntType(32), 0))
                return builder.shuffle_vector(one, ir.Constant(vector, nothing), ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))

            first_a, first_b, first_c = place(pointers[0], at_a), place(pointers[4], at_b), place(pointers[7], at_c)
            begin, loop, end = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("end")
            builder.branch(loop)
            builder.position_at_end(loop)
            k, sums = builder.phi(integer), {ij: builder.phi(vector) for ij in blocks}
            row, column = place(first_b, builder.mul(k, down_b)), place(first_a, builder.mul(k, along_a))
            right = [load(place(row, j * lanes)) for j in range(vectors)]
            left = [repeated(builder.load(place(column, times(i, down_a)))) for i in range(rows)]
            added = {(i, j): builder.call(fma, [left[i], right[j], sums[i, j]]) for i, j in blocks}
            following = builder.add(k, ir.Constant(integer, 1))
            for phi, first, later in [(k, ir.Constant(integer, 0), following), *((sums[ij], ir.Constant(vector, None), added[ij]) for ij in blocks)]:
                phi.add_incoming(first, begin)
                phi.add_incoming(later, loop)
            builder.cbranch(builder.icmp_signed("<", following, terms), loop, end)
            builder.position_at_end(end)
            for i, j in blocks:
                pointer = place(first_c, times(i, down_c), j * lanes)
                builder.store(added[i, j], builder.bitcast(pointer, vector.as_pointer())).align = size // 8
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, n, b, n, n, c, n, n, n), generate

    return block


REGISTERS = _registers()
BITS, ROWS, VECTORS = REGISTERS or (128, 1, 1)
block = block_product(BITS, ROWS, VECTORS)


def columns(dtype) -> int:
    """Columns of a block."""
    return VECTORS * BITS // (8 * dtype.itemsize)


@compiled
def multiply(a, b, out, transposed_a, transposed_b):
    """out (M, N) = a b of C-contiguous arrays, a (M, K) or its transpose (K, M), b (K, N) or its transpose (N, K); K >= 1, M >= ROWS, N >= columns."""
    m, n = out.shape
    terms = a.size // m
    down_a, along_a = (1, m) if transposed_a else (terms, 1)
    wide = VECTORS * BITS // (8 * out.itemsize)
    packed = transposed_b or n * out.itemsize >= FAR
    panel = np.empty(terms * wide if packed else 0, out.dtype)
    for top in range(0, m, TILE):
        for column in range(0, n, wide):
            j = min(column, n - wide)               # the last block overlaps the one before it, and finds the same numbers
            if transposed_b:
                for q in range(wide):
                    for k in range(terms):
                        panel[k * wide + q] = b[j + q, k]
            elif packed:
                for k in range(terms):
                    for q in range(wide):
                        panel[k * wide + q] = b[k, j + q]
            for row in range(top, min(top + TILE, m), ROWS):
                i = min(row, m - ROWS)
                if packed:
                    block(a, i * down_a, down_a, along_a, panel, 0, wide, out, i * n + j, n, terms)
                else:
                    block(a, i * down_a, down_a, along_a, b, j, n, out, i * n + j, n, terms)
