"""Elementwise functions: each gives f, f' and f'' of its argument; the jet and reverse rules are
shared.

Jet: f(v) in slot 0, f'(v) j above, plus f''(v) sum_c j_c^2 in the Laplacian. Reverse: adjoint
f'(v). All functions are holomorphic: a complex argument gives the complex derivative, never a
conjugate.
"""

from __future__ import annotations

from functools import partial

from vmcnet import kernels
from vmcnet.calculus.jet import CONSTANT, LINEAR, Scaled


class Elementwise:
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
        compiled = kernels.of(xp, y.dtype) if x.slots.dtype == y.dtype else None
        if not (overwrite and y.dtype == x.slots.dtype and x.slots.flags.c_contiguous):
            x = x.like(xp.array(x.slots, dtype=y.dtype, order="C"))
        (compiled.chain if compiled else partial(_chain, xp))(x.slots, y, slope, curvature)
        return x.like(x.slots)

    def reverse(self, xp, adjoint, out, x, per_walker=False, **static):
        return (adjoint * self.slope(xp, x, out, **static),)


def _chain(xp, slots, y, slope, curvature):
    """Overwrite the slots of x by those of f(x)."""
    squares = (slots[1:-1] * slots[1:-1]).sum(axis=0)
    slots *= slope
    slots[0] = y
    slots[-1] += curvature * squares


class Activation(Elementwise):
    """A function with compiled passes; formula(xp, x), slope and curvature are their plain twin,
    and serve where there is none.
    """

    def value(self, xp, x):
        compiled = kernels.of(xp, x.dtype)
        return compiled.activation(self.name, x)[0] if compiled else self.formula(xp, x)

    def derivatives(self, xp, x):
        compiled = kernels.of(xp, x.dtype)
        if compiled:
            return compiled.activation(self.name, x)
        y = self.formula(xp, x)
        slope = self.slope(xp, x, y)
        return y, slope, self.curvature(xp, x, y, slope)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        compiled = kernels.of(xp, x.dtype)
        return (
            adjoint
            * (compiled.activation(self.name, x)[1] if compiled else self.slope(xp, x, out)),
        )

    def layer(self, xp, z, bias):
        """f(z + bias), the bias along the last axis; z may be overwritten."""
        compiled = kernels.of(xp, z.dtype) if bias.dtype == z.dtype else None
        if compiled is None:
            return self.formula(xp, z + bias)
        compiled.layer(self.name, z, bias)
        return z

    def layer_slope(self, xp, z, bias):
        """f(z + bias) and f'(z + bias); z may be overwritten."""
        compiled = kernels.of(xp, z.dtype) if bias.dtype == z.dtype else None
        if compiled is None:
            z = z + bias
            y = self.formula(xp, z)
            return y, self.slope(xp, z, y)
        return z, compiled.layer_slope(self.name, z, bias)


class Tanh(Activation):
    name = "tanh"

    def formula(self, xp, x):
        return xp.tanh(x)

    def slope(self, xp, x, y):
        return 1.0 - y * y

    def curvature(self, xp, x, y, slope):
        return -2.0 * y * slope


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


class Softplus(Activation):
    """log(1 + e^x) without overflow: with s = sign Re x, max(s, 0) x + log(1 + e^(-s x)); f' = 1/(1
    + e^-x).
    """

    name = "softplus"

    def formula(self, xp, x):
        positive = x.real > 0
        return xp.where(positive, x, 0.0) + xp.log1p(xp.exp(xp.where(positive, -x, x)))

    def slope(self, xp, x, y):
        positive = x.real > 0
        small = xp.exp(xp.where(positive, -x, x))
        return xp.where(positive, 1.0, small) / (1.0 + small)

    def curvature(self, xp, x, y, slope):
        return slope * (1.0 - slope)


class LogCosh(Activation):
    """log cosh x = s x + log(1 + e^(-2 s x)) - log 2, s = sign Re x; f' = tanh x, f'' = 1 - tanh^2
    x.
    """

    name = "logcosh"

    def formula(self, xp, x):
        folded = xp.where(x.real < 0, -x, x)
        return folded + xp.log1p(xp.exp(-2.0 * folded)) - 0.6931471805599453

    def slope(self, xp, x, y):
        return xp.tanh(x)

    def curvature(self, xp, x, y, slope):
        return 1.0 - slope * slope


class Logistic(Activation):
    """1 / (1 + e^-x), by e^-|x|; f' = y (1 - y), f'' = f' (1 - 2 y)."""

    name = "logistic"

    def formula(self, xp, x):
        return SOFTPLUS.slope(xp, x, None)

    def slope(self, xp, x, y):
        return y * (1.0 - y)

    def curvature(self, xp, x, y, slope):
        return slope * (1.0 - 2.0 * y)


class Silu(Activation):
    """x s(x), s the logistic function; f' = s + x s', f'' = 2 s' + x s''. Elfwing et al., Neural
    Networks 107, 3 (2018), eq. 5.
    """

    name = "silu"

    def formula(self, xp, x):
        return x * LOGISTIC.formula(xp, x)

    def slope(self, xp, x, y):
        s = LOGISTIC.formula(xp, x)
        return s + x * LOGISTIC.slope(xp, x, s)

    def curvature(self, xp, x, y, slope):
        s = LOGISTIC.formula(xp, x)
        ds = LOGISTIC.slope(xp, x, s)
        return ds * (2.0 + x * (1.0 - 2.0 * s))


class Gelu(Activation):
    """x/2 (1 + tanh u), u = sqrt(2/pi) (x + c x^3), c = 0.044715: Hendrycks and Gimpel,
    arXiv:1606.08415, section 2.

    With t = tanh u, t' = (1 - t^2) u': f' = (1 + t)/2 + x t'/2, f'' = t' + x t''/2, t'' = (1 -
    t^2)(u'' - 2 t u'^2).
    """

    name = "gelu"
    SCALE, CUBIC = 0.7978845608028654, 0.044715

    def formula(self, xp, x):
        return 0.5 * x * (1.0 + xp.tanh(self.SCALE * (x + self.CUBIC * x * x * x)))

    def _inner(self, xp, x):
        return xp.tanh(self.SCALE * (x + self.CUBIC * x * x * x)), self.SCALE * (
            1.0 + 3.0 * self.CUBIC * x * x
        )

    def slope(self, xp, x, y):
        t, du = self._inner(xp, x)
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * du

    def curvature(self, xp, x, y, slope):
        t, du = self._inner(xp, x)
        return (1.0 - t * t) * (
            du + 0.5 * x * (6.0 * self.SCALE * self.CUBIC * x - 2.0 * t * du * du)
        )


class Sin(Elementwise):
    name = "sin"

    def value(self, xp, x):
        return xp.sin(x)

    def slope(self, xp, x, y):
        return xp.cos(x)

    def curvature(self, xp, x, y, slope):
        return -y


class Cos(Elementwise):
    name = "cos"

    def value(self, xp, x):
        return xp.cos(x)

    def slope(self, xp, x, y):
        return -xp.sin(x)

    def curvature(self, xp, x, y, slope):
        return -y


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


TANH, LOGISTIC, SOFTPLUS, LOGCOSH, GELU, SILU = (
    Tanh(),
    Logistic(),
    Softplus(),
    LogCosh(),
    Gelu(),
    Silu(),
)
EXP, LOG, SIN, COS, POWER, HARD_CORE = Exp(), Log(), Sin(), Cos(), Power(), HardCore()
SQRT, ABS, AT_LEAST = Sqrt(), Abs(), AtLeast()
ACTIVATIONS = (TANH, LOGISTIC, SOFTPLUS, LOGCOSH, GELU, SILU)
LAYERS = {f.name: f for f in ACTIVATIONS}
