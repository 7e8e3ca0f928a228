"""Ewald energies of charges in a periodic box, a tile of walkers at a time.

exp(i G.r) is a product over axes of powers of exp(2 pi i x/L); walkers are innermost, so that the
sums over particles keep their order while the compiler fills its vectors.
"""

from __future__ import annotations

from math import cos, erfc, floor, pi, sin, sqrt

import numpy as np

from vmcnet.kernels.compiled import compiled

TILE = 16  # walkers


@compiled
def short_range(r, lengths, charges, kappa):
    """sum_{i<j} q_i q_j sum of erfc(kappa |x|)/|x| over the images x of r_i - r_j up to the
    shortest length; r (n, d).
    """
    n, d = r.shape
    x, limit, total = np.empty((d, 2)), 0.0, 0.0
    limit = lengths[0]
    for a in range(1, d):
        limit = min(limit, lengths[a])
    limit = limit * limit
    for i in range(n):
        for j in range(i + 1, n):
            for a in range(d):
                t = (r[i, a] - r[j, a]) / lengths[a]
                t = (t - floor(t)) * lengths[a]
                x[a, 0] = t * t
                x[a, 1] = (t - lengths[a]) * (t - lengths[a])
            part = 0.0
            for image in range(1 << d):
                square = 0.0
                for a in range(d):
                    square += x[a, (image >> a) & 1]
                if square < limit:
                    distance = sqrt(square)
                    part += erfc(kappa * distance) / distance
            total += charges[i] * charges[j] * part
    return total


@compiled
def ewald(r, lengths, charges, kappa, top, rows, starts, last, weight, out):
    """out (W,) = short-range sum + 1/2 sum_G weight_G (|sum_i q_i exp(i G.r_i)|^2 - sum_i q_i^2).

    r (W, n, d) float64, lengths (d,), charges (n,). The wave vectors: row k has the integers
    rows[k] (d - 1,) of all axes but the last, and those of the last axis are last[starts[k]:
    starts[k + 1]]; all within -top .. top; weight as last.
    """
    walkers, n, d = r.shape
    squares = 0.0
    for i in range(n):
        squares += charges[i] * charges[i]
    c, s = np.empty((d, 2 * top + 1, n, TILE)), np.empty((d, 2 * top + 1, n, TILE))
    u, v = np.empty((n, TILE)), np.empty((n, TILE))
    real, imaginary, total = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for start in range(0, walkers, TILE):
        size = min(TILE, walkers - start)
        for a in range(d):
            for i in range(n):
                for t in range(TILE):
                    w = start + min(t, size - 1)  # a last tile is filled up by its last walker
                    x = 2.0 * pi * r[w, i, a] / lengths[a]
                    c[a, top, i, t], s[a, top, i, t] = 1.0, 0.0
                    c[a, top + 1, i, t], s[a, top + 1, i, t] = cos(x), sin(x)
        for a in range(d):
            for m in range(1, top + 1):
                for i in range(n):
                    c1, s1 = c[a, top + 1, i], s[a, top + 1, i]
                    c2, s2 = c[a, top + m - 1, i], s[a, top + m - 1, i]
                    c3, s3 = c[a, top + m, i], s[a, top + m, i]
                    c4, s4 = c[a, top - m, i], s[a, top - m, i]
                    for t in range(TILE):
                        if m > 1:
                            c3[t] = c2[t] * c1[t] - s2[t] * s1[t]
                            s3[t] = c2[t] * s1[t] + s2[t] * c1[t]
                        c4[t] = c3[t]
                        s4[t] = -s3[t]
        for t in range(TILE):
            total[t] = 0.0
        for k in range(len(rows)):
            for i in range(n):
                cx, sx = c[0, top + rows[k, 0], i], s[0, top + rows[k, 0], i]
                q = charges[i]
                if d == 3:
                    cy, sy = c[1, top + rows[k, 1], i], s[1, top + rows[k, 1], i]
                    for t in range(TILE):
                        u[i, t] = q * (cx[t] * cy[t] - sx[t] * sy[t])
                        v[i, t] = q * (cx[t] * sy[t] + sx[t] * cy[t])
                else:
                    for t in range(TILE):
                        u[i, t] = q * cx[t]
                        v[i, t] = q * sx[t]
            for g in range(starts[k], starts[k + 1]):
                cz, sz = c[d - 1, top + last[g]], s[d - 1, top + last[g]]
                for t in range(TILE):
                    real[t] = 0.0
                    imaginary[t] = 0.0
                for i in range(n):
                    for t in range(TILE):
                        real[t] += u[i, t] * cz[i, t] - v[i, t] * sz[i, t]
                        imaginary[t] += u[i, t] * sz[i, t] + v[i, t] * cz[i, t]
                for t in range(TILE):
                    square = real[t] * real[t] + imaginary[t] * imaginary[t]
                    total[t] += weight[g] * (square - squares)
        for t in range(size):
            short = short_range(r[start + t], lengths, charges, kappa)
            out[start + t] = short + 0.5 * total[t]
