"""Matrix products of many rows with a small matrix, and the jet of a layer onto one column; float32
and float64, one thread.

Every element of a product here is the chain fma(a_ik, b_kj, sum) over k = 0, 1, ...: its bits
depend on its row and column alone, not on the shape around them, the width of the processor's
vectors or a library's choice of loops. ROWS x VECTORS vectors of the result stay in registers while
a column of a and a row of b go by; operands are read where they lie, and b is packed only where its
rows are not contiguous or lie so far apart that they displace each other in the first-level cache
(order of the loops: Goto and van de Geijn, ACM TOMS 34, 12 (2008)).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from vmcnet import kernels
from vmcnet.kernels.compiled import compiled

# rows of a product that meet all columns before the next ones come: they stay in the second-level
# cache
TILE = 240
JETS = 24576  # elements of one slot of a jet that meet all slots before the next ones come
FAR = 2048  # bytes between rows of b from which they are packed
PACKED = 2**17  # bytes of b up to which it is packed once, whole
CHAIN = 64  # bytes of interleaved chains in a sum over columns
# rows of a product and bytes of its rows: what a block has at most, on any processor
LEAST, WIDTH = 12, 128
# VMCNET_PRODUCTS=blas leaves all matrix products to the BLAS of NumPy.
OWN, BLAS = "own loops", "BLAS"
# versions of numba on which the tests of these loops passed; those of ranks on the last alone
TRIED = ("0.60", "0.61", "0.62", "0.63", "0.64", "0.65", "0.67", "0.68")


def registers(features: str):
    """Bits of a vector, rows and vectors of a block, from the target's features, "+avx2,+fma,...":
    24 sums in 32 registers, or 12 in 16.

    None without fused multiply and add. The features are those that numba compiles for, which are
    part of the key of its cache.
    """
    known = set(features.split(","))
    if "+avx512f" in known:
        return 512, 12, 2
    if {"+avx2", "+fma"} <= known:
        return 256, 6, 2
    return (128, 6, 4) if "+neon" in known else None


class Emitter:
    """Instructions of a block for one builder: vectors of `bits`, elements of the arrays' type."""

    def __init__(self, context, builder, signature, args, bits):
        self.context, self.builder, self._types, self._args = context, builder, signature.args, args
        self.size = signature.args[0].dtype.bitwidth
        self.lanes, self.integer = bits // self.size, ir.IntType(64)
        self.vector = ir.VectorType(
            ir.FloatType() if self.size == 32 else ir.DoubleType(), self.lanes
        )
        name = f"llvm.fma.v{self.lanes}f{self.size}"
        self._fma = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name
        )

    def start(self, array: int, offset: int | None = None):
        """Pointer to an element of an argument, the first unless told otherwise."""
        make = self.context.make_array(self._types[array])
        data = make(self.context, self.builder, self._args[array]).data
        return data if offset is None else self.place(data, self._args[offset])

    def place(self, pointer, *offsets):
        for offset in offsets:
            step = ir.Constant(self.integer, offset) if isinstance(offset, int) else offset
            pointer = self.builder.gep(pointer, [step])
        return pointer

    def times(self, number: int, stride):
        return self.builder.mul(ir.Constant(self.integer, number), stride)

    def load(self, pointer):
        loaded = self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()))
        loaded.align = self.size // 8
        return loaded

    def store(self, value, pointer):
        self.builder.store(value, self.builder.bitcast(pointer, self.vector.as_pointer())).align = (
            self.size // 8
        )

    def repeated(self, value):
        nothing, index = ir.Constant(self.vector, ir.Undefined), ir.IntType(32)
        one = self.builder.insert_element(nothing, value, ir.Constant(index, 0))
        return self.builder.shuffle_vector(
            one, nothing, ir.Constant(ir.VectorType(index, self.lanes), [0] * self.lanes)
        )

    def fma(self, a, b, c):
        return self.builder.call(self._fma, [a, b, c])

    def halved(self, total):
        """The sum of a vector's elements, by halves."""
        lanes, index = self.lanes, ir.IntType(32)
        while lanes > 1:
            lanes //= 2
            low, high = (
                ir.Constant(ir.VectorType(index, lanes), list(range(first, first + lanes)))
                for first in (0, lanes)
            )
            total = self.builder.fadd(
                self.builder.shuffle_vector(total, total, low),
                self.builder.shuffle_vector(total, total, high),
            )
        return self.builder.extract_element(total, ir.Constant(index, 0))

    def chains(self, count: int, terms, factors):
        """`count` vectors, each the chain fma(a, b, sum) over k = 0, 1, ... terms - 1 from 0;
        factors(k) gives the pairs (a, b), one after the other, or (a,) for a + sum; terms >= 1.
        """
        builder = self.builder
        begin, loop, end = (
            builder.block,
            builder.append_basic_block("loop"),
            builder.append_basic_block("end"),
        )
        builder.branch(loop)
        builder.position_at_end(loop)
        k, sums = builder.phi(self.integer), [builder.phi(self.vector) for _ in range(count)]
        added = [
            self.fma(*pair, z) if len(pair) == 2 else builder.fadd(*pair, z)
            for pair, z in zip(factors(k), sums, strict=True)
        ]
        following = builder.add(k, ir.Constant(self.integer, 1))
        k.add_incoming(ir.Constant(self.integer, 0), begin)
        k.add_incoming(following, loop)
        for z, later in zip(sums, added, strict=True):
            z.add_incoming(ir.Constant(self.vector, None), begin)
            z.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed("<", following, terms), loop, end)
        builder.position_at_end(end)
        return added

    def sums(self, rows: int, vectors: int, term=None):
        """The block sum_k a[i, k] b[k, j], (i, vector) -> vector, of arguments a, at_a, down_a,
        along_a, b, at_b, down_b, terms; with `term` the sum of term(a[i, k], b[k, j]).
        """
        builder, (_, _, down_a, along_a, _, _, down_b, terms, *_) = self.builder, self._args
        first_a, first_b = self.start(0, 1), self.start(4, 5)
        blocks = [(i, j) for i in range(rows) for j in range(vectors)]

        def terms_at(k):
            row, column = (
                self.place(first_b, builder.mul(k, down_b)),
                self.place(first_a, builder.mul(k, along_a)),
            )
            right = [self.load(self.place(row, j * self.lanes)) for j in range(vectors)]
            left = [
                self.repeated(builder.load(self.place(column, self.times(i, down_a))))
                for i in range(rows)
            ]
            for i, j in blocks:
                yield (term(left[i], right[j]),) if term else (left[i], right[j])

        return dict(zip(blocks, self.chains(len(blocks), terms, terms_at), strict=True))


def block_product(bits: int, rows: int, vectors: int, subtracted: bool = False):
    """block(a, at_a, down_a, along_a, b, at_b, down_b, terms, c, at_c, down_c) for compiled code: c
    = a b, or c -= a b where that is `subtracted`; `rows` rows, `vectors` vectors of columns.

    a begins at element at_a of its array, its rows are down_a and its columns along_a elements
    apart; b and c likewise, their columns side by side; terms >= 1.
    """

    @intrinsic
    def block(context, a, at_a, down_a, along_a, b, at_b, down_b, terms, c, at_c, down_c):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            sums, first = emit.sums(rows, vectors), emit.start(8, 9)
            for (i, j), z in sums.items():
                to = emit.place(first, emit.times(i, args[10]), j * emit.lanes)
                emit.store(builder.fsub(emit.load(to), z) if subtracted else z, to)
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, n, b, n, n, n, c, n, n), generate

    return block


def block_sums(bits: int, rows: int, vectors: int):
    """As block_product, but with z = a b every row of c gets c += sum_j f z, left in interleaved
    chains of CHAIN bytes, and squares += z^2.

    The factors f begin at element at_f, the squares at at_squares of their arrays; the rows of both
    are down_f elements apart.
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
        c,
        at_c,
        down_c,
        f,
        at_f,
        squares,
        at_squares,
        down_f,
    ):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            sums, first, factors, totals = (
                emit.sums(rows, vectors),
                emit.start(8, 9),
                emit.start(11, 12),
                emit.start(13, 14),
            )
            chains = CHAIN * 8 // bits
            for i in range(rows):
                row = emit.place(first, emit.times(i, args[10]))
                parts = [emit.load(emit.place(row, q * emit.lanes)) for q in range(chains)]
                for j in range(vectors):
                    z, offset = sums[i, j], (emit.times(i, args[15]), j * emit.lanes)
                    total = emit.place(totals, *offset)
                    emit.store(emit.fma(z, z, emit.load(total)), total)
                    parts[j % chains] = emit.fma(
                        emit.load(emit.place(factors, *offset)), z, parts[j % chains]
                    )
                for q, part in enumerate(parts):
                    emit.store(part, emit.place(row, q * emit.lanes))
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, n, b, n, n, n, c, n, n, f, n, squares, n, n), generate

    return block


@intrinsic
def chained(context, array, at):
    """The sum of CHAIN bytes of elements from `at` on, by halves."""

    def generate(context, builder, signature, args):
        emit = Emitter(context, builder, signature, args, 8 * CHAIN)
        return emit.halved(emit.load(emit.start(0, 1)))

    return array.dtype(array, types.intp), generate


REGISTERS = registers(cpu_target.target_context.codegen().magic_tuple()[2])
BITS, ROWS, VECTORS = REGISTERS or (128, 1, 4)


def chosen(environ: Mapping[str, str] = os.environ) -> str:
    """OWN or BLAS: what multiplies."""
    return OWN if kernels.route(environ) == "own" and REGISTERS else BLAS


HALF = max(1, ROWS // 2)  # rows of a block where no more are left
block, block_onto = block_product(BITS, ROWS, VECTORS), block_sums(BITS, ROWS, VECTORS)
half_block = block_product(BITS, HALF, VECTORS)


@compiled
def multiply(a, b, out, products, transposed_a, transposed_b):
    """out (M, N) = a b of C-contiguous arrays, a (M, K) or its transpose (K, M), b (K, N) or its
    transpose (N, K); of several `products` the rows of each array stand one product after the
    other. K >= 1, M >= LEAST, and a row of `out` has at least WIDTH bytes.
    """
    m, n = out.shape[0] // products, out.shape[1]
    terms = a.size // out.shape[0]
    down_a, along_a = (1, m) if transposed_a else (terms, 1)
    wide = VECTORS * BITS // (8 * out.itemsize)
    packed = transposed_b or n * out.itemsize >= FAR
    once = packed and terms * n * out.itemsize <= PACKED
    size = terms * wide
    panels = np.empty((1, (size * -(-n // wide) if once else size) if packed else 0), out.dtype)
    right, down_b = (panels, wide) if packed else (b, n)
    for p in range(products):
        for top in range(0, m, TILE):
            for column in range(0, n, wide):
                j = min(column, n - wide)  # the last block overlaps, and finds the same numbers
                at = p * terms * n + j
                if packed:
                    at, rows = column * terms if once else 0, 0 if once and top > 0 else terms
                    if transposed_b:
                        for q in range(wide):
                            for k in range(rows):
                                panels[0, at + k * wide + q] = b[p * n + j + q, k]
                    else:
                        for k in range(rows):
                            for q in range(wide):
                                panels[0, at + k * wide + q] = b[p * terms + k, j + q]
                for row in range(top, min(top + TILE, m), ROWS):
                    whole = m - row > HALF
                    i = min(row, m - ROWS) if whole else m - HALF
                    start, to = p * m * terms + i * down_a, (p * m + i) * n + j
                    if whole:
                        block(a, start, down_a, along_a, right, at, down_b, terms, out, to, n)
                    else:
                        half_block(a, start, down_a, along_a, right, at, down_b, terms, out, to, n)


@compiled
def _aligned(size, like):
    """An array of `size` elements that begins at a line of the cache: vectors across two lines take
    twice as long.
    """
    array = np.empty(size + CHAIN // like.itemsize, like.dtype)
    first = (-array.ctypes.data % CHAIN) // like.itemsize
    return array[first : first + size]


@compiled
def layer_onto(x, second, jacobian, weight, slope, curvature, column, out):
    """Slots 1 .. S-1 of f(x W + b) v, without the slots of the layer: sum_h v f' (j_c W), and sum_h
    v (f' (j_L W) + f'' sum_c (j_c W)^2).

    x (S M F,), the slots of x; or with jacobian (S - 1, F) not empty x and second (M F,): the
    derivatives j_c = x jacobian[c - 1], c = 1 .. S - 2, and
    the Laplacian j_L = second jacobian[S - 2]. weight (F, H); slope, curvature (M, H), f' and f'';
    column (H,), v; out (S, M).
    M >= LEAST, H a multiple of WIDTH bytes. For the Laplacian's own product, whose square nobody
    wants, `unused` takes the place of the squares.
    """
    m, h = slope.shape
    slots, terms, shared = out.shape[0], weight.shape[0], len(jacobian) > 0
    wide, chain = VECTORS * BITS // (8 * out.itemsize), CHAIN // out.itemsize
    most = max(1, min(JETS // (ROWS * h), -(-m // ROWS))) * ROWS
    factors, seconds, squares, unused = (
        _aligned(most * h, out),
        _aligned(most * h, out),
        _aligned(most * h, out),
        _aligned(most * h, out),
    )
    scaled, sums = _aligned(weight.size if shared else 0, out), _aligned(most * chain, out)
    unused[:] = 0
    begin = 0
    while begin < m:
        top = min(begin, m - ROWS)  # the last rows overlap those before them, and begin anew
        rows = min(most, (m - top) // ROWS * ROWS)
        begin = top + rows
        for r in range(rows):
            for e in range(h):
                factors[r * h + e] = slope[top + r, e] * column[e]
                seconds[r * h + e] = curvature[top + r, e] * column[e]
                squares[r * h + e] = 0
        for slot in range(1, slots):
            last = slot == slots - 1
            total, left = unused if last else squares, second if shared and last else x
            if shared:
                for k in range(terms):
                    value, row, to = jacobian[slot - 1, k], weight[k], scaled[k * h : (k + 1) * h]
                    for e in range(h):
                        to[e] = value * row[e]
            sums[:] = 0
            if last:
                for r in range(rows):
                    for start in range(r * h, (r + 1) * h, chain):
                        for q in range(chain):
                            sums[r * chain + q] += seconds[start + q] * squares[start + q]
            for j in range(0, h, wide):
                for r in range(0, rows, ROWS):
                    a, f = ((0 if shared else slot * m) + top + r) * terms, r * h + j
                    if shared:
                        block_onto(
                            left,
                            a,
                            terms,
                            1,
                            scaled,
                            j,
                            h,
                            terms,
                            sums,
                            r * chain,
                            chain,
                            factors,
                            f,
                            total,
                            f,
                            h,
                        )
                    else:
                        block_onto(
                            left,
                            a,
                            terms,
                            1,
                            weight,
                            j,
                            h,
                            terms,
                            sums,
                            r * chain,
                            chain,
                            factors,
                            f,
                            total,
                            f,
                            h,
                        )
            for r in range(rows):
                out[slot, top + r] = chained(sums, r * chain)
