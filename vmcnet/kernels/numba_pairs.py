"""Pairs onto particles, and messages: values, jets and the way back. Every walker by itself, in the
order of the pairs, so that a walker's bits do not depend on how many come with it.

Slots of e and g, (S, W, P, F): S = 2 d + 2, derivatives with respect to both particles of a pair;
or S = d + 2, those with respect to r_i - r_j. The result (n d + 2, W, n, F) is overwritten.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def collect(first, second, i, j, d, out):
    """out_i += first_p, out_j += second_p for every pair p = (i, j)."""
    last, top, features = first.shape[0] - 1, out.shape[0] - 1, out.shape[3]
    apart = last == d + 1
    for c in range(top + 1):
        for w in range(out.shape[1]):
            out[c, w] = 0
    for w in range(out.shape[1]):
        for p in range(len(i)):
            a, b = i[p], j[p]
            _add(first[0, w, p], out[0, w, a], features)
            _add(second[0, w, p], out[0, w, b], features)
            _add(first[last, w, p], out[top, w, a], features)
            _add(second[last, w, p], out[top, w, b], features)
            if apart:
                _add(first[last, w, p], out[top, w, a], features)
                _add(second[last, w, p], out[top, w, b], features)
            for k in range(d):
                ca, cb = 1 + a * d + k, 1 + b * d + k
                _add(first[1 + k, w, p], out[ca, w, a], features)
                _add(second[1 + k, w, p], out[ca, w, b], features)
                if apart:
                    _subtract(first[1 + k, w, p], out[cb, w, a], features)
                    _subtract(second[1 + k, w, p], out[cb, w, b], features)
                else:
                    _add(first[1 + d + k, w, p], out[cb, w, a], features)
                    _add(second[1 + d + k, w, p], out[cb, w, b], features)


@compiled
def messages(e, g, v, i, j, d, out):
    """out_i += e_p v_j, out_j += g_p v_i for every pair p = (i, j); v (n d + 2, W, n, F)."""
    last, top, features = e.shape[0] - 1, out.shape[0] - 1, out.shape[3]
    apart = last == d + 1
    for w in range(out.shape[1]):
        e0, g0 = e[0, w], g[0, w]
        for c in range(top + 1):
            oc, vc = out[c, w], v[c, w]
            oc[:, :] = 0
            for p in range(len(i)):
                a, b = i[p], j[p]
                oa, ob, va, vb, ep, gp = oc[a], oc[b], vc[a], vc[b], e0[p], g0[p]
                for f in range(features):
                    oa[f] += ep[f] * vb[f]
                    ob[f] += gp[f] * va[f]
        for p in range(len(i)):
            a, b = i[p], j[p]
            va, vb, la, lb = v[0, w, a], v[0, w, b], out[top, w, a], out[top, w, b]
            el, gl = e[last, w, p], g[last, w, p]
            twice = e.dtype.type(2 if apart else 1)
            for f in range(features):
                la[f] += twice * el[f] * vb[f]
                lb[f] += twice * gl[f] * va[f]
            for k in range(d):
                qa, qb = 1 + a * d + k, 1 + b * d + k
                _place(e[1 + k, w, p], vb, v[qa, w, b], out[qa, w, a], la, features)
                _place(g[1 + k, w, p], va, v[qa, w, a], out[qa, w, b], lb, features)
                if apart:
                    _displace(e[1 + k, w, p], vb, v[qb, w, b], out[qb, w, a], la, features)
                    _displace(g[1 + k, w, p], va, v[qb, w, a], out[qb, w, b], lb, features)
                else:
                    _place(e[1 + d + k, w, p], vb, v[qb, w, b], out[qb, w, a], la, features)
                    _place(g[1 + d + k, w, p], va, v[qb, w, a], out[qb, w, b], lb, features)


@compiled
def _add(source, target, features):
    for f in range(features):
        target[f] += source[f]


@compiled
def _subtract(source, target, features):
    for f in range(features):
        target[f] -= source[f]


@compiled
def _place(slope, value, derivative, out, laplacian, features):
    """The terms of e_c v_0 in slot c and of 2 e_c v_c in the Laplacian."""
    for f in range(features):
        out[f] += slope[f] * value[f]
        laplacian[f] += (slope[f] + slope[f]) * derivative[f]


@compiled
def _displace(slope, value, derivative, out, laplacian, features):
    """The same with -e_c."""
    for f in range(features):
        out[f] -= slope[f] * value[f]
        laplacian[f] -= (slope[f] + slope[f]) * derivative[f]


@compiled
def message_values(e, g, v, i, j, out):
    """The values alone: e, g (W, P, F), v and out (W, n, F)."""
    features = out.shape[2]
    for w in range(out.shape[0]):
        ow, vw, ew, gw = out[w], v[w], e[w], g[w]
        ow[:, :] = 0
        for p in range(len(i)):
            oa, ob, va, vb, ep, gp = ow[i[p]], ow[j[p]], vw[i[p]], vw[j[p]], ew[p], gw[p]
            for f in range(features):
                oa[f] += ep[f] * vb[f]
                ob[f] += gp[f] * va[f]


@compiled
def message_adjoints(adjoint, e, g, v, i, j, de, dg, dv):
    """de_p = adj_i v_j, dg_p = adj_j v_i, dv_j += adj_i e_p, dv_i += adj_j g_p; dv is zeroed."""
    features = v.shape[2]
    for w in range(v.shape[0]):
        dvw, vw, aw = dv[w], v[w], adjoint[w]
        dvw[:, :] = 0
        for p in range(len(i)):
            a, b = i[p], j[p]
            oa, ob, va, vb, ta, tb = aw[a], aw[b], vw[a], vw[b], dvw[a], dvw[b]
            ep, gp, dep, dgp = e[w, p], g[w, p], de[w, p], dg[w, p]
            for f in range(features):
                dep[f] = oa[f] * vb[f]
                dgp[f] = ob[f] * va[f]
                tb[f] += oa[f] * ep[f]
                ta[f] += ob[f] * gp[f]


@compiled
def residual(z, t, h, y, slope, curvature):
    """z (S, M) <- h + the jet of f, whose argument has the slots z + t above the value; y, f' and
    f'' (M,). No t: an array of no slots.
    """
    last, size, tile = z.shape[0] - 1, z.shape[1], 512
    squares = np.empty(tile, z.dtype)
    for start in range(0, size, tile):
        stop = min(start + tile, size)
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
