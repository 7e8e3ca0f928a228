"""What log_psi does, written down once and repeated: the same operations on other coordinates,
without log_psi and its handles.

A small block of walkers spends more time on handles than on numbers. The order of operations cannot
depend on coordinates, since handles have no truth value; constants may depend on the spins, so that
a record holds for those spins alone. Where log_psi looks at numbers (`peek`, `data`, the sign of a
determinant) nothing is repeated.
"""

from __future__ import annotations

from vmcnet.calculus.quantity import Handle
from vmcnet.calculus.values import Values


class Recorded(Handle):
    """A quantity in a numbered register."""

    __slots__ = ("array", "index", "is_parameter")

    def __init__(self, ops, array, index, is_parameter=False):
        self.ops, self.array, self.index, self.is_parameter = ops, array, index, is_parameter

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def data(self):
        self.ops.looked_at = True
        return self.array


class Recorder(Values):
    """Values, and the steps that made them of the coordinates; what does not depend on coordinates
    is computed here and kept.
    """

    def __init__(self, xp):
        super().__init__(xp)
        self.looked_at, self._steps, self._registers, self._varying = False, [], [], set()

    def _register(self, array, varies=False, is_parameter=False):
        index = len(self._registers)
        self._registers.append(None if varies else array)
        if varies:
            self._varying.add(index)
        return Recorded(self, array, index, is_parameter)

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        array = operation.value(self.xp, *[a.array for a in args], **static)
        inputs = tuple([a.index for a in args])
        varies = not self._varying.isdisjoint(inputs)
        if type(array) is tuple:
            out = tuple([self._register(part, varies) for part in array])
        else:
            out = self._register(array, varies, parameters)
        if varies:
            to = tuple([o.index for o in out]) if type(out) is tuple else out.index
            self._steps.append((operation.value, inputs, static, to))
        return out

    def phase(self, phase):
        if phase is not None and not isinstance(phase, Handle):
            self.looked_at = True  # numbers, perhaps of these coordinates
        return super().phase(phase)

    def constant(self, array):
        return self._register(array)

    def parameter(self, array):
        return self._register(array, is_parameter=True)

    def coordinates(self, r):
        self.real_dtype = r.dtype
        out = self._register(r, varies=True)
        self._position = out.index
        return out

    def repeat(self, phase: Recorded | None, log: Recorded):
        """A function r -> the arrays of phase (or None) and log, or None where log_psi looked at
        numbers or did not read coordinates.
        """
        if self.looked_at or log.index not in self._varying:
            return None
        results = {log.index} | ({phase.index} if phase is not None else set())
        last = {
            k: n
            for n, (_, inputs, _, _) in enumerate(self._steps)
            for k in inputs
            if k in self._varying
        }
        steps = [
            (*step, tuple(k for k in set(step[1]) if last.get(k) == n and k not in results))
            for n, step in enumerate(self._steps)
        ]
        xp, kept, position, result = self.xp, self._registers, self._position, log.index
        sign = None if phase is None else phase.index

        def repeated(r):
            registers = kept.copy()
            registers[position] = r
            for value, inputs, static, out, dead in steps:
                array = value(xp, *[registers[k] for k in inputs], **static)
                if type(out) is tuple:
                    for k, part in zip(out, array, strict=True):
                        registers[k] = part
                else:
                    registers[out] = array
                for k in dead:
                    registers[k] = None
            return None if sign is None else registers[sign], registers[result]

        return repeated
