"""What log_psi does, written down once and repeated: the same operations on other coordinates,
without log_psi and its handles.

A small block of walkers spends more time on handles than on numbers. The order of operations cannot
depend on coordinates, since handles have no truth value; constants may depend on the spins, so that
a record holds for those spins alone. Where log_psi looks at numbers (`peek`, `data`, the sign of a
determinant) nothing is repeated.
"""

from __future__ import annotations

from vmcnet.calculus.jet import CONSTANT, Coordinates, Frame, JetData
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.outer import Outer
from vmcnet.calculus.quantity import Handle
from vmcnet.calculus.tape import built, expected, gathered
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


def _ending(last, registers, n, kept=()):
    """Those of the registers that nothing reads after step n."""
    return tuple(k for k in set(registers) if last.get(k) == n and k not in kept)


def _own(to):
    """The register that has derivatives, of a result or of (sign, log)."""
    return to[1] if type(to) is tuple else to


class Recorder(Values):
    """Values, and the steps that made them of the coordinates; what does not depend on coordinates
    is computed here and kept.
    """

    def __init__(self, xp):
        super().__init__(xp)
        self.looked_at, self._steps, self._registers, self._varying = False, [], [], set()

    def rule(self, operation):
        """What of an operation is recorded."""
        return operation.value

    def _register(self, array, varies=False, is_parameter=False):
        index = len(self._registers)
        self._registers.append(None if varies else array)
        if varies:
            self._varying.add(index)
        return Recorded(self, array, index, is_parameter)

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        array = self.rule(operation)(self.xp, *[a.array for a in args], **static)
        inputs = tuple([a.index for a in args])
        varies = not self._varying.isdisjoint(inputs)
        if type(array) is tuple:
            out = tuple([self._register(part, varies) for part in array])
        else:
            out = self._register(array, varies, parameters)
        if varies:
            to = tuple([o.index for o in out]) if type(out) is tuple else out.index
            self._steps.append((operation, inputs, static, to))
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
            (self.rule(o), inputs, static, to, _ending(last, inputs, n, results))
            for n, (o, inputs, static, to) in enumerate(self._steps)
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


class JetRecorder(Recorder, Jets):
    """The same for jets: registers hold JetData."""

    def __init__(self, xp, n: int, d: int):
        super().__init__(xp)
        self.frame = Frame(n, d)

    def rule(self, operation):
        return operation.jet

    def constant(self, array):
        return self._register(JetData(array[None], CONSTANT, self.frame))

    def parameter(self, array):
        data = JetData(array[None], CONSTANT, self.frame)
        return self._register(data, is_parameter=True)

    def coordinates(self, r):
        out = super().coordinates(r)
        out.array = Coordinates(self.xp, r, self.frame)
        return out

    def repeat(self, phase: Recorded | None, log: Recorded):
        """A function r -> value, derivatives and Laplacian of log, or None."""
        repeated = super().repeat(phase, log)
        if repeated is None:
            return None
        return lambda r: self.read(repeated(Coordinates(self.xp, r, self.frame))[1])


class TapeRecorder(Recorder):
    """The steps of a reverse pass: for coordinates or for parameters, which vary as coordinates
    do.
    """

    def __init__(self, xp, coordinates_wanted=False, parameters_wanted=True):
        super().__init__(xp)
        self._coordinates_wanted, self._parameters_wanted = coordinates_wanted, parameters_wanted
        self._wanted, self._shapes, self._parameters = set(), [], set()

    def _register(self, array, varies=False, is_parameter=False):
        out = super()._register(array, varies, is_parameter)
        self._shapes.append(array.shape)
        if is_parameter:
            self._parameters.add(out.index)
        return out

    def apply(self, operation, args, **static):
        out = super().apply(operation, args, **static)
        if not self._wanted.isdisjoint([a.index for a in args]):
            self._wanted.add(_own(out).index)
        return out

    def constant(self, array):
        if array.shape[0] == 1:  # as on the tape
            array = self.xp.broadcast_to(array, (self._walkers, *array.shape[1:]))
        return super().constant(array)

    def parameter(self, array):
        out = self._register(array, varies=True, is_parameter=True)
        if self._parameters_wanted:
            self._wanted.add(out.index)
        return out

    def unvaried(self, array):
        return self._register(array, is_parameter=True)

    def coordinates(self, r):
        self._walkers = r.shape[0]
        out = super().coordinates(r)
        if self._coordinates_wanted:
            self._wanted.add(out.index)
        return out

    def passes(self, log: Recorded, parameters: list, per_walker, factored: bool):
        """A function (r, arrays of the parameters, seed) -> log and the adjoints that
        Tape.reverse gives, of the coordinates as the last: one a parameter, None where log does
        not depend on it. None where log_psi looked at numbers.
        """
        if self.looked_at:
            return None
        forward = self._forward(log.index)
        backward = self._backward(log.index, forward, per_walker)
        reads = [step[1] for step in forward] + [(own, *inputs) for _, own, inputs, *_ in backward]
        last = {k: n for n, registers in enumerate(reads) for k in registers if k in self._varying}
        ends = [_ending(last, registers, n, {log.index}) for n, registers in enumerate(reads)]
        forward = list(zip(forward, ends, strict=False))
        backward = list(zip(backward, ends[len(forward) :], strict=True))
        xp, constants, result = self.xp, self._registers, log.index
        leaves = [p.index for p in parameters]
        position = self._position

        def passed(r, arrays, seed):
            registers = constants.copy()
            registers[position] = r
            for k, array in zip(leaves, arrays, strict=True):
                registers[k] = array
            kept = {}
            for (operation, inputs, static, to, keeps), ended in forward:
                data = [registers[k] for k in inputs]
                if keeps:
                    array, kept[_own(to)] = operation.record(xp, *data, **static)
                else:
                    array = operation.value(xp, *data, **static)
                if type(to) is tuple:
                    for k, part in zip(to, array, strict=True):
                        registers[k] = part
                else:
                    registers[to] = array
                for k in ended:
                    registers[k] = None
            log = registers[result]
            adjoints = {result: xp.ones(log.shape, log.dtype) if seed is None else seed}
            for (operation, own, inputs, static, keeps, targets), ended in backward:
                if keeps:
                    static = {**static, "kept": kept.pop(own)}
                data, adjoint = [registers[k] for k in inputs], adjoints.pop(own)
                adjoint = adjoint if operation.spread else built(adjoint)
                rule = operation.reverse(xp, adjoint, registers[own], *data, **static)
                for part, k, shape, sums, whole in targets:
                    adjoint = rule[part]
                    if k not in adjoints and type(adjoint) is not Outer and adjoint.shape == whole:
                        adjoints[k] = adjoint
                    else:
                        gathered(adjoints, k, adjoint, shape, sums, whole, factored)
                for k in ended:
                    registers[k] = None
            return log, [adjoints.get(k) for k in (*leaves, position)]

        return passed

    def _forward(self, result):
        """The steps that `result` needs: operation, inputs, static, register, whether it keeps."""
        needed, steps = {result}, []
        for operation, inputs, static, to in reversed(self._steps):
            made = to if type(to) is tuple else (to,)
            if not needed.isdisjoint(made):
                needed.update(inputs)
                keeps = operation.keeps and _own(to) in self._wanted
                steps.append((operation, inputs, static, to, keeps))
        return steps[::-1]

    def _backward(self, result, forward, per_walker):
        """The steps back from `result`: operation, own register, inputs, static, whether it takes
        what was kept, and of wanted inputs (place in the answer, input, what `gathered` takes).
        """
        reached, steps = {result}, []
        for operation, inputs, static, to, keeps in reversed(forward):
            own = _own(to)
            if own not in reached or own not in self._wanted:
                continue
            static = {**static, "per_walker": per_walker}
            if operation.selective:
                static["wanted"] = [k in self._wanted for k in inputs]
            targets = [
                (part, k, *self._target(k, per_walker))
                for part, k in enumerate(inputs)
                if k in self._wanted
            ]
            reached.update(k for _, k, *_ in targets)
            steps.append((operation, own, inputs, static, keeps, targets))
        return steps

    def _target(self, index, per_walker):
        shape, kept = self._shapes[index], per_walker if index in self._parameters else False
        return shape, kept, expected(shape, self._walkers, kept)
