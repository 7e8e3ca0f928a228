"""Sum, difference, product, quotient, scaling and a + i b, each with its three rules.

value(xp, args): arrays -> array. jet(xp, args): jets -> jet. reverse(xp, adjoint, out, args,
per_walker): the adjoints of the arguments, d log psi / d arg = sum adjoint d out / d arg, without
conjugation; broadcasting is summed back by the tape.
"""

from __future__ import annotations

from operator import add, sub

from vmcnet import kernels
from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, JetData, combine, common, embed, spread
from vmcnet.calculus.operation import Operation


def _linear(jet, slots, jacobian):
    return JetData(slots, LINEAR, jet.frame, jacobian)


class Add(Operation):
    """a + b: slots add; a constant touches slot 0 only."""

    name = "add"
    pointwise = True
    unit = 0

    def value(self, xp, a, b):
        return a + b

    def jet(self, xp, a, b):
        for p, q in ((a, b), (b, a)):
            if p.support == LINEAR and q.support == CONSTANT and _aligned(p, q):
                return _linear(p, p.slots + q.slots, p.jacobian)
        return combine(xp, a, b, add)

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        return adjoint, adjoint


def _aligned(p, q):
    """Whether adding or scaling by the constant q keeps the shape of the linear jet p."""
    return len(q.shape) <= len(p.shape) and all(
        m in (1, k) for m, k in zip(q.shape[::-1], p.shape[::-1], strict=False)
    )


class Subtract(Operation):
    """a - b."""

    name = "subtract"
    pointwise = True

    def value(self, xp, a, b):
        return a - b

    def jet(self, xp, a, b):
        if a.support == LINEAR and b.support == CONSTANT and _aligned(a, b):
            return _linear(a, a.slots - b.slots, a.jacobian)
        return combine(xp, a, b, sub)

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        return adjoint, -adjoint


class Shift(Operation):
    """x + number."""

    name = "shift"
    pointwise = True

    def value(self, xp, x, number):
        return x + number

    def jet(self, xp, x, number):
        if x.support == LINEAR:
            return _linear(x, x.slots + number, x.jacobian)
        out = x.slots + xp.zeros((), x.slots.dtype) if isinstance(number, float) else x.slots + 0j
        out[0] += number
        return x.like(out)

    def reverse(self, xp, adjoint, out, x, number, per_walker=False):
        return (adjoint,)


class Scale(Operation):
    """number x: acts on all slots."""

    name = "scale"
    pointwise = True

    def value(self, xp, x, number):
        return x * number

    def jet(self, xp, x, number):
        if x.support == LINEAR:
            return _linear(x, x.slots * number, x.jacobian * number)
        if x.jacobian is not None:  # the coordinates in another unit
            return JetData(x.slots * number, x.support, x.frame, x.jacobian * number)
        return x.like(x.slots * number)

    def reverse(self, xp, adjoint, out, x, number, per_walker=False):
        return (adjoint * number,)


class Multiply(Operation):
    """a b: slot 0 p0 q0; above p0 q + q0 p; the Laplacian adds 2 sum_c p_c q_c."""

    name = "multiply"
    pointwise = True
    unit = 1

    def value(self, xp, a, b):
        return a * b

    def jet(self, xp, a, b):
        for p, q in ((a, b), (b, a)):
            if q.support == CONSTANT:
                if p.support == LINEAR and len(q.shape) < len(p.shape) and _aligned(p, q):
                    return _linear(p, p.slots * q.slots, p.jacobian * q.slots)
                if p.support == LINEAR:
                    p = embed(xp, p, ALL)
                p = spread(xp, p, q.shape)
                return p.like(p.slots * q.slots)
        a, b = common(xp, [a, b])
        p, q = a.slots, b.slots
        return a.like(kernels.of(xp, p.dtype, q.dtype).product(p, q))

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        return adjoint * b, adjoint * a


class Divide(Operation):
    """a / b = a b^-1; the jet of r = a/b follows from a = r b: r_c = (a_c - r b_c)/b, lap r = (lap
    a - r lap b - 2 sum_c r_c b_c)/b.
    """

    name = "divide"
    pointwise = True

    def value(self, xp, a, b):
        return a / b

    def jet(self, xp, a, b):
        if b.support == CONSTANT:
            if a.support == LINEAR and len(b.shape) < len(a.shape) and _aligned(a, b):
                return _linear(a, a.slots / b.slots, a.jacobian / b.slots)
            if a.support == LINEAR:
                a = embed(xp, a, ALL)
            a = spread(xp, a, b.shape)
            return a.like(a.slots / b.slots)
        a, b = common(xp, [a, b])
        if b.support == LINEAR:
            b = embed(xp, b, ALL)
        q = b.slots
        r = a.slots[0] / q[0]
        out = -r * q / q[0] if a.support == CONSTANT else (a.slots - r * q) / q[0]
        out[0] = r
        out[-1] -= 2.0 * (out[1:-1] * q[1:-1]).sum(axis=0) / q[0]
        return b.like(out)

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        scaled = adjoint / b
        return scaled, -scaled * out


class Maximum(Operation):
    """The larger of two real arguments, slot by slot; a where they are equal."""

    name = "maximum"
    pointwise = True
    unit = None

    def value(self, xp, a, b):
        return xp.maximum(a, b)

    def jet(self, xp, a, b):
        first = a.value >= b.value
        return combine(xp, a, b, lambda p, q: xp.where(first, p, q))

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        first = a >= b
        return xp.where(first, adjoint, 0.0), xp.where(first, 0.0, adjoint)


class Complex(Operation):
    """a + i b of two real arguments: linear in both."""

    name = "complex"
    pointwise = True

    def value(self, xp, a, b):
        return a + b * 1j

    def jet(self, xp, a, b):
        if a.support == LINEAR and b.support == LINEAR:
            return _linear(a, a.slots + b.slots * 1j, a.jacobian + b.jacobian * 1j)
        return combine(xp, a, b, lambda p, q: p + q * 1j)

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        return adjoint, adjoint * 1j


ADD, SUBTRACT, SHIFT, SCALE, MULTIPLY, DIVIDE, MAXIMUM, COMPLEX = (
    Add(),
    Subtract(),
    Shift(),
    Scale(),
    Multiply(),
    Divide(),
    Maximum(),
    Complex(),
)
