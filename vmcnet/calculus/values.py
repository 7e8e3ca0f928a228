"""The interpreter of plain numbers: what sampling uses."""

from __future__ import annotations

from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle


class Value(Handle):
    __slots__ = ("data", "is_parameter")

    def __init__(self, ops, data, is_parameter=False):
        self.ops, self.data, self.is_parameter = ops, data, is_parameter

    @property
    def shape(self):
        return self.data.shape


class Values(Interpreter):
    """Every operation is its value."""

    def __init__(self, xp):
        self.xp = xp

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        data = operation.value(self.xp, *[a.data for a in args], **static)
        if type(data) is tuple:
            return tuple([Value(self, part) for part in data])
        return Value(self, data, parameters)

    def constant(self, array):
        """A fixed array with the walker axis first (or of length 1)."""
        return Value(self, array)

    def parameter(self, array):
        return Value(self, array, True)

    def coordinates(self, r):
        self.real_dtype = r.dtype
        return Value(self, r)
