"""A layer of a network, f(x W + b), as one operation."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from vmcnet import kernels
from vmcnet.calculus.jet import ALL, Scaled, Unmade, whole
from vmcnet.calculus.linear import AFFINE, product_adjoints, rows_summed
from vmcnet.calculus.products import matmul

MANY = 2**31  # rows: enough for compiled passes wherever there are any


class Layered(Unmade):
    """The jet of f(x W + b), all coordinates. An affine map onto one column needs none of its
    slots.
    """

    def __init__(self, x, weight, y, slope, curvature):
        super().__init__(y, x.support, x.frame)
        self._parts = x, weight, slope, curvature

    @cached_property
    def slots(self):
        (x, weight, slope, curvature), self._parts = self._parts, None
        out = matmul(x.slots, weight)
        kernels.of(np, out.dtype).chain(out, self.value, slope, curvature)
        return out

    def onto(self, column):
        if self.made or column.dtype != self.value.dtype:
            return super().onto(column)
        x, weight, slope, curvature = self._parts
        parts = (
            (x.slope, x.curvature, x.shared) if isinstance(x, Scaled) and not x.made else x.slots
        )
        return kernels.of(np, self.value.dtype).layer_onto(
            parts, weight, self.value, slope, curvature, column
        )


def carried(widths, itemsize: int) -> int:
    """Numbers a walker in the widest jet that layers of `widths`, inputs first, make where one
    column follows them.
    """
    compiled = kernels.of(np, np.dtype(f"f{itemsize}"))
    fused = len(widths) > 2 and compiled.fits_layer(MANY, *widths[-2:], itemsize)
    return max(widths[2:-1], default=1) if fused else max(widths[1:])


class Dense:
    """f(x W + b), f one of the activations. Jet: those of its parts. Reverse: with g = adj f'(x W +
    b), g W^T, x^T g, sum g.

    The tape keeps f', made in the pass that makes f.
    """

    name = "dense"
    selective = True

    def value(self, xp, x, weight, bias, activation):
        return activation.layer(xp, matmul(x, weight), bias)

    def record(self, xp, x, weight, bias, activation):
        """The value, and what `reverse` wants kept."""
        return activation.layer_slope(xp, matmul(x, weight), bias)

    def jet(self, xp, x, weight, bias, activation):
        x, w, b = whole(xp, x), weight.slots[0], bias.slots[0]
        if isinstance(x, Layered):
            x = x.like(x.slots)  # one layer waits at a time, whatever the depth
        if xp is np and x.support == ALL and x.value.dtype == w.dtype == b.dtype:
            compiled = kernels.of(np, w.dtype)
            if compiled and compiled.fits_layer(math.prod(x.shape[:-1]), *w.shape, w.itemsize):
                return Layered(x, w, *activation.derivatives(np, AFFINE.value(np, x.value, w, b)))
        return activation.jet(xp, AFFINE.jet(xp, x, weight, bias), overwrite=True)

    def reverse(
        self,
        xp,
        adjoint,
        out,
        x,
        weight,
        bias,
        activation,
        kept,
        per_walker=False,
        wanted=(True, True, True),
    ):
        compiled = (
            kernels.of(xp, kept.dtype)
            if wanted[2] and not per_walker and adjoint.dtype == kept.dtype
            else None
        )
        if compiled:
            adjoint, db = compiled.layer_reverse(adjoint, kept)
        else:
            adjoint = adjoint * kept
            db = rows_summed(adjoint, per_walker) if wanted[2] else None
        return *product_adjoints(xp, adjoint, x, weight, per_walker, wanted), db


DENSE = Dense()
