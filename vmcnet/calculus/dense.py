"""A layer of a network, f(x W + b), as one operation."""

from __future__ import annotations

from functools import cached_property

from vmcnet import kernels
from vmcnet.backend.arrays import namespace
from vmcnet.calculus.arithmetic import ADD
from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, Scaled, Unmade, common, whole
from vmcnet.calculus.linear import AFFINE, product_adjoints
from vmcnet.calculus.operation import Operation
from vmcnet.calculus.outer import Spread
from vmcnet.calculus.products import matmul


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
        kernels.of(namespace(out), out.dtype).chain(out, self.value, slope, curvature)
        return out

    def onto(self, column):
        if self.made or column.dtype != self.value.dtype:
            return super().onto(column)
        x, weight, slope, curvature = self._parts
        parts = (
            (x.slope, x.curvature, x.shared) if isinstance(x, Scaled) and not x.made else x.slots
        )
        return kernels.of(namespace(self.value), self.value.dtype).layer_onto(
            parts, weight, self.value, slope, curvature, column
        )


def _inner(xp, adjoint, kept, activation, overwrite, per_walker, bias):
    """adj f' and, where the `bias` wants it, its sums; `overwrite`: what was kept is in no other
    hands.
    """
    left = None
    if isinstance(adjoint, Spread):
        alike = adjoint.left.dtype == kept.dtype
        left, adjoint = (adjoint.left, adjoint.right) if alike else (None, adjoint.dense())
    blocks = int(per_walker) or 1
    if per_walker is True:  # sums over the particles of every walker
        blocks = kept.shape[0] if bias and kept.ndim > 2 else 1
    own = kernels.of(xp, adjoint.dtype, kept.dtype)
    inner, sums = own.layer_reverse(adjoint, left, kept, activation.form, overwrite, blocks)
    if per_walker is True and kept.ndim == 2:
        sums = inner
    return inner, (sums if per_walker else sums[0]) if bias else None


class Dense(Operation):
    """f(x W + b), f one of the activations. Jet: those of its parts. Reverse: with g = adj f'(x W +
    b), g W^T, x^T g, sum g.

    The tape keeps f', made in the pass that makes f, or nothing where f says it.
    """

    name = "dense"
    selective = keeps = spread = True

    def apart(self, axes, **static):
        return axes > 2

    def value(self, xp, x, weight, bias, activation):
        return activation.layer(xp, matmul(x, weight), bias)

    def record(self, xp, x, weight, bias, activation):
        """The value, and what `reverse` wants kept."""
        return activation.layer_kept(xp, matmul(x, weight), bias)

    def jet(self, xp, x, weight, bias, activation):
        x, w, b = whole(xp, x), weight.slots[0], bias.slots[0]
        if isinstance(x, Layered):
            x = x.like(x.slots)  # one layer waits at a time, whatever the depth
        own = kernels.of(xp, x.value.dtype, w.dtype, b.dtype)
        if x.support == ALL and own.fits_layer(*w.shape, w.itemsize):
            return Layered(x, w, *activation.derivatives(xp, AFFINE.value(xp, x.value, w, b)))
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
        overwrite = not activation.keeps_value
        adjoint, db = _inner(xp, adjoint, kept, activation, overwrite, per_walker, wanted[2])
        return *product_adjoints(xp, adjoint, x, weight, per_walker, wanted), db


class Residual(Operation):
    """h + f(sum_k x_k W_k + b), a layer added to what came before it. Arguments h, b, x_1, W_1, ...

    Jet: those of its parts, the sums in one pass. Reverse: adj to h, and with g = adj f' the rules
    of Dense. The tape keeps f' or f.
    """

    name = "residual"
    selective = keeps = True

    def apart(self, axes, **static):
        return axes > 2

    @staticmethod
    def _argument(terms):
        z = matmul(terms[0], terms[1])
        for x, w in zip(terms[2::2], terms[3::2], strict=True):
            z += matmul(x, w)
        return z

    def value(self, xp, h, bias, *terms, activation):
        return h + activation.layer(xp, self._argument(terms), bias)

    def record(self, xp, h, bias, *terms, activation):
        """The value, and what `reverse` wants kept."""
        y, kept = activation.layer_kept(xp, self._argument(terms), bias)
        return h + y, kept

    def jet(self, xp, h, bias, *terms, activation):
        # every product in the slots that its own x has, the wider ones after it
        products = [AFFINE.jet(xp, x, w) for x, w in zip(terms[::2], terms[1::2], strict=True)]
        h, *products = common(xp, [h, *products])
        first = products[0]
        alike = all(x.support == h.support and x.shape == h.shape for x in products)
        if alike and h.support not in (CONSTANT, LINEAR) and first.slots.dtype == h.slots.dtype:
            z, t = first.slots, products[1].slots if len(products) > 1 else None
            for more in products[2:]:
                t += more.slots
            value = z[0] if t is None else z[0] + t[0]
            derivatives = activation.derivatives(xp, value + bias.slots[0])
            old = xp.ascontiguousarray(h.slots)
            kernels.of(xp, z.dtype).residual(z, t, old, *derivatives)
            return h.like(z)
        argument = first
        for x in products[1:]:
            argument = ADD.jet(xp, argument, x)
        argument.slots[0] += bias.slots[0]
        return ADD.jet(xp, h, activation.jet(xp, argument, overwrite=True))

    def reverse(
        self, xp, adjoint, out, h, bias, *terms, activation, kept, wanted, per_walker=False
    ):
        inner, db = _inner(xp, adjoint, kept, activation, True, per_walker, wanted[1])
        out = [adjoint, db]
        for k in range(0, len(terms), 2):
            need = wanted[2 + k : 4 + k]
            out += product_adjoints(xp, inner, terms[k], terms[k + 1], per_walker, need)
        return tuple(out)


DENSE, RESIDUAL = Dense(), Residual()
