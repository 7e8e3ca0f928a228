"""Activations in array code: the plain twins of the compiled passes over them. Their names stand
here alone.
"""

from __future__ import annotations


class Formula:
    """formula(xp, x) = f; slope(xp, x, y) = f'; curvature(xp, x, y, slope) = f'', y = f(x); real or
    complex, holomorphic. polynomial: c_0, c_1, c_2 where f' = c_0 + c_1 y + c_2 y^2, or None.
    """

    name = ""
    polynomial: tuple[float, float, float] | None = None


class Tanh(Formula):
    name = "tanh"
    polynomial = 1.0, 0.0, -1.0

    def formula(self, xp, x):
        return xp.tanh(x)

    def slope(self, xp, x, y):
        return 1.0 - y * y

    def curvature(self, xp, x, y, slope):
        return -2.0 * y * slope


class Softplus(Formula):
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


class Logistic(Formula):
    """1 / (1 + e^-x), by e^-|x|; f' = y (1 - y), f'' = f' (1 - 2 y)."""

    name = "logistic"
    polynomial = 0.0, 1.0, -1.0

    def formula(self, xp, x):
        return SOFTPLUS.slope(xp, x, None)

    def slope(self, xp, x, y):
        return y * (1.0 - y)

    def curvature(self, xp, x, y, slope):
        return slope * (1.0 - 2.0 * y)


class LogCosh(Formula):
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


class Gelu(Formula):
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


class Silu(Formula):
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


SOFTPLUS, LOGISTIC = Softplus(), Logistic()
FORMULAS = {f.name: f for f in (Tanh(), LOGISTIC, SOFTPLUS, LogCosh(), Gelu(), Silu())}
NAMES = tuple(FORMULAS)
