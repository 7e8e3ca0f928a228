"""A layer of a network, f(x W + b), as one operation."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from vmcnet import kernels
from vmcnet.calculus.jet import CONSTANT, LINEAR, JetData, Scaled, whole
from vmcnet.calculus.linear import AFFINE, product_adjoints, rows_summed
from vmcnet.calculus.products import matmul


class Layered(JetData):
    """The jet of f(x W + b) of a host, whose slots are made where something reads them: a sum over its features needs none of them."""

    def __init__(self, x, weight, y, slope, curvature):
        self.support, self.frame = x.support, x.frame
        self._x, self._weight, self._y, self._slope, self._curvature = x, weight, y, slope, curvature

    @property
    def value(self):
        return self._y

    @property
    def shape(self):
        return self._y.shape

    @cached_property
    def slots(self):
        return self._made()

    def onto(self, column):
        """The slots of the product with a column (H, 1)."""
        return matmul(self.slots, column) if "slots" in self.__dict__ else self._made(column)

    def _made(self, column=None):
        x, compiled = self._x, kernels.of(np, self._y.dtype)
        parts = (x.slope, x.curvature, x.shared) if isinstance(x, Scaled) and "slots" not in x.__dict__ else x.slots
        return compiled.layer_jets(parts, self._weight, self._y, self._slope, self._curvature, column)


class Dense:
    """f(x W + b), f one of the activations. Jet: those of its parts. Reverse: with g = adj f'(x W + b), g W^T, x^T g, sum g.

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
        x, w = whole(xp, x), weight.slots[0]
        compiled = kernels.of(xp, w.dtype) if xp is np and x.support not in (CONSTANT, LINEAR) else None
        if compiled and compiled.fits_layer(x.value, w):
            return Layered(x, w, *activation.derivatives(xp, AFFINE.value(xp, x.value, w, bias.slots[0])))
        return activation.jet(xp, AFFINE.jet(xp, x, weight, bias), overwrite=True)

    def reverse(self, xp, adjoint, out, x, weight, bias, activation, kept, per_walker=False, wanted=(True, True, True)):
        compiled = kernels.of(xp, kept.dtype) if wanted[2] and not per_walker and adjoint.dtype == kept.dtype else None
        if compiled:
            adjoint, db = compiled.layer_reverse(adjoint, kept)
        else:
            adjoint = adjoint * kept
            db = rows_summed(adjoint, per_walker) if wanted[2] else None
        return *product_adjoints(xp, adjoint, x, weight, per_walker, wanted), db


DENSE = Dense()
