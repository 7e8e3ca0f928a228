"""Particles and pairs: displacements, gather, collect, messages.

What depends on one pair alone keeps the slots of that pair until it is summed onto particles.
"""

from __future__ import annotations

from math import isqrt

from vmcnet import kernels
from vmcnet.calculus.arithmetic import MULTIPLY
from vmcnet.calculus.jet import (
    ALL,
    CONSTANT,
    DISPLACEMENT,
    OWN,
    PAIR,
    PAIRED,
    common,
    embed,
    pair_arrays,
    scatter_pairs,
)
from vmcnet.calculus.operation import Operation


class Gather(Operation):
    """x_i (side 0) or x_j (side 1) of every pair i < j along the particle axis. Reverse: sums over
    pairs onto particles.
    """

    name = "gather"

    def value(self, xp, x, side):
        return x.take(pair_arrays(xp, x.shape[1])[side], axis=1)

    def jet(self, xp, x, side):
        if x.support in PAIRED or x.rows:  # pairs of pairs depend on up to four particles
            x = embed(xp, x, ALL)
        index = pair_arrays(xp, x.shape[1])[side]
        s = x.slots.take(index, axis=2)
        if x.support != OWN:
            return x.like(s)
        d = x.frame.d
        out = xp.zeros((2 * d + 2,) + s.shape[1:], s.dtype)
        out[0], out[-1] = s[0], s[-1]
        out[1 + side * d : 1 + (side + 1) * d] = s[1:-1]
        return x.like(out, PAIR)

    def reverse(self, xp, adjoint, out, x, side, per_walker=False):
        zero = xp.zeros(adjoint.shape, adjoint.dtype)
        first, second = (adjoint, zero) if side == 0 else (zero, adjoint)
        return (xp.moveaxis(scatter_pairs(xp, first, second, x.shape[1]), 0, 1),)


class Collect(Operation):
    """Pairs onto particles: i gets `first` of its pairs (i, j), j gets `second`. The adjoint of
    Gather.

    Jet: the slots of a pair go to those of its two particles; the pairs themselves are not embedded
    into all coordinates.
    """

    name = "collect"
    chooses = True

    @staticmethod
    def _onto(xp, first, second):
        n = (1 + isqrt(1 + 8 * first.shape[-2])) // 2
        return xp.moveaxis(scatter_pairs(xp, first, second, n), 0, -2)

    def value(self, xp, first, second):
        return self._onto(xp, first, second)

    def chosen(self, xp, index, walkers, first, second):
        n = (1 + isqrt(1 + 8 * first.shape[1])) // 2
        own = kernels.of(xp, first.dtype, second.dtype)
        return own.chosen_messages(first, second, None, index, walkers, *pair_arrays(xp, n))

    def jet(self, xp, first, second):
        jets = common(xp, [first, second])
        support = next((j.support for j in jets if j.support != CONSTANT), CONSTANT)
        first, second = (embed(xp, j, support) for j in jets)
        if support in PAIRED:
            frame, p, q = first.frame, first.slots, second.slots
            own = kernels.of(xp, p.dtype, q.dtype)
            return first.like(own.collect(p, q, *pair_arrays(xp, frame.n), frame.n, frame.d), ALL)
        if support == OWN:  # as many pairs as particles, but no particle is a pair
            first, second = (embed(xp, j, ALL) for j in (first, second))
        return first.like(self._onto(xp, first.slots, second.slots))

    def reverse(self, xp, adjoint, out, first, second, per_walker=False):
        i, j = pair_arrays(xp, adjoint.shape[1])
        return adjoint.take(i, axis=1), adjoint.take(j, axis=1)


class Displacements(Operation):
    """x_i - x_j of every pair i < j. Of the coordinates themselves, in any unit, a jet of
    displacements: half the slots of a pair. Reverse: the adjoint to i, its negative to j.
    """

    name = "displacements"

    def value(self, xp, x):
        i, j = pair_arrays(xp, x.shape[1])
        return x.take(i, axis=1) - x.take(j, axis=1)  # in C order, unlike x[:, i]

    def jet(self, xp, x):
        if x.support == OWN and x.jacobian is not None:  # the coordinates: jacobian marks them
            value = self.value(xp, x.value)
            out = xp.zeros((x.frame.d + 2,) + value.shape, value.dtype)
            out[0], out[1:-1] = value, x.slots[1:-1, :, :1]
            return x.like(out, DISPLACEMENT)
        first, second = common(xp, [GATHER.jet(xp, x, side) for side in (0, 1)])
        return first.like(first.slots - second.slots)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (xp.moveaxis(scatter_pairs(xp, adjoint, -adjoint, x.shape[1]), 0, 1),)


class Messages(Operation):
    """m_i = sum_j e_ij v_j: e of the pairs (i, j) for the receiver i, g for the receiver j, v of
    the particles.

    Jet, e and g of pairs or displacements, v of all coordinates: e_0 v_c in every slot c, e_c v_0
    in those of the pair, and e_L v_0 + 2 sum_c e_c v_c, c over the pair, in the Laplacian.
    Reverse: adj_i v_j to e, adj_j v_i to g, and sum_i adj_i e_ij to v_j.
    """

    name = "messages"
    chooses = True

    def value(self, xp, e, g, v):
        own = kernels.of(xp, e.dtype, g.dtype, v.dtype)
        return own.message_values(e, g, v, *pair_arrays(xp, v.shape[1]))

    def chosen(self, xp, index, walkers, e, g, v):
        own = kernels.of(xp, e.dtype, g.dtype, v.dtype)
        return own.chosen_messages(e, g, v, index, walkers, *pair_arrays(xp, v.shape[1]))

    def jet(self, xp, e, g, v):
        if e.support in PAIRED and g.support in PAIRED and v.support in (OWN, ALL):
            (e, g), frame = common(xp, [e, g]), v.frame
            slots = (e.slots, g.slots, v.slots)
            own = kernels.of(xp, *(s.dtype for s in slots))
            return v.like(own.messages(*slots, *pair_arrays(xp, frame.n), frame.d), ALL)
        return COLLECT.jet(
            xp,
            MULTIPLY.jet(xp, e, GATHER.jet(xp, v, 1)),
            MULTIPLY.jet(xp, g, GATHER.jet(xp, v, 0)),
        )

    def reverse(self, xp, adjoint, out, e, g, v, per_walker=False):
        own = kernels.of(xp, adjoint.dtype, e.dtype, g.dtype, v.dtype)
        return own.message_adjoints(adjoint, e, g, v, *pair_arrays(xp, v.shape[1]))


GATHER, COLLECT, DISPLACEMENTS, MESSAGES = Gather(), Collect(), Displacements(), Messages()
