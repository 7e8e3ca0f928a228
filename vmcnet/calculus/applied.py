"""Functions of all entries along the last axis, given with their derivatives: orbitals."""

from __future__ import annotations

from typing import Protocol

from vmcnet import kernels
from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, embed, whole
from vmcnet.calculus.linear import summed
from vmcnet.calculus.operation import Operation


class Functions(Protocol):
    """K functions of a point x (..., d), real or complex, holomorphic in complex x.

    value(xp, x) -> (..., K). derivatives(xp, x) -> values (..., K), first (d, ..., K) and second
    derivatives (d (d + 1)/2, ..., K), those of a <= b in the order (0, 0), (0, 1), ..., (1, 1), ...
    """

    def value(self, xp, x): ...

    def derivatives(self, xp, x): ...


class Applied(Operation):
    """y_k = f_k(x), x (w, ..., d), `functions` an object of the protocol above.

    Jet: y_c = sum_a f_a x_ac, Laplacian sum_a f_a x_aL + sum_ab f_ab sum_c x_ac x_bc, in one pass
    over the slots. Reverse: sum_k adj_k f_ak.
    """

    name = "applied"

    def value(self, xp, x, functions):
        return functions.value(xp, x)

    def jet(self, xp, x, functions):
        if x.support == LINEAR:
            x = embed(xp, x, ALL)
        x = whole(xp, x)
        if x.support == CONSTANT:
            return x.like(functions.value(xp, x.value)[None])
        y, first, second = functions.derivatives(xp, x.value)
        s = x.slots
        return x.like(kernels.of(xp, s.dtype, y.dtype).applied(s, y, first, second))

    def reverse(self, xp, adjoint, out, x, functions, per_walker=False):
        _, first, _ = functions.derivatives(xp, x)
        return (xp.stack([summed(xp, adjoint * f, f.ndim - 1) for f in first], axis=-1),)


APPLIED = Applied()
