"""Pair excitations: sparse forms of the ratios of either spin, and jets; every walker's sums in
the same order, whatever comes with it.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled

TILE = 16  # walkers at a time, the length of the innermost loop


@compiled
def form(a, b, first, second, number, out):
    """out (w,) += sum number a[first] b[second]."""
    p, q = np.zeros((a.shape[1], TILE), a.dtype), np.zeros((b.shape[1], TILE), b.dtype)
    total = np.zeros(TILE, out.dtype)
    for low in range(0, a.shape[0], TILE):
        width = min(TILE, a.shape[0] - low)
        for w in range(width):
            for k in range(a.shape[1]):
                p[k, w] = a[low + w, k]
            for k in range(b.shape[1]):
                q[k, w] = b[low + w, k]
        total[:] = 0
        for n in range(len(number)):
            x, y, z = number[n], p[first[n]], q[second[n]]
            for w in range(TILE):
                total[w] += x * y[w] * z[w]
        for w in range(width):
            out[low + w] += total[w]


@compiled
def gradient(a, b, first, second, number, to_a, to_b):
    """to_a, to_b += the derivatives of the form with respect to a and b."""
    for w in range(a.shape[0]):
        p, q, x, y = a[w], b[w], to_a[w], to_b[w]
        for n in range(len(number)):
            i, j = first[n], second[n]
            x[i] += number[n] * q[j]
            y[j] += number[n] * p[i]


@compiled
def classes(a, b, class_, first, second, value, out):
    """out (w, classes) += value a[first] b[second] in its class."""
    for w in range(a.shape[0]):
        p, q, x = a[w], b[w], out[w]
        for n in range(len(value)):
            x[class_[n]] += value[n] * p[first[n]] * q[second[n]]


@compiled
def change(back, ratio, a, v, m, t):
    """m = A^-1 A_c, t = A^-1 V_c - m R, of one walker and slot; the trace of m."""
    rows, columns = v.shape
    trace = ratio.dtype.type(0)
    for i in range(rows):
        x, y = m[i], t[i]
        for j in range(rows):
            x[j] = 0
        for k in range(columns):
            y[k] = 0
        for l in range(rows):
            f, source, other = back[i, l], a[l], v[l]
            for j in range(rows):
                x[j] += f * source[j]
            for k in range(columns):
                y[k] += f * other[k]
        for l in range(rows):
            f, other = x[l], ratio[l]
            for k in range(columns):
                y[k] -= f * other[k]
        trace += x[i]
    return trace


@compiled
def contracted(g, t):
    """sum g t of two matrices."""
    total = t.dtype.type(0)
    for i in range(g.shape[0]):
        x, y = g[i], t[i]
        for k in range(g.shape[1]):
            total += x[k] * y[k]
    return total


@compiled
def squares(m):
    """tr(m m)."""
    total = m.dtype.type(0)
    for i in range(m.shape[0]):
        total += m[i, i] * m[i, i]
        for j in range(i):
            total += 2 * m[i, j] * m[j, i]
    return total


@compiled
def turned(g, m, t, row):
    """sum g (m t); row (v,) is scratch."""
    total = t.dtype.type(0)
    for i in range(g.shape[0]):
        for k in range(g.shape[1]):
            row[k] = 0
        for l in range(g.shape[0]):
            f, source = m[i, l], t[l]
            for k in range(g.shape[1]):
                row[k] += f * source[k]
        x = g[i]
        for k in range(g.shape[1]):
            total += x[k] * row[k]
    return total


@compiled
def quadratic(p, q, first, second, number):
    """sum number p[first] q[second]."""
    total = p.dtype.type(0)
    for n in range(len(number)):
        total += number[n] * p[first[n]] * q[second[n]]
    return total


@compiled
def jet(
    bu, bd, ru, rd, gu, gd, au, vu, ad, vd, ui, uj, ux, pi, pj, px, qi, qj, qx, s, out
):  # inverses, ratios, dS/dR, slots of A and V of either spin; pairs and numbers of the three parts
    """out (S, w): the slots of the log of an excited determinant, slot 0 left alone."""
    last = au.shape[0] - 1
    mu, md = np.empty(bu.shape[1:], au.dtype), np.empty(bd.shape[1:], au.dtype)
    tu, td = np.empty(ru.shape[1:], au.dtype), np.empty(rd.shape[1:], au.dtype)
    flat_u, flat_d = tu.reshape(-1), td.reshape(-1)
    row = np.empty(ru.shape[2], au.dtype)
    for w in range(au.shape[1]):
        minus, more, length = s[w] * 0, s[w] * 0, s[w] * 0
        for c in range(1, last + 1):
            trace = change(bu[w], ru[w], au[c, w], vu[c, w], mu, tu)
            trace += change(bd[w], rd[w], ad[c, w], vd[c, w], md, td)
            first = contracted(gu[w], tu) + contracted(gd[w], td)
            if c < last:
                minus += squares(mu) + squares(md)
                more += quadratic(flat_u, flat_d, ui, uj, ux)
                more += quadratic(flat_u, flat_u, pi, pj, px)
                more += quadratic(flat_d, flat_d, qi, qj, qx)
                more -= turned(gu[w], mu, tu, row) + turned(gd[w], md, td, row)
                l = first / s[w]
                length += l * l
                out[c, w] = trace + l
            else:
                out[c, w] = trace - minus + (first + 2 * more) / s[w] - length
