"""The handle that passes through log_psi: a quantity with operators instead of a bare array, with
which `x**2` or `y *= .5` would give a wrong Laplacian without a word.
"""

from __future__ import annotations

import numbers
from typing import Any, NoReturn

import numpy as np

REFLECTED = {"add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__"}
REFLECTED |= {"divide": "__rtruediv__", "true_divide": "__rtruediv__"}


class Handle:
    """A quantity of one interpreter. shape excludes jet slots; axis 0 is the walker w unless
    `is_parameter`.
    """

    __slots__ = ("ops",)
    ops: Any
    data: Any
    is_parameter = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        name, first = ufunc.__name__, inputs[0]
        if name in REFLECTED and method == "__call__" and isinstance(first, np.generic):
            # np.float64(0.5) * x; the reflected method that Python itself would have looked up
            return getattr(self, REFLECTED[name])(first)
        if any(isinstance(x, np.ndarray) for x in inputs):
            raise TypeError(
                f"{name} of an array and a quantity inside log_psi: wrap fixed arrays with "
                "ops.constant(...)"
            )
        raise TypeError(
            f"np.{name} of a quantity inside log_psi: write it with ops, as in ops.tanh(x), or "
            "with + - * / ** @"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a quantity inside log_psi is no array: use ops.tanh(x), ops.sum(x), ... instead of "
            "numpy functions"
        )

    def __add__(self, other: Any) -> Handle:
        return self.ops.add(self, other)

    def __radd__(self, other: Any) -> Handle:
        return self.ops.add(self, other)

    def __sub__(self, other: Any) -> Handle:
        return self.ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Handle:
        return self.ops.add(self.ops.multiply(self, -1), other)

    def __mul__(self, other: Any) -> Handle:
        return self.ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Handle:
        return self.ops.multiply(self, other)

    def __truediv__(self, other: Any) -> Handle:
        return self.ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Handle:
        return self.ops.multiply(self.ops.power(self, -1), other)

    def __neg__(self) -> Handle:
        return self.ops.multiply(self, -1)

    def __pow__(self, exponent: float) -> Handle:
        return self.ops.power(self, exponent)

    def __abs__(self) -> Handle:
        return self.ops.abs(self)

    def _compared(self, other: Any) -> NoReturn:
        raise TypeError(
            "a quantity inside log_psi has no truth value: log_psi may not branch on coordinates "
            "or parameters; ops.maximum and ops.abs are there"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _compared

    def __bool__(self) -> bool:
        self._compared(None)

    def __float__(self) -> float:
        raise TypeError(
            "a quantity inside log_psi is no number: use ops.exp(x), ops.log(x), ... instead of "
            "functions of math"
        )

    __int__ = __complex__ = __index__ = __float__

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a quantity inside log_psi cannot be changed in place: make a new one with ops, as "
            "ops.concatenate or ops.stack"
        )

    def __matmul__(self, other: Any) -> Any:
        if not isinstance(other, Handle):
            return NotImplemented
        return (self.ops.affine if other.is_parameter else self.ops.matmul)(self, other)

    def __iter__(self) -> Any:
        raise TypeError(
            "a quantity inside log_psi cannot be iterated: use ops.component(r, k) for coordinate "
            "k, ops.take(r, [i]) for particle i, ops.pairs(r) for pairs"
        )

    def __getitem__(self, index: Any) -> Any:
        raise TypeError(
            "a quantity inside log_psi cannot be indexed: use ops.component(r, k) for coordinate "
            "k, ops.take(r, [i]) for particle i, ops.pairs(r) for pairs"
        )


def is_number(x: object) -> bool:
    return isinstance(x, int | float | numbers.Number)
