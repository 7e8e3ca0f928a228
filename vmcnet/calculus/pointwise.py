"""The operations of `ops` that act on one quantity element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmcnet.calculus import elementwise
from vmcnet.calculus.quantity import Handle


class PointwiseOperations:
    """A part of the interpreters: their `apply` does the work."""

    if TYPE_CHECKING:  # what Interpreter has besides

        def apply(self, operation: Any, args: Any, **static: Any) -> Any: ...

    def tanh(self, x: Handle) -> Handle:
        """tanh(x), elementwise."""
        return self.apply(elementwise.TANH, (x,))

    def logistic(self, x: Handle) -> Handle:
        """1/(1 + exp(-x)), elementwise."""
        return self.apply(elementwise.LOGISTIC, (x,))

    def softplus(self, x: Handle) -> Handle:
        """log(1 + exp(x)), elementwise."""
        return self.apply(elementwise.SOFTPLUS, (x,))

    def logcosh(self, x: Handle) -> Handle:
        """log cosh(x), elementwise."""
        return self.apply(elementwise.LOGCOSH, (x,))

    def gelu(self, x: Handle) -> Handle:
        """x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))), elementwise."""
        return self.apply(elementwise.GELU, (x,))

    def silu(self, x: Handle) -> Handle:
        """x/(1 + exp(-x)), elementwise."""
        return self.apply(elementwise.SILU, (x,))

    def exp(self, x: Handle) -> Handle:
        """exp(x), elementwise."""
        return self.apply(elementwise.EXP, (x,))

    def log(self, x: Handle) -> Handle:
        """log(x), elementwise; of real x above 0."""
        return self.apply(elementwise.LOG, (x,))

    def sin(self, x: Handle) -> Handle:
        """sin(x), elementwise."""
        return self.apply(elementwise.SIN, (x,))

    def cos(self, x: Handle) -> Handle:
        """cos(x), elementwise."""
        return self.apply(elementwise.COS, (x,))

    def sqrt(self, x: Handle) -> Handle:
        """Square root, elementwise; it has no derivative at 0."""
        return self.apply(elementwise.SQRT, (x,))
