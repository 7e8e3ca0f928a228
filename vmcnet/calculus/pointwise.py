"""The operations of `ops` that act on one quantity element by element."""

from __future__ import annotations

from vmcnet.calculus import elementwise


class PointwiseOperations:
    """A part of the interpreters: their `apply` does the work."""

    def tanh(self, x):
        """tanh(x), elementwise."""
        return self.apply(elementwise.TANH, (x,))

    def logistic(self, x):
        """1/(1 + exp(-x)), elementwise."""
        return self.apply(elementwise.LOGISTIC, (x,))

    def softplus(self, x):
        """log(1 + exp(x)), elementwise."""
        return self.apply(elementwise.SOFTPLUS, (x,))

    def logcosh(self, x):
        """log cosh(x), elementwise."""
        return self.apply(elementwise.LOGCOSH, (x,))

    def gelu(self, x):
        """x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))), elementwise."""
        return self.apply(elementwise.GELU, (x,))

    def silu(self, x):
        """x/(1 + exp(-x)), elementwise."""
        return self.apply(elementwise.SILU, (x,))

    def exp(self, x):
        """exp(x), elementwise."""
        return self.apply(elementwise.EXP, (x,))

    def log(self, x):
        """log(x), elementwise; of real x above 0."""
        return self.apply(elementwise.LOG, (x,))

    def sin(self, x):
        """sin(x), elementwise."""
        return self.apply(elementwise.SIN, (x,))

    def cos(self, x):
        """cos(x), elementwise."""
        return self.apply(elementwise.COS, (x,))

    def sqrt(self, x):
        """Square root, elementwise; it has no derivative at 0."""
        return self.apply(elementwise.SQRT, (x,))
