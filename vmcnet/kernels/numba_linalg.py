"""Determinants, inverses and Pfaffians of many small matrices; real and complex, one thread.

One matrix after the other, so that its bits do not depend on how many there are. The pivots of
`eliminate` and of `invert` are the same numbers: a logarithm has the same bits with the inverse and
without it, up to the contraction of a b + c to one rounding.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled, inlined

# a running product of pivots between these needs no logarithm: float32 reaches 1e-38
SMALL, LARGE = 1e-12, 1e12


@inlined
def _pivot(x, k, rows):
    """The row from k on with the largest entry of column k, exchanged with row k; that entry's
    size and the row.
    """
    p, big = k, abs(x[k, k])
    for i in range(k + 1, rows):
        size = abs(x[i, k])
        if size > big:
            p, big = i, size
    if p != k:
        for j in range(x.shape[1]):
            t = x[k, j]
            x[k, j] = x[p, j]
            x[p, j] = t
    return p, big


@compiled
def eliminate(a, sign, log):
    """sign (or phase) and log|det| (M,) of a (M, m, m), which is overwritten; sign 0 and log -inf
    where it is singular.
    """
    m = a.shape[1]
    for w in range(a.shape[0]):
        x = a[w]
        sign[w], log[w] = 1, 0
        product = sign[w]
        for k in range(m):
            p, big = _pivot(x, k, m)
            if big == 0:
                sign[w], log[w], product = 0, -np.inf, 1
                break
            if p != k:
                sign[w] = -sign[w]
            top = x[k]
            size = abs(product) * big
            if SMALL < size < LARGE:
                product = product * top[k]
            else:
                log[w] += np.log(abs(product))
                sign[w] *= product / abs(product)
                product = top[k]
            back = 1 / top[k]
            for i in range(k + 1, m):
                row = x[i]
                f = row[k] * back
                for j in range(k + 1, m):
                    row[j] -= f * top[j]
        if sign[w] != 0:
            log[w] += np.log(abs(product))
            sign[w] *= product / abs(product)


@compiled
def invert(a, sign, log):
    """The same, and a (M, m, m) becomes its inverse (Gauss and Jordan, in place): NaN where it is
    singular.
    """
    m = a.shape[1]
    swapped = np.empty(m, np.int64)
    for w in range(a.shape[0]):
        x = a[w]
        sign[w], log[w] = 1, 0
        product = sign[w]
        for k in range(m):
            p, big = _pivot(x, k, m)
            if big == 0:
                sign[w], log[w], product = 0, -np.inf, 1
                break
            swapped[k] = p
            if p != k:
                sign[w] = -sign[w]
            top = x[k]
            size = abs(product) * big
            if SMALL < size < LARGE:
                product = product * top[k]
            else:
                log[w] += np.log(abs(product))
                sign[w] *= product / abs(product)
                product = top[k]
            back = 1 / top[k]
            for i in range(m):
                if i != k:
                    row = x[i]
                    f = row[k] * back
                    row[k] = 0
                    for j in range(m):
                        row[j] -= f * top[j]
                    row[k] = -f
            top[k] = 1
            for j in range(m):
                top[j] *= back
        if sign[w] == 0:
            for i in range(m):
                for j in range(m):
                    x[i, j] = np.nan
            continue
        log[w] += np.log(abs(product))
        sign[w] *= product / abs(product)
        for n in range(m):
            k = m - 1 - n
            p = swapped[k]
            if p != k:
                for i in range(m):
                    t = x[i, k]
                    x[i, k] = x[i, p]
                    x[i, p] = t


@compiled
def traces(back, slots, out):
    """out (S, M): with M_s = back A_s, A (S, M, m, m) the slots of a jet: tr M_c, and in the last
    slot tr M_L - sum_c tr(M_c M_c); slot 0 is left alone.
    """
    last, m = slots.shape[0] - 1, slots.shape[2]
    x = np.empty((m, m), slots.dtype)
    for w in range(slots.shape[1]):
        inverse = back[w]
        squares = out[0, w] * 0
        for c in range(1, last):
            a = slots[c, w]
            trace = squares * 0
            for i in range(m):
                row = x[i]
                for j in range(m):
                    row[j] = 0
                for k in range(m):
                    f, source = inverse[i, k], a[k]
                    for j in range(m):
                        row[j] += f * source[j]
                trace += row[i]
            for i in range(m):
                squares += x[i, i] * x[i, i]
                for j in range(i):
                    squares += 2 * x[i, j] * x[j, i]
            out[c, w] = trace
        trace = squares * 0
        a = slots[last, w]
        for i in range(m):
            for k in range(m):
                trace += inverse[i, k] * a[k, i]
        out[last, w] = trace - squares


@compiled
def pfaffians(a, sign, log):
    """sign (or phase) and log|Pf| (M,) of antisymmetric a (M, m, m), m even, which is overwritten:
    elimination of two rows and columns at a time by the larger pivot (Parlett and Reid, BIT 10, 386
    (1970); Wimmer, ACM TOMS 38, 30 (2012), section 2).
    """
    m = a.shape[1]
    for w in range(a.shape[0]):
        x = a[w]
        sign[w], log[w] = 1, 0
        product = sign[w]
        for k in range(0, m, 2):
            p, big = k + 1, abs(x[k, k + 1])
            for j in range(k + 2, m):
                size = abs(x[k, j])
                if size > big:
                    p, big = j, size
            if big == 0:
                sign[w], log[w], product = 0, -np.inf, 1
                break
            if p != k + 1:
                sign[w] = -sign[w]
                for j in range(m):
                    t = x[k + 1, j]
                    x[k + 1, j] = x[p, j]
                    x[p, j] = t
                for i in range(m):
                    t = x[i, k + 1]
                    x[i, k + 1] = x[i, p]
                    x[i, p] = t
            top, under = x[k], x[k + 1]
            size = abs(product) * big
            if SMALL < size < LARGE:
                product = product * top[k + 1]
            else:
                log[w] += np.log(abs(product))
                sign[w] *= product / abs(product)
                product = top[k + 1]
            back = 1 / top[k + 1]
            for i in range(k + 2, m):
                row = x[i]
                f, g = top[i] * back, under[i] * back
                for j in range(k + 2, m):
                    row[j] += g * top[j] - f * under[j]
        if sign[w] != 0:
            log[w] += np.log(abs(product))
            sign[w] *= product / abs(product)
