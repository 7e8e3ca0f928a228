"""Euclidean norm over the last axis."""

from __future__ import annotations

from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, embed, whole
from vmcnet.calculus.linear import summed
from vmcnet.calculus.operation import Operation


class Norm(Operation):
    """y = |x|: y_c = x . x_c / y; lap y = (x . lap x + sum_c |x_c|^2 - sum_c y_c^2) / y. Undefined
    at x = 0.
    """

    name = "norm"

    def apart(self, axes, **static):
        return axes > 2

    def value(self, xp, x):
        return xp.sqrt(summed(xp, x * x, x.ndim - 1))

    def jet(self, xp, x):
        if x.support == LINEAR:
            x = embed(xp, x, ALL)
        x = whole(xp, x)
        s = x.slots
        y = self.value(xp, s[0])
        if x.support == CONSTANT:
            return x.like(y[None])
        out = summed(xp, s * s[0], s.ndim - 1) / y
        out[0] = y
        out[-1] += (summed(xp, s[1:-1] ** 2, s.ndim - 1) - out[1:-1] ** 2).sum(axis=0) / y
        return x.like(out)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return ((adjoint / out)[..., None] * x,)


NORM = Norm()
