"""Matrix products with few rows or columns, and sums of rows; float32 and float64, one thread.

As in numba_product every element of a product is the chain fma(a_ik, b_kj, sum) over k = 0, 1, ...,
and a sum depends on its row alone: no bits depend on how many rows there are.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import BITS, CHAIN, ROWS, VECTORS, Emitter, block_product

DOTS = 8  # rows that meet a column together
TALL = ROWS * VECTORS  # rows of a block whose columns are one vector
LONG = 4  # vectors of a row that meet a column together
tall_block, row_block = block_product(BITS, TALL, 1), block_product(BITS, 1, 1)
long_block = block_product(BITS, 1, LONG)


def block_dots(rows: int):
    """dots(x, at, down, column, steps, out, at_out) for compiled code: out = x v, `rows` rows that
    begin at element `at` of x and are `down` elements apart, CHAIN bytes of chains side by side,
    `steps` times; their sum by halves.
    """

    @intrinsic
    def dots(context, x, at, down, column, steps, out, at_out):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, 8 * CHAIN)
            first, second, to = emit.start(0, 1), emit.start(3), emit.start(5, 6)

            def factors(k):
                here = emit.times(emit.lanes, k)
                right = emit.load(emit.place(second, here))
                for i in range(rows):
                    yield emit.load(emit.place(first, emit.times(i, args[2]), here)), right

            added = emit.chains(rows, args[4], factors)
            for i, z in enumerate(added):
                builder.store(emit.halved(z), emit.place(to, i))
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, n, column, n, out, n), generate

    return dots


dots, dot = block_dots(DOTS), block_dots(1)


@compiled
def onto_column(x, column, out):
    """out (M,) = x v, x (M, F), v (F,), F a multiple of CHAIN bytes."""
    m, features = x.shape
    steps = features * x.itemsize // CHAIN
    row = 0
    while row < m:
        if m >= DOTS:
            i = min(row, m - DOTS)
            dots(x, i * features, features, column, steps, out, i)
            row = i + DOTS
        else:
            dot(x, row * features, features, column, steps, out, row)
            row += 1


@compiled
def multiply(a, b, out, products, transposed_a, transposed_b):
    """out (M, N) = a b of C-contiguous arrays, a (M, K) or its transpose (K, M), b (K, N) or its
    transpose (N, K); K, M, N >= 1. Of several `products` the rows of each array stand one product
    after the other. One vector of columns at a time, filled up with zeros.
    """
    m, n = out.shape[0] // products, out.shape[1]
    terms = a.size // out.shape[0]
    down_a, along_a = (1, m) if transposed_a else (terms, 1)
    lanes = BITS // (8 * out.itemsize)
    panel, found = np.empty(terms * lanes, out.dtype), np.empty(TALL * lanes, out.dtype)
    for p in range(products):
        for j in range(0, n, lanes):
            width = min(lanes, n - j)
            for k in range(terms):
                for q in range(lanes):
                    if q >= width:
                        panel[k * lanes + q] = 0
                    elif transposed_b:
                        panel[k * lanes + q] = b[p * n + j + q, k]
                    else:
                        panel[k * lanes + q] = b[p * terms + k, j + q]
            row = 0
            while row < m:
                rows = TALL if m >= TALL else 1
                i = min(row, m - rows)  # the last rows overlap those before: the same numbers
                start = p * m * terms + i * down_a
                if rows == TALL:
                    tall_block(a, start, down_a, along_a, panel, 0, lanes, terms, found, 0, lanes)
                else:
                    row_block(a, start, down_a, along_a, panel, 0, lanes, terms, found, 0, lanes)
                for r in range(rows):
                    for q in range(width):
                        out[p * m + i + r, j + q] = found[r * lanes + q]
                row = i + rows


@compiled
def column_products(x, y, out, products):
    """out (B F, 1) = x^T y of every product, x (B M, F), y (B M, 1), a row of x LONG vectors or
    more.
    """
    m, features = len(x) // products, x.shape[1]
    wide = LONG * BITS // (8 * x.itemsize)
    for p in range(products):
        for column in range(0, features, wide):
            j = min(column, features - wide)
            at = p * m * features + j
            long_block(y, p * m, 0, 1, x, at, features, m, out, p * features + j, 0)


@compiled
def row_sums(x, out):
    """out (M,) = the sums of the rows of x (M, F): eight chains side by side, then the rest."""
    features = x.shape[1]
    whole = features - features % 8
    for m in range(x.shape[0]):
        row, total = x[m], x.dtype.type(0)
        if whole:
            a, b, c, d = row[0], row[1], row[2], row[3]
            e, f, g, h = row[4], row[5], row[6], row[7]
            for k in range(8, whole, 8):
                a += row[k]
                b += row[k + 1]
                c += row[k + 2]
                d += row[k + 3]
                e += row[k + 4]
                f += row[k + 5]
                g += row[k + 6]
                h += row[k + 7]
            total = ((a + e) + (c + g)) + ((b + f) + (d + h))
        for k in range(whole, features):
            total += row[k]
        out[m] = total
