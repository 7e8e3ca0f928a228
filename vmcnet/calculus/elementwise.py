"""Elementwise functions: each gives f, f' and f'' of its argument; the jet and reverse rules are
shared.

Jet: f(v) in slot 0, f'(v) j above, plus f''(v) sum_c j_c^2 in the Laplacian. Reverse: adjoint
f'(v). All functions are holomorphic: a complex argument gives the complex derivative, never a
conjugate.
"""

from __future__ import annotations

from vmcnet import kernels
from vmcnet.calculus.jet import CONSTANT, LINEAR, Scaled
from vmcnet.calculus.operation import Operation
from vmcnet.kernels.activations import FORMULAS


class Elementwise(Operation):
    """value(xp, x); slope(xp, x, y) = f'; curvature(xp, x, y, slope) = f'', with y = f(x)."""

    name = ""
    pointwise = True  # of parameters as well

    def derivatives(self, xp, x, **static):
        """f, f' and f''."""
        y = self.value(xp, x, **static)
        slope = self.slope(xp, x, y, **static)
        return y, slope, self.curvature(xp, x, y, slope, **static)

    def jet(self, xp, x, overwrite=False, **static):
        """overwrite: x is nobody else's, its slots may become the result."""
        v = x.slots[0]
        if x.support == CONSTANT:
            return x.like(self.value(xp, v, **static)[None])
        y, slope, curvature = self.derivatives(xp, v, **static)
        if x.support == LINEAR:
            return Scaled(xp, x.frame, y, slope, curvature, x.jacobian)
        if not (overwrite and y.dtype == x.slots.dtype and x.slots.flags.c_contiguous):
            x = x.like(xp.array(x.slots, dtype=y.dtype, order="C"))
        kernels.of(xp, y.dtype, slope.dtype).chain(x.slots, y, slope, curvature)
        return x.like(x.slots)

    def reverse(self, xp, adjoint, out, x, per_walker=False, **static):
        return (adjoint * self.slope(xp, x, out, **static),)


class Activation(Elementwise):
    """A function of kernels.activations, by compiled passes where there are any."""

    def __init__(self, formula):
        self.name, self.__doc__ = formula.name, formula.__doc__
        self.form = formula.polynomial or (0.0, 1.0, 0.0)  # of f' in what `layer_kept` keeps
        self.keeps_value = formula.polynomial is not None
        self.formula, self.slope, self.curvature = (
            formula.formula,
            formula.slope,
            formula.curvature,
        )

    def value(self, xp, x):
        return kernels.of(xp, x.dtype).activation_value(self.name, x)

    def derivatives(self, xp, x):
        return kernels.of(xp, x.dtype).activation(self.name, x)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (adjoint * kernels.of(xp, x.dtype).activation_slope(self.name, x, out),)

    def layer(self, xp, z, bias):
        """f(z + bias), the bias along the last axis; z may be overwritten."""
        return kernels.of(xp, z.dtype, bias.dtype).layer(self.name, z, bias)

    def layer_kept(self, xp, z, bias):
        """f(z + bias), and of what the slope there is made: itself, or the slope; z may be
        overwritten.
        """
        own = kernels.of(xp, z.dtype, bias.dtype)
        if not self.keeps_value:
            return own.layer_slope(self.name, z, bias)
        y = own.layer(self.name, z, bias)
        return y, y


class Exp(Elementwise):
    name = "exp"

    def value(self, xp, x):
        return xp.exp(x)

    def slope(self, xp, x, y):
        return y

    def curvature(self, xp, x, y, slope):
        return y


class Log(Elementwise):
    """Principal branch for complex arguments."""

    name = "log"

    def value(self, xp, x):
        return xp.log(x)

    def slope(self, xp, x, y):
        return 1.0 / x

    def curvature(self, xp, x, y, slope):
        return -slope * slope


class Sin(Elementwise):
    name = "sin"

    def value(self, xp, x):
        return kernels.of(xp, x.dtype).sine_cosine(x)[0]

    def slope(self, xp, x, y):
        return kernels.of(xp, x.dtype).sine_cosine(x)[1]

    def derivatives(self, xp, x):
        sine, cosine = kernels.of(xp, x.dtype).sine_cosine(x)
        return sine, cosine, -sine


class Cos(Elementwise):
    name = "cos"

    def value(self, xp, x):
        return kernels.of(xp, x.dtype).sine_cosine(x)[1]

    def slope(self, xp, x, y):
        return -kernels.of(xp, x.dtype).sine_cosine(x)[0]

    def derivatives(self, xp, x):
        sine, cosine = kernels.of(xp, x.dtype).sine_cosine(x)
        return cosine, -sine, -cosine


class Power(Elementwise):
    """x^k with a fixed real k; f' = k x^(k-1), f'' = k (k-1) x^(k-2)."""

    name = "power"

    @staticmethod
    def _power(x, k):
        return x ** int(k) if k == int(k) and k >= 0 else x**k

    def value(self, xp, x, exponent):
        return self._power(x, exponent)

    def slope(self, xp, x, y, exponent):
        return exponent * self._power(x, exponent - 1.0) if exponent else 0.0 * x

    def curvature(self, xp, x, y, slope, exponent):
        factor = exponent * (exponent - 1.0)
        return factor * self._power(x, exponent - 2.0) if factor else 0.0 * x


class Sqrt(Elementwise):
    """Principal branch for complex arguments; no derivative at 0."""

    name = "sqrt"

    def value(self, xp, x):
        return xp.sqrt(x)

    def slope(self, xp, x, y):
        return 0.5 / y

    def curvature(self, xp, x, y, slope):
        return -0.5 * slope / x


class Abs(Elementwise):
    """|x| of real x; the derivative at 0 is 0."""

    name = "abs"

    def value(self, xp, x):
        return abs(x)

    def slope(self, xp, x, y):
        return xp.sign(x)

    def curvature(self, xp, x, y, slope):
        return xp.zeros(x.shape, x.dtype)


class AtLeast(Elementwise):
    """max(x, number) of real x; the derivative at x = number is 1."""

    name = "at_least"

    def value(self, xp, x, number):
        return xp.maximum(x, x.dtype.type(number))

    def slope(self, xp, x, y, number):
        return (x >= number).astype(x.dtype)

    def curvature(self, xp, x, y, slope, number):
        return xp.zeros(x.shape, x.dtype)


class HardCore(Elementwise):
    """log(1 - a/x) outside a core of radius a > 0, -inf inside (psi = 0); f' = a/(x (x - a)), f'' =
    -a (2x - a)/(x (x - a))^2.
    """

    name = "hard_core"

    def value(self, xp, x, radius):
        outside = x.real > radius
        return xp.where(outside, xp.log1p(-radius / xp.where(outside, x, 2.0 * radius)), -xp.inf)

    def slope(self, xp, x, y, radius):
        return radius / (x * (x - radius))

    def curvature(self, xp, x, y, slope, radius):
        return -slope * slope * (2.0 * x - radius) / radius


ACTIVATIONS = tuple(Activation(formula) for formula in FORMULAS.values())
TANH, LOGISTIC, SOFTPLUS, LOGCOSH, GELU, SILU = ACTIVATIONS
EXP, LOG, SIN, COS, POWER, HARD_CORE = Exp(), Log(), Sin(), Cos(), Power(), HardCore()
SQRT, ABS, AT_LEAST = Sqrt(), Abs(), AtLeast()
LAYERS = {f.name: f for f in ACTIVATIONS}
