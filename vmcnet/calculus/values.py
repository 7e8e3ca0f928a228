"""The interpreter of plain numbers: what sampling uses."""

from __future__ import annotations

from typing import Any

from vmcnet.backend.arrays import Array
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle


class Value(Handle):
    __slots__ = ("data", "is_parameter")

    def __init__(self, ops: Any, data: Any, is_parameter: bool = False) -> None:
        self.ops, self.data, self.is_parameter = ops, data, is_parameter


class Values(Interpreter):
    """Every operation is its value."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def apply(self, operation: Any, args: Any, **static: Any) -> Any:
        parameters = self._of_parameters(operation, args)
        data = operation.value(self.xp, *[a.data for a in args], **static)
        if type(data) is tuple:
            return tuple([Value(self, part) for part in data])
        return Value(self, data, parameters)

    def constant(self, array: Array) -> Handle:
        """A fixed array with the walker axis first (or of length 1)."""
        return Value(self, array)

    def parameter(self, array: Array) -> Handle:
        return Value(self, array, True)

    def coordinates(self, r: Array) -> Handle:
        self.real_dtype = r.dtype
        return Value(self, r)
