"""Elementwise rules of jets and of the tape in one pass; flat arrays, any support.

A tile of walkers' entries stays in the first-level cache while the slots stream through it once.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled

TILE = 512


@compiled
def chain(slots, y, slope, curvature):
    """In place: slot 0 y, derivatives f' j_c, Laplacian f' j_L + f'' sum_c j_c^2; slots (S, M), the
    rest (M,).
    """
    last, size = slots.shape[0] - 1, slots.shape[1]
    squares = np.empty(TILE, slots.dtype)
    for start in range(0, size, TILE):
        stop = min(start + TILE, size)
        f1, f2, value = (
            slope[start:stop],
            curvature[start:stop],
            y[start:stop],
        )  # slices: indices from 0 are what the compiler vectorises
        total, row = squares[: stop - start], slots[0, start:stop]
        for m in range(len(f1)):
            total[m] = 0
            row[m] = value[m]
        for c in range(1, last):
            row = slots[c, start:stop]
            for m in range(len(f1)):
                j = row[m]
                total[m] += j * j
                row[m] = f1[m] * j
        row = slots[last, start:stop]
        for m in range(len(f1)):
            row[m] = f1[m] * row[m] + f2[m] * total[m]


@compiled
def scatter_pairs(first, second, i, j, out):
    """out (n, L, F): particle i[p] gets first[:, p], j[p] gets second[:, p], both (L, P, F), in the
    order of the pairs.
    """
    for row in range(out.shape[1]):
        for k in range(out.shape[0]):
            for f in range(out.shape[2]):
                out[k, row, f] = 0
        for p in range(len(i)):
            a, b = out[i[p], row], out[j[p], row]
            for f in range(out.shape[2]):
                a[f] += first[row, p, f]
            for f in range(out.shape[2]):
                b[f] += second[row, p, f]


@compiled
def product(p, q, out):
    """out = p q by the rule of jets; all (S, M)."""
    last, size = p.shape[0] - 1, p.shape[1]
    squares = np.empty(TILE, p.dtype)
    two = p.dtype.type(2)
    for start in range(0, size, TILE):
        stop = min(start + TILE, size)
        p0, q0, total = p[0, start:stop], q[0, start:stop], squares[: stop - start]
        for m in range(len(p0)):
            total[m] = 0
        for c in range(1, last):
            pc, qc, row = p[c, start:stop], q[c, start:stop], out[c, start:stop]
            for m in range(len(p0)):
                total[m] += pc[m] * qc[m]
                row[m] = p0[m] * qc[m] + q0[m] * pc[m]
        pc, qc, row, first = (
            p[last, start:stop],
            q[last, start:stop],
            out[last, start:stop],
            out[0, start:stop],
        )
        for m in range(len(p0)):
            row[m] = p0[m] * qc[m] + q0[m] * pc[m] + two * total[m]
            first[m] = p0[m] * q0[m]


@compiled
def chain_linear(jacobian, y, slope, curvature, squares, out):
    """The same for derivatives J (C, F) that all W walkers share, Laplacian 0; y ... (W, F),
    squares (F,) zeros, out (C + 2, W, F).
    """
    last = jacobian.shape[0] + 1
    for c in range(last - 1):
        for f in range(len(squares)):
            squares[f] += jacobian[c, f] * jacobian[c, f]
    for w in range(y.shape[0]):
        for f in range(y.shape[1]):
            out[0, w, f] = y[w, f]
            out[last, w, f] = curvature[w, f] * squares[f]
    for c in range(last - 1):
        for w in range(y.shape[0]):
            for f in range(y.shape[1]):
                out[c + 1, w, f] = slope[w, f] * jacobian[c, f]


@compiled
def applied(x, y, first, second, out):
    """out (S, M, K), the slots of K functions of x (S, M, d): values y (M, K), derivatives first
    (d, M, K) and second (d (d + 1)/2, M, K).
    """
    last, d, functions = x.shape[0] - 1, x.shape[2], y.shape[1]
    metric = np.empty((d, d), x.dtype)
    for m in range(x.shape[1]):
        for a in range(d):
            for b in range(a, d):
                metric[a, b] = 0
        for c in range(1, last):
            point = x[c, m]
            for a in range(d):
                for b in range(a, d):
                    metric[a, b] += point[a] * point[b]
        row = out[0, m]
        for k in range(functions):
            row[k] = y[m, k]
        for c in range(1, last + 1):
            row, point = out[c, m], x[c, m]
            for k in range(functions):
                row[k] = 0
            for a in range(d):
                f, t = first[a, m], point[a]
                for k in range(functions):
                    row[k] += f[k] * t
        row, ab = out[last, m], 0
        for a in range(d):
            for b in range(a, d):
                f, t = second[ab, m], metric[a, b] if a == b else 2 * metric[a, b]
                for k in range(functions):
                    row[k] += f[k] * t
                ab += 1


@compiled
def residual(z, t, h, y, slope, curvature):
    """z (S, M) <- h + the jet of f, whose argument has the slots z + t above the value; y, f' and
    f'' (M,). No t: an array of no slots.
    """
    last, size = z.shape[0] - 1, z.shape[1]
    squares = np.empty(TILE, z.dtype)
    for start in range(0, size, TILE):
        stop = min(start + TILE, size)
        f1, f2, value, total = (
            slope[start:stop],
            curvature[start:stop],
            y[start:stop],
            squares[: stop - start],
        )
        row, old = z[0, start:stop], h[0, start:stop]
        for m in range(len(f1)):
            total[m] = 0
            row[m] = old[m] + value[m]
        for c in range(1, last):
            row, old = z[c, start:stop], h[c, start:stop]
            if len(t):
                more = t[c, start:stop]
                for m in range(len(f1)):
                    s = row[m] + more[m]
                    total[m] += s * s
                    row[m] = old[m] + f1[m] * s
            else:
                for m in range(len(f1)):
                    total[m] += row[m] * row[m]
                    row[m] = old[m] + f1[m] * row[m]
        row, old = z[last, start:stop], h[last, start:stop]
        if len(t):
            more = t[last, start:stop]
            for m in range(len(f1)):
                row[m] += more[m]
        for m in range(len(f1)):
            row[m] = old[m] + f1[m] * row[m] + f2[m] * total[m]
