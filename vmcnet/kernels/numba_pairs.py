"""Pairs onto particles, and messages: values, jets and the way back. Every walker by itself, in the
order of the pairs, so that a walker's bits do not depend on how many come with it.

Slots of e and g, (S, W, P, F): S = 2 d + 2, derivatives with respect to both particles of a pair;
or S = d + 2, those with respect to r_i - r_j. The result (n d + 2, W, n, F) is overwritten.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_product import REGISTERS, Emitter


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
    weights = np.zeros((out.shape[2], out.shape[2], BITS // (8 * e.itemsize)), e.dtype)
    for w in range(out.shape[1]):
        _received(e[0], g[0], v, i, j, w, weights, out)
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


def received_block(bits: int, rows: int):
    """block(weights, at, across, along, v, from_, down, terms, out, to, apart) for compiled code: a
    vector of features of `rows` receivers, out = sum_k weights_k v_k over the senders k.

    Weights of the receivers are `across`, of the senders `along` elements apart; the senders' rows
    of v `down`, the receivers' rows of the result `apart`.
    """

    @intrinsic
    def block(context, weights, at, across, along, v, from_, down, terms, out, to, apart):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            left, right, first = emit.start(0, 1), emit.start(4, 5), emit.start(8, 9)
            begin, loop, end = (
                builder.block,
                builder.append_basic_block("loop"),
                builder.append_basic_block("end"),
            )
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(emit.integer)
            sums = [builder.phi(emit.vector) for _ in range(rows)]
            value = emit.load(emit.place(right, builder.mul(k, args[6])))
            column = emit.place(left, builder.mul(k, args[3]))
            added = [
                emit.fma(emit.load(emit.place(column, emit.times(r, args[2]))), value, s)
                for r, s in enumerate(sums)
            ]
            following = builder.add(k, ir.Constant(emit.integer, 1))
            k.add_incoming(ir.Constant(emit.integer, 0), begin)
            k.add_incoming(following, loop)
            for s, later in zip(sums, added, strict=True):
                s.add_incoming(ir.Constant(emit.vector, None), begin)
                s.add_incoming(later, loop)
            builder.cbranch(builder.icmp_signed("<", following, args[7]), loop, end)
            builder.position_at_end(end)
            for r, total in enumerate(added):
                emit.store(total, emit.place(first, emit.times(r, args[10])))
            return context.get_dummy_value()

        n = types.intp
        return types.void(weights, n, n, n, v, n, n, n, out, n, n), generate

    return block


RECEIVERS = 4
BITS = REGISTERS[0] if REGISTERS else 0
block = received_block(BITS or 128, RECEIVERS)


@compiled
def _received(e, g, v, i, j, w, weights, out):
    """out_a = sum_b weights_ab v_b for slots of walker w, in the order of b: e, g (W, P, F), v and
    out (S, W, n, F); weights (n, n, lanes), 0 on its diagonal, holds a vector of features.
    """
    slots, walkers, n, features = v.shape
    lanes = weights.shape[2]
    ew, gw = e[w], g[w]
    if BITS and n >= RECEIVERS and features >= lanes:
        for start in range(0, features, lanes):
            f = min(start, features - lanes)  # the last one overlaps, and finds the same numbers
            for p in range(len(i)):
                to, back, x, y = weights[i[p], j[p]], weights[j[p], i[p]], ew[p], gw[p]
                for k in range(lanes):
                    to[k] = x[f + k]
                for k in range(lanes):
                    back[k] = y[f + k]
            for c in range(slots):
                at = (c * walkers + w) * n * features + f
                for row in range(0, n, RECEIVERS):
                    a = min(row, n - RECEIVERS)
                    block(
                        weights,
                        a * n * lanes,
                        n * lanes,
                        lanes,
                        v,
                        at,
                        features,
                        n,
                        out,
                        at + a * features,
                        features,
                    )
        return
    for c in range(slots):
        oc, vc = out[c, w], v[c, w]
        oc[:, :] = 0
        for p in range(len(i)):
            a, b = oc[i[p]], oc[j[p]]
            va, vb, ep, gp = vc[i[p]], vc[j[p]], ew[p], gw[p]
            for f in range(features):
                a[f] += ep[f] * vb[f]
            for f in range(features):
                b[f] += gp[f] * va[f]


@compiled
def message_values(e, g, v, i, j, out):
    """The values alone: e, g (W, P, F), v and out (1, W, n, F)."""
    weights = np.zeros((v.shape[2], v.shape[2], BITS // (8 * e.itemsize)), e.dtype)
    for w in range(out.shape[1]):
        _received(e, g, v, i, j, w, weights, out)


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
