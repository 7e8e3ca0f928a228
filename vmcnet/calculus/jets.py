"""The interpreter of jets: value, every coordinate derivative and the Laplacian in one forward
pass.
"""

from __future__ import annotations

from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.jet import ALL, CONSTANT, OWN, Coordinates, Frame, JetData, embed
from vmcnet.calculus.quantity import Handle


class Jet(Handle):
    __slots__ = ("data", "is_parameter")

    def __init__(self, ops, data, is_parameter=False):
        self.ops, self.data, self.is_parameter = ops, data, is_parameter


class Jets(Interpreter):
    """Derivatives with respect to the coordinates r (W, n, d) of a walker block, or to r_i/u_i,
    units u (W, n) of every particle: derivatives are then u_i d/dr_i, the Laplacian is
    sum_i u_i^2 lap_i.
    """

    def __init__(self, xp, n: int, d: int, units=None):
        self.xp, self.frame, self._units = xp, Frame(n, d), units

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        data = operation.jet(self.xp, *[a.data for a in args], **static)
        if type(data) is tuple:
            return tuple([Jet(self, part) for part in data])
        return Jet(self, data, parameters)

    def total(self, x):
        while (
            len(x.shape) > 1
        ):  # the features first: flattening would widen the support of particles and pairs
            x = self.sum(x, axis=-1)
        return x

    def constant(self, array):
        return Jet(self, JetData(array[None], CONSTANT, self.frame))

    def parameter(self, array):
        return Jet(self, JetData(array[None], CONSTANT, self.frame), True)

    def coordinates(self, r):
        self.real_dtype = r.dtype
        data = Coordinates(self.xp, r, self.frame)
        if self._units is None:
            return Jet(self, data)
        slots = data.slots  # of no shared Jacobian: particles differ
        slots[1:-1] *= self._units[:, :, None]
        return Jet(self, JetData(slots, OWN, self.frame))

    def peek(self, x):
        return x.data.value

    def read(self, jet):
        """value (W,), derivatives (n d, W), Laplacian (W,) of a quantity of shape (W,), or of its
        JetData.
        """
        data = jet if isinstance(jet, JetData) else jet.data
        slots = embed(self.xp, data, ALL).slots
        return slots[0], slots[1:-1], slots[-1]
