"""Pairs onto particles, and messages, as jets. Every walker by itself, in the
order of the pairs, so that a walker's bits do not depend on how many come with it.

Slots of e and g, (S, W, P, F): S = 2 d + 2, derivatives with respect to both particles of a pair;
or S = d + 2, those with respect to r_i - r_j. The result (n d + 2, W, n, F) is overwritten.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from vmcnet.kernels.compiled import compiled, inlined
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

            def factors(k):
                value = emit.load(emit.place(right, builder.mul(k, args[6])))
                column = emit.place(left, builder.mul(k, args[3]))
                for r in range(rows):
                    yield emit.load(emit.place(column, emit.times(r, args[2]))), value

            added = emit.chains(rows, args[7], factors)
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


@inlined
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


@inlined
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


@inlined
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


@inlined
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
def _numbers(i, j, n):
    """The number of the pair of any two particles, (n, n)."""
    out = np.empty((n, n), np.int64)
    for p in range(len(i)):
        out[i[p], j[p]] = p
        out[j[p], i[p]] = p
    return out


# In what follows the slots of a particle's coordinates are made one after the other, since slots
# lie far apart and often a multiple of 4096 bytes: the derivative of a pair with respect to its
# particle q has the slot 1 + k, with a minus for displacements where q is the second one; of pairs
# 1 + d + k then.


@compiled
def collect(first, second, i, j, d, shape, out):
    """out_i += first_p, out_j += second_p for every pair p = (i, j).

    Flat arrays; shape: S, W, P, n, F.
    """
    slots, walkers, pairs, n, features = shape
    apart = slots == d + 2
    slot, wide, pair = walkers * pairs * features, walkers * n * features, _numbers(i, j, n)
    for w in range(walkers):
        base, top = w * n * features, (n * d + 1) * wide + w * n * features
        out[base : base + n * features] = 0
        out[top : top + n * features] = 0
        for p in range(pairs):
            at, a, b = (w * pairs + p) * features, i[p] * features, j[p] * features
            last = at + (slots - 1) * slot
            _add(first, at, out, base + a, features)
            _add(second, at, out, base + b, features)
            _add(first, last, out, top + a, features)
            _add(second, last, out, top + b, features)
        if apart:
            for f in range(top, top + n * features):
                out[f] += out[f]
        for c in range(n * d):
            q, k, row = c // d, c % d, (1 + c) * wide + base
            out[row : row + n * features] = 0
            for b in range(n):
                if b == q:
                    continue
                at = (w * pairs + pair[q, b]) * features
                if q < b:
                    at += (1 + k) * slot
                    _add(first, at, out, row + q * features, features)
                    _add(second, at, out, row + b * features, features)
                elif apart:
                    at += (1 + k) * slot
                    _subtract(second, at, out, row + q * features, features)
                    _subtract(first, at, out, row + b * features, features)
                else:
                    at += (1 + d + k) * slot
                    _add(second, at, out, row + q * features, features)
                    _add(first, at, out, row + b * features, features)


@compiled
def messages(e, g, v, i, j, d, out):
    """out_i += e_p v_j, out_j += g_p v_i for every pair p = (i, j); v (n d + 2, W, n, F)."""
    slots, walkers, pairs, features = e.shape
    n = v.shape[2]
    weights = np.zeros((n, n, BITS // (8 * e.itemsize)), e.dtype)
    for w in range(walkers):
        _received(e[0], g[0], v, i, j, w, weights, out)
    shape = slots, walkers, pairs, n, features
    _sparse(e.reshape(-1), g.reshape(-1), v.reshape(-1), i, j, d, shape, out.reshape(-1))


@compiled
def _laplacian(e, g, v, i, j, w, shape, out, top, cross):
    """e_L v_0 and g_L v_0 into the Laplacian; of displacements into `cross`, half of it."""
    slots, walkers, pairs, n, features = shape
    to, at = (cross, 0) if len(cross) else (out, top)
    for p in range(pairs):
        last = ((slots - 1) * walkers * pairs + w * pairs + p) * features
        a, b = i[p] * features, j[p] * features
        _plus(e, last, v, w * n * features + b, to, at + a, features)
        _plus(g, last, v, w * n * features + a, to, at + b, features)


@compiled
def _sparse(e, g, v, i, j, d, shape, out):
    """What the derivatives of the weights add: e_c v_0 in the slots of the pair, e_L v_0 and
    2 e_c v_c in the Laplacian. Flat arrays; shape: S, W, P, n, F.
    """
    slots, walkers, pairs, n, features = shape
    apart = slots == d + 2
    slot, wide, pair = walkers * pairs * features, walkers * n * features, _numbers(i, j, n)
    cross, none = np.empty(n * features, e.dtype), np.empty(0, e.dtype)
    for w in range(walkers):
        base, top = w * n * features, (n * d + 1) * wide + w * n * features
        cross[:] = 0
        _laplacian(e, g, v, i, j, w, shape, out, top, cross if apart else none)
        for c in range(n * d):
            q, k, row = c // d, c % d, (1 + c) * wide + base
            mine = q * features
            for b in range(n):
                if b == q:
                    continue
                at, its = (w * pairs + pair[q, b]) * features, b * features
                if q < b:
                    at += (1 + k) * slot
                    _plus(e, at, v, base + its, out, row + mine, features)
                    _plus(e, at, v, row + its, cross, mine, features)
                    _plus(g, at, v, base + mine, out, row + its, features)
                    _plus(g, at, v, row + mine, cross, its, features)
                elif apart:
                    at += (1 + k) * slot
                    _minus(g, at, v, base + its, out, row + mine, features)
                    _minus(g, at, v, row + its, cross, mine, features)
                    _minus(e, at, v, base + mine, out, row + its, features)
                    _minus(e, at, v, row + mine, cross, its, features)
                else:
                    at += (1 + d + k) * slot
                    _plus(g, at, v, base + its, out, row + mine, features)
                    _plus(g, at, v, row + its, cross, mine, features)
                    _plus(e, at, v, base + mine, out, row + its, features)
                    _plus(e, at, v, row + mine, cross, its, features)
        for f in range(n * features):
            out[top + f] += cross[f] + cross[f]


@compiled
def own_messages(e, g, v, i, j, d, shape, out):
    """The same where v (d + 2, W, n, F) has the derivatives of its own particle alone.

    Flat arrays; shape: S, W, P, n, F.
    """
    slots, walkers, pairs, n, features = shape
    apart = slots == d + 2
    slot, wide, pair = walkers * pairs * features, walkers * n * features, _numbers(i, j, n)
    cross, none = np.empty(n * features, e.dtype), np.empty(0, e.dtype)
    for w in range(walkers):
        base, top = w * n * features, (n * d + 1) * wide + w * n * features
        cross[:] = 0
        out[base : base + n * features] = 0
        out[top : top + n * features] = 0
        _laplacian(e, g, v, i, j, w, shape, out, top, cross if apart else none)
        for p in range(pairs):
            at, a, b = (w * pairs + p) * features, i[p] * features, j[p] * features
            last = (d + 1) * wide + base
            _plus(e, at, v, base + b, out, base + a, features)
            _plus(g, at, v, base + a, out, base + b, features)
            _plus(e, at, v, last + b, out, top + a, features)
            _plus(g, at, v, last + a, out, top + b, features)
        for c in range(n * d):
            q, k, row = c // d, c % d, (1 + c) * wide + base
            mine, moved = q * features, (1 + k) * wide + base + q * features
            out[row : row + n * features] = 0
            for b in range(n):
                if b == q:
                    continue
                at, its = (w * pairs + pair[q, b]) * features, b * features
                if q < b:
                    _plus(g, at, v, moved, out, row + its, features)
                    at += (1 + k) * slot
                    _plus(e, at, v, base + its, out, row + mine, features)
                    _plus(g, at, v, base + mine, out, row + its, features)
                    _plus(g, at, v, moved, cross, its, features)
                    continue
                _plus(e, at, v, moved, out, row + its, features)
                if apart:
                    at += (1 + k) * slot
                    _minus(g, at, v, base + its, out, row + mine, features)
                    _minus(e, at, v, base + mine, out, row + its, features)
                    _minus(e, at, v, moved, cross, its, features)
                else:
                    at += (1 + d + k) * slot
                    _plus(g, at, v, base + its, out, row + mine, features)
                    _plus(e, at, v, base + mine, out, row + its, features)
                    _plus(e, at, v, moved, cross, its, features)
        for f in range(n * features):
            out[top + f] += cross[f] + cross[f]
