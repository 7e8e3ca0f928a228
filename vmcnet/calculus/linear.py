"""Linear maps: affine layer, sum, reshaping, concatenation. They act on all slots of a jet."""

from __future__ import annotations

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import namespace
from vmcnet.calculus.jet import (
    ALL,
    CONSTANT,
    DISPLACEMENT,
    LINEAR,
    LOCAL,
    OWN,
    PAIR,
    JetData,
    common,
    embed,
    scatter_pairs,
    unit,
    whole,
)
from vmcnet.calculus.operation import Blocks, Operation
from vmcnet.calculus.outer import Outer, Spread
from vmcnet.calculus.products import block_contract, contract, matmul, matmul_transposed


def product_adjoints(xp, adjoint, x, weight, per_walker, wanted):
    """Adjoints of x and W in x W, for the first two of `wanted`: adj W^T, a Spread where W is one
    column and x (w, f), and x^T adj; per walker that is an Outer where x is (w, f).
    """
    dx = dw = None
    if wanted[0]:
        alike = adjoint.ndim == 2 and adjoint.dtype == weight.dtype
        alone = weight.shape[1] == 1 and alike
        dx = Spread(adjoint, weight.T) if alone else matmul_transposed(adjoint, weight)
    if wanted[1]:
        walkers, f, h = x.shape[0], x.shape[-1], adjoint.shape[-1]
        if not per_walker:
            dw = contract(x, adjoint)
        elif isinstance(per_walker, Blocks):
            dw = block_contract(x, adjoint, per_walker)
        elif x.ndim == 2:
            dw = Outer(x, adjoint)
        else:
            dw = xp.matmul(
                x.reshape(walkers, -1, f).transpose(0, 2, 1), adjoint.reshape(walkers, -1, h)
            )
    return dx, dw


def rows_summed(adjoint, per_walker):
    """The adjoint of a bias: the sum over all axes but the last, per walker over all but the first
    and the last.
    """
    if isinstance(per_walker, Blocks):
        sums = [rows_summed(a, False) for a in per_walker.parts(adjoint)]
        return namespace(adjoint).stack(sums)
    if per_walker:
        return (
            adjoint
            if adjoint.ndim == 2
            else adjoint.reshape(adjoint.shape[0], -1, adjoint.shape[-1]).sum(axis=1)
        )
    return adjoint.reshape(-1, adjoint.shape[-1]).sum(axis=0)


class Affine(Operation):
    """x W + b. Jet: one product over all slots, the bias in slot 0. Reverse: adj W^T, x^T adj, sum
    adj.
    """

    name = "affine"
    selective = True

    def apart(self, axes, **static):
        return axes > 2

    def value(self, xp, x, weight, bias=None):
        out = matmul(x, weight)
        if bias is not None:
            out += bias
        return out

    def jet(self, xp, x, weight, bias=None):
        x = whole(xp, x)
        w = weight.slots[0]
        out = x.onto(w) if w.shape[1] == 1 else matmul(x.slots, w)
        if bias is not None:
            out[0] += bias.slots[0]
        if x.support == LINEAR:
            itself = x.jacobian is unit(xp, x.frame.n * x.frame.d, x.jacobian.dtype)
            return JetData(out, LINEAR, x.frame, w[:, None] if itself else matmul(x.jacobian, w))
        return x.like(out)

    def reverse(
        self, xp, adjoint, out, x, weight, bias=None, per_walker=False, wanted=(True, True, True)
    ):
        dx, dw = product_adjoints(xp, adjoint, x, weight, per_walker, wanted)
        return (
            (dx, dw)
            if bias is None
            else (dx, dw, rows_summed(adjoint, per_walker) if wanted[2] else None)
        )


def summed(xp, x, axis, keepdims=False):
    """x.sum; over the last axis by a pass of its own, ten times as fast where that is short."""
    if x.shape[axis] == 1:
        return x if keepdims else x.reshape(x.shape[:axis] + x.shape[axis + 1 :])
    if axis == x.ndim - 1:
        out = kernels.of(xp, x.dtype).row_sums(x)
        return out[..., None] if keepdims else out
    return x.sum(axis=axis, keepdims=keepdims)


class Sum(Operation):
    """Sum over one axis. Over the particle or pair axis of a jet of own or pair support the result
    depends on all particles.
    """

    name = "sum"

    def apart(self, axes, axis, keepdims):
        return axis != 1

    def value(self, xp, x, axis, keepdims):
        return summed(xp, x, axis, keepdims)

    def jet(self, xp, x, axis, keepdims):
        s = x.slots
        if x.support == LINEAR:
            axis -= len(x.shape)
            return JetData(
                s.sum(axis=axis, keepdims=keepdims),
                LINEAR,
                x.frame,
                x.jacobian.sum(axis=axis, keepdims=keepdims),
            )
        if x.support in LOCAL and axis == 1:
            if x.rows is None:
                return self._over_particles(xp, x, keepdims)
            x = embed(xp, x, ALL)
            s = x.slots
        return x.like(summed(xp, s, axis + 1, keepdims))

    @staticmethod
    def _over_particles(xp, x, keepdims):
        if x.support == DISPLACEMENT:
            x = embed(xp, x, PAIR)
        s, n, d = x.slots, x.frame.n, x.frame.d
        shape = (s.shape[1],) + s.shape[3:]
        out = xp.empty((n * d + 2,) + shape, s.dtype)
        out[0], out[-1] = s[0].sum(axis=1), s[-1].sum(axis=1)
        derivatives = out[1:-1].reshape((n, d) + shape)
        if x.support == OWN:
            derivatives[...] = xp.moveaxis(s[1:-1], 2, 0)
        else:
            columns = s.reshape(s.shape[:3] + (-1,))
            derivatives[...] = scatter_pairs(
                xp, columns[1 : 1 + d], columns[1 + d : -1], n
            ).reshape(derivatives.shape)
        return x.like(out[:, :, None] if keepdims else out, ALL)

    def reverse(self, xp, adjoint, out, x, axis, keepdims, per_walker=False):
        if not keepdims:
            adjoint = adjoint.reshape(x.shape[:axis] + (1,) + x.shape[axis + 1 :])
        return (adjoint if adjoint.shape == x.shape else xp.broadcast_to(adjoint, x.shape),)


def _expanded(x, axis):
    shape, place = x.shape, axis + x.ndim + 1
    return x.reshape(*shape[:place], 1, *shape[place:])


class Expand(Operation):
    """A new axis of length 1. On a jet of own or pair support it must come after the particle
    axis.
    """

    name = "expand"

    def apart(self, axes, axis):
        return axes + axis > 0

    def value(self, xp, x, axis):
        return _expanded(x, axis)

    def jet(self, xp, x, axis):
        if x.support == LINEAR or (x.support in LOCAL and axis + len(x.shape) < 1):
            x = embed(xp, x, ALL)
        return x.like(_expanded(x.slots, axis))

    def reverse(self, xp, adjoint, out, x, axis, per_walker=False):
        return (xp.squeeze(adjoint, axis),)


class Flatten(Operation):
    """(w, n, f) -> (w, n f). Of the coordinates themselves the Jacobian is the unit matrix, the
    same for all walkers.
    """

    name = "flatten"

    def value(self, xp, x):
        return x.reshape(x.shape[0], -1)

    def jet(self, xp, x):
        if x.support == OWN and x.jacobian is not None:  # the coordinates: jacobian marks them
            return JetData(x.value.reshape(1, x.shape[0], -1), LINEAR, x.frame, x.jacobian)
        if x.support not in (CONSTANT, ALL):
            x = embed(xp, x, ALL)
        return x.like(x.slots.reshape(x.slots.shape[:2] + (-1,)))

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (adjoint.reshape(x.shape),)


class Concatenate(Operation):
    """Join along the last axis; jets are first brought to one support."""

    name = "concatenate"

    def apart(self, axes, **static):
        return axes > 2

    def value(self, xp, *args):
        return xp.concatenate(args, axis=-1)

    def jet(self, xp, *args):
        jets = common(xp, [whole(xp, a) for a in args])
        wide = next((j for j in jets if j.support != CONSTANT), jets[0])
        jets = [embed(xp, j, wide.support) for j in jets]
        return wide.like(xp.concatenate([j.slots for j in jets], axis=-1))

    def reverse(self, xp, adjoint, out, *args, per_walker=False):
        stops = np.cumsum([a.shape[-1] for a in args]).tolist()
        return tuple(
            adjoint[..., stop - a.shape[-1] : stop] for a, stop in zip(args, stops, strict=True)
        )


AFFINE, SUM, EXPAND, FLATTEN, CONCATENATE = Affine(), Sum(), Expand(), Flatten(), Concatenate()
