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


def vector_update(bits: int, sign: int):
    """update(x, at_x, y, at_y, out, at_out) for compiled code: out += sign x y, one vector."""

    @intrinsic
    def update(context, x, at_x, y, at_y, out, at_out):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            to = emit.start(4, 5)
            left, right = emit.load(emit.start(0, 1)), emit.load(emit.start(2, 3))
            if sign < 0:
                left = builder.fneg(left)
            emit.store(emit.fma(left, right, emit.load(to)), to)
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, y, n, out, n), generate

    return update


def vector_sum(bits: int, sign: int):
    """add(x, at_x, out, at_out) for compiled code: out += sign x, one vector."""

    @intrinsic
    def add(context, x, at_x, out, at_out):
        def generate(context, builder, signature, args):
            emit = Emitter(context, builder, signature, args, bits)
            to, value = emit.start(2, 3), emit.load(emit.start(0, 1))
            total = emit.load(to)
            change = builder.fadd(total, value) if sign > 0 else builder.fsub(total, value)
            emit.store(change, to)
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, out, n), generate

    return add


RECEIVERS = 4
BITS = REGISTERS[0] if REGISTERS else 0
block = received_block(BITS or 128, RECEIVERS)
plus, minus = vector_update(BITS or 128, 1), vector_update(BITS or 128, -1)
add, subtract = vector_sum(BITS or 128, 1), vector_sum(BITS or 128, -1)


@compiled
def _plus(x, at_x, y, at_y, out, at_out, features):
    """out += x y over the features, of flat arrays from where they begin."""
    lanes = BITS // (8 * x.itemsize)
    f = 0
    if BITS:
        while f + lanes <= features:
            plus(x, at_x + f, y, at_y + f, out, at_out + f)
            f += lanes
    for k in range(f, features):
        out[at_out + k] += x[at_x + k] * y[at_y + k]


@compiled
def _minus(x, at_x, y, at_y, out, at_out, features):
    """out -= x y."""
    lanes = BITS // (8 * x.itemsize)
    f = 0
    if BITS:
        while f + lanes <= features:
            minus(x, at_x + f, y, at_y + f, out, at_out + f)
            f += lanes
    for k in range(f, features):
        out[at_out + k] -= x[at_x + k] * y[at_y + k]


@compiled
def _add(x, at_x, out, at_out, features):
    """out += x."""
    lanes = BITS // (8 * x.itemsize)
    f = 0
    if BITS:
        while f + lanes <= features:
            add(x, at_x + f, out, at_out + f)
            f += lanes
    for k in range(f, features):
        out[at_out + k] += x[at_x + k]


@compiled
def _subtract(x, at_x, out, at_out, features):
    """out -= x."""
    lanes = BITS // (8 * x.itemsize)
    f = 0
    if BITS:
        while f + lanes <= features:
            subtract(x, at_x + f, out, at_out + f)
            f += lanes
    for k in range(f, features):
        out[at_out + k] -= x[at_x + k]


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
def collect(first, second, i, j, d, shape, out):
    """out_i += first_p, out_j += second_p for every pair p = (i, j).

    Flat arrays; shape: S, W, P, n, F.
    """
    walkers, pairs = shape[1:3]
    out[:] = 0
    for w in range(walkers):
        for p in range(pairs):
            _collected(first, w * pairs + p, i[p], j[p], w, d, shape, out)
            _collected(second, w * pairs + p, j[p], i[p], w, d, shape, out)


@compiled
def _collected(x, row, a, b, w, d, shape, out):
    """What x of one pair, its row among those of all walkers, adds to the receiver a."""
    slots, walkers, pairs, n, features = shape
    slot, wide = walkers * pairs * features, walkers * n * features
    at, to = row * features, (w * n + a) * features
    top, last = (n * d + 1) * wide + to, at + (slots - 1) * slot
    apart = slots == d + 2
    _add(x, at, out, to, features)
    _add(x, last, out, top, features)
    if apart:
        _add(x, last, out, top, features)
    for k in range(d):
        own, other = (1 + a * d + k) * wide + to, (1 + b * d + k) * wide + to
        if not apart:
            # the slots of a pair are those of i, then those of j
            mine, its = (k, d + k) if a < b else (d + k, k)
            _add(x, at + (1 + mine) * slot, out, own, features)
            _add(x, at + (1 + its) * slot, out, other, features)
        elif a < b:
            _add(x, at + (1 + k) * slot, out, own, features)
            _subtract(x, at + (1 + k) * slot, out, other, features)
        else:
            _subtract(x, at + (1 + k) * slot, out, own, features)
            _add(x, at + (1 + k) * slot, out, other, features)


@compiled
def messages(e, g, v, i, j, d, out):
    """out_i += e_p v_j, out_j += g_p v_i for every pair p = (i, j); v (n d + 2, W, n, F)."""
    slots, walkers, pairs, features = e.shape
    n = v.shape[2]
    weights = np.zeros((n, n, BITS // (8 * e.itemsize)), e.dtype)
    cross = np.empty(n * features, e.dtype)
    for w in range(walkers):
        _received(e[0], g[0], v, i, j, w, weights, out)
    x, y, flat, to = e.reshape(-1), g.reshape(-1), v.reshape(-1), out.reshape(-1)
    slot, wide = walkers * pairs * features, walkers * n * features
    for w in range(walkers):
        cross[:] = 0
        top = (n * d + 1) * wide + w * n * features
        for p in range(pairs):
            at = (w * pairs + p) * features
            _sparse(x, at, slot, flat, i[p], j[p], w, n, d, slots, wide, to, cross, features)
            _sparse(y, at, slot, flat, j[p], i[p], w, n, d, slots, wide, to, cross, features)
        for f in range(n * features):
            to[top + f] += cross[f] + cross[f]


@compiled
def _sparse(x, at, slot, v, a, b, w, n, d, slots, wide, out, cross, features):
    """What the derivatives of the weight x of receiver a and sender b add: x_c v_0 in the slots of
    the pair and, in `cross`, half of what the Laplacian gains (but for x_L of a pair, whole in
    `out`).
    """
    receiver, sender = (w * n + a) * features, (w * n + b) * features
    last = at + (slots - 1) * slot
    apart = slots == d + 2
    if apart:
        _plus(x, last, v, sender, cross, a * features, features)
    else:
        _plus(x, last, v, sender, out, (n * d + 1) * wide + receiver, features)
    for k in range(d):
        own, other = (1 + a * d + k) * wide, (1 + b * d + k) * wide
        if not apart:
            mine, its = (k, d + k) if a < b else (d + k, k)
            mine, its = at + (1 + mine) * slot, at + (1 + its) * slot
            _plus(x, mine, v, sender, out, own + receiver, features)
            _plus(x, mine, v, own + sender, cross, a * features, features)
            _plus(x, its, v, sender, out, other + receiver, features)
            _plus(x, its, v, other + sender, cross, a * features, features)
        elif a < b:
            mine = at + (1 + k) * slot
            _plus(x, mine, v, sender, out, own + receiver, features)
            _plus(x, mine, v, own + sender, cross, a * features, features)
            _minus(x, mine, v, sender, out, other + receiver, features)
            _minus(x, mine, v, other + sender, cross, a * features, features)
        else:
            mine = at + (1 + k) * slot
            _minus(x, mine, v, sender, out, own + receiver, features)
            _minus(x, mine, v, own + sender, cross, a * features, features)
            _plus(x, mine, v, sender, out, other + receiver, features)
            _plus(x, mine, v, other + sender, cross, a * features, features)


@compiled
def own_messages(e, g, v, i, j, d, shape, out):
    """The same where v (d + 2, W, n, F) has the derivatives of its own particle alone.

    Flat arrays; shape: S, W, P, n, F.
    """
    walkers, pairs, n, features = shape[1:]
    cross = np.empty(n * features, e.dtype)
    out[:] = 0
    for w in range(walkers):
        cross[:] = 0
        for p in range(pairs):
            _alone(e, w * pairs + p, v, i[p], j[p], w, d, shape, out, cross)
            _alone(g, w * pairs + p, v, j[p], i[p], w, d, shape, out, cross)
        top = ((n * d + 1) * walkers + w) * n * features
        for f in range(n * features):
            out[top + f] += cross[f] + cross[f]


@compiled
def _alone(x, row, v, a, b, w, d, shape, out, cross):
    """What the weight x of receiver a and sender b adds, where v has its own derivatives alone."""
    slots, walkers, pairs, n, features = shape
    slot, wide = walkers * pairs * features, walkers * n * features
    at, receiver, sender = row * features, (w * n + a) * features, (w * n + b) * features
    last, top = at + (slots - 1) * slot, (n * d + 1) * wide + receiver
    apart = slots == d + 2
    _plus(x, at, v, sender, out, receiver, features)
    _plus(x, at, v, (d + 1) * wide + sender, out, top, features)
    if apart:
        _plus(x, last, v, sender, cross, a * features, features)
    else:
        _plus(x, last, v, sender, out, top, features)
    for k in range(d):
        own, other = (1 + a * d + k) * wide + receiver, (1 + b * d + k) * wide + receiver
        moved = (1 + k) * wide + sender
        _plus(x, at, v, moved, out, other, features)
        if not apart:
            mine, its = (k, d + k) if a < b else (d + k, k)
            mine, its = at + (1 + mine) * slot, at + (1 + its) * slot
            _plus(x, mine, v, sender, out, own, features)
            _plus(x, its, v, sender, out, other, features)
            _plus(x, its, v, moved, cross, a * features, features)
            continue
        its = at + (1 + k) * slot
        if a < b:
            _plus(x, its, v, sender, out, own, features)
            _minus(x, its, v, sender, out, other, features)
            _minus(x, its, v, moved, cross, a * features, features)
        else:
            _minus(x, its, v, sender, out, own, features)
            _plus(x, its, v, sender, out, other, features)
            _plus(x, its, v, moved, cross, a * features, features)


@compiled
def message_values(e, g, v, i, j, shape, out):
    """The values alone, flat: e, g (W, P, F), v and out (W, n, F); shape: W, P, n, F."""
    walkers, pairs, n, features = shape
    out[:] = 0
    for w in range(walkers):
        for p in range(pairs):
            at = (w * pairs + p) * features
            a, b = (w * n + i[p]) * features, (w * n + j[p]) * features
            _plus(e, at, v, b, out, a, features)
            _plus(g, at, v, a, out, b, features)


@compiled
def message_adjoints(adjoint, e, g, v, i, j, shape, de, dg, dv):
    """de_p = adj_i v_j, dg_p = adj_j v_i, dv_j += adj_i e_p, dv_i += adj_j g_p, flat."""
    walkers, pairs, n, features = shape
    de[:] = 0
    dg[:] = 0
    dv[:] = 0
    for w in range(walkers):
        for p in range(pairs):
            at = (w * pairs + p) * features
            a, b = (w * n + i[p]) * features, (w * n + j[p]) * features
            _plus(adjoint, a, v, b, de, at, features)
            _plus(adjoint, b, v, a, dg, at, features)
            _plus(adjoint, a, e, at, dv, b, features)
            _plus(adjoint, b, g, at, dv, a, features)


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
