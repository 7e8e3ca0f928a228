"""A layer of a network, f(x W + b), as one operation."""

from __future__ import annotations

from vmcnet import kernels
from vmcnet.calculus.linear import AFFINE, product_adjoints, rows_summed
from vmcnet.calculus.products import matmul


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
