"""What log_psi does, written down once and repeated: the same operations on other coordinates and
parameters, without log_psi and its handles.

A small block of walkers spends more time on handles than on numbers. The order of operations cannot
depend on coordinates or parameters, since handles have no truth value; constants may depend on the
spins, so that a record holds for those spins alone. Where log_psi looks at numbers (`peek`, `data`,
the sign of a determinant) nothing is repeated.

A record becomes a Python function, one line an operation: register k is its variable x<k>, and an
array that nothing reads any more is let go.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from vmcnet.calculus.jet import CONSTANT, Coordinates, Frame, JetData
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.quantity import Handle
from vmcnet.calculus.script import Script
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


class Step(NamedTuple):
    """An operation, the registers of its arguments, what else it takes, and the registers of its
    result: one, or two of (sign, log).
    """

    operation: Any
    inputs: tuple
    static: dict
    made: tuple

    @property
    def own(self):
        """The register that has derivatives."""
        return self.made[-1]


def _names(registers):
    return [f"x{k}" for k in registers]


def _endings(reads, kept):
    """For every entry of `reads`, the registers that are read there for the last time."""
    last = {k: n for n, registers in enumerate(reads) for k in registers}
    return [
        [k for k in dict.fromkeys(registers) if last[k] == n and k not in kept]
        for n, registers in enumerate(reads)
    ]


class Recorder(Values):
    """Values, and the steps that made them of coordinates and parameters; what depends on neither
    is computed here and kept.
    """

    def __init__(self, xp):
        super().__init__(xp)
        self.looked_at, self._steps, self._registers = False, [], []
        self._varying, self._moving = set(), set()  # with either, with coordinates

    def rule(self, operation):
        """What of an operation is recorded."""
        return operation.value

    def _register(self, array, varies=False, moves=False, is_parameter=False):
        index = len(self._registers)
        self._registers.append(None if varies else array)
        if varies:
            self._varying.add(index)
        if moves:
            self._moving.add(index)
        return Recorded(self, array, index, is_parameter)

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        array = self.rule(operation)(self.xp, *[a.array for a in args], **static)
        inputs = tuple([a.index for a in args])
        varies = not self._varying.isdisjoint(inputs)
        moves = not self._moving.isdisjoint(inputs)
        if type(array) is tuple:
            out = made = tuple([self._register(part, varies, moves) for part in array])
        else:
            out = self._register(array, varies, moves, parameters)
            made = (out,)
        if varies:
            self._steps.append(Step(operation, inputs, static, tuple([o.index for o in made])))
        return out

    def phase(self, phase):
        if phase is not None and not isinstance(phase, Handle):
            self.looked_at = True  # numbers, perhaps of these coordinates
        return super().phase(phase)

    def constant(self, array):
        return self._register(array)

    def unvaried(self, array):
        return self._register(array, is_parameter=True)

    def parameter(self, array):
        return self._register(array, varies=True, is_parameter=True)

    def coordinates(self, r):
        self.real_dtype = r.dtype
        out = self._register(r, varies=True, moves=True)
        self._position = out.index
        return out

    def _needed(self, results):
        """The steps that the registers `results` need."""
        needed, steps = set(results), []
        for step in reversed(self._steps):
            if not needed.isdisjoint(step.made):
                needed.update(step.inputs)
                steps.append(step)
        return steps[::-1]

    def _script(self, **names):
        constants = {f"x{k}": a for k, a in enumerate(self._registers) if k not in self._varying}
        return Script(xp=self.xp, **constants, **names)

    def repeat(self, phase: Recorded | None, log: Recorded, parameters: list):
        """A function: arrays of the `parameters` -> (r -> the arrays of phase (or None) and log),
        or None where log_psi looked at numbers or did not read coordinates.
        """
        if self.looked_at or log.index not in self._moving:
            return None
        results = [log.index] + ([] if phase is None else [phase.index])
        steps = self._needed(results)
        ours = [step for step in steps if not self._moving.isdisjoint(step.made)]
        script = self._script()
        script.define("bound(arrays)")
        script.line(f"[{', '.join(_names([p.index for p in parameters]))}] = arrays")
        for step in steps:
            if step not in ours:
                self._write(script, step)
        script.define(f"repeated(x{self._position})")
        reads = [[k for k in step.inputs if k in self._moving] for step in ours]
        for step, ended in zip(ours, _endings(reads, results), strict=True):
            self._write(script, step)
            script.forget(_names(ended))
        script.end(f"{None if phase is None else f'x{phase.index}'}, x{log.index}")
        script.end("repeated")
        return script.function("bound")

    def _write(self, script, step):
        call = script.call(self.rule(step.operation), _names(step.inputs), step.static)
        script.line(f"{', '.join(_names(step.made))} = {call}")


class JetRecorder(Recorder, Jets):
    """The same for jets: registers hold JetData."""

    def __init__(self, xp, n: int, d: int):
        super().__init__(xp)
        self.frame = Frame(n, d)

    def rule(self, operation):
        return operation.jet

    def _unmoved(self, array):
        return JetData(array[None], CONSTANT, self.frame)

    def constant(self, array):
        return super().constant(self._unmoved(array))

    def unvaried(self, array):
        return super().unvaried(self._unmoved(array))

    def parameter(self, array):
        return super().parameter(self._unmoved(array))

    def coordinates(self, r):
        out = super().coordinates(r)
        out.array = Coordinates(self.xp, r, self.frame)
        return out

    def repeat(self, phase: Recorded | None, log: Recorded, parameters: list):
        """A function: arrays of the `parameters` -> (r -> value, derivatives and Laplacian of log),
        or None.
        """
        bound = super().repeat(phase, log, parameters)
        if bound is None:
            return None

        def at(arrays):
            repeated = bound([self._unmoved(array) for array in arrays])
            return lambda r: self.read(repeated(Coordinates(self.xp, r, self.frame))[1])

        return at


class TapeRecorder(Recorder):
    """The steps of a reverse pass: for coordinates or for parameters; per_walker and factored as
    Tape.reverse has them.
    """

    def __init__(
        self,
        xp,
        coordinates_wanted=False,
        parameters_wanted=True,
        per_walker: Any = False,
        factored=False,
    ):
        super().__init__(xp)
        self._coordinates_wanted, self._parameters_wanted = coordinates_wanted, parameters_wanted
        self._per_walker, self._factored = per_walker, factored
        self._wanted, self._shapes, self._parameters = set(), [], set()

    def _register(self, array, varies=False, moves=False, is_parameter=False):
        out = super()._register(array, varies, moves, is_parameter)
        self._shapes.append(array.shape)
        if is_parameter:
            self._parameters.add(out.index)
        return out

    def apply(self, operation, args, **static):
        out = super().apply(operation, args, **static)
        if not self._wanted.isdisjoint([a.index for a in args]):
            self._wanted.add((out[1] if type(out) is tuple else out).index)
        return out

    def constant(self, array):
        if array.shape[0] == 1:  # as on the tape
            array = self.xp.broadcast_to(array, (self._walkers, *array.shape[1:]))
        return super().constant(array)

    def parameter(self, array):
        out = super().parameter(array)
        if self._parameters_wanted:
            self._wanted.add(out.index)
        return out

    def coordinates(self, r):
        self._walkers = r.shape[0]
        out = super().coordinates(r)
        if self._coordinates_wanted:
            self._wanted.add(out.index)
        return out

    def repeat(self, phase: Recorded | None, log: Recorded, parameters: list):
        """A function (arrays of the parameters, r, seed) -> log and the adjoints that Tape.reverse
        gives, of the coordinates as the last: one a parameter, None where log does not depend on
        it. None where log_psi looked at numbers.
        """
        if self.looked_at:
            return None
        result = log.index
        forward = self._needed([result])
        backward = self._backward(result, forward)
        reads = [step.inputs for step in forward] + [(s.own, *s.inputs) for s in backward]
        reads = [[k for k in registers if k in self._varying] for registers in reads]
        ends = _endings(reads, [result])
        leaves = [p.index for p in parameters]

        script = self._script(built=built, gathered=gathered)
        script.define(f"passed(arrays, x{self._position}, seed)")
        script.line(f"[{', '.join(_names(leaves))}] = arrays")
        for step, ended in zip(forward, ends, strict=False):
            self._write(script, step)
            script.forget(_names(ended))
        one = f"xp.ones(x{result}.shape, x{result}.dtype)"
        script.line(f"a{result} = {one} if seed is None else seed")
        met = {result}
        for step, ended in zip(backward, ends[len(forward) :], strict=True):
            self._write_back(script, step, met)
            script.forget(_names(ended))
        adjoints = [f"a{k}" if k in met else "None" for k in (*leaves, self._position)]
        script.end(f"x{result}, [{', '.join(adjoints)}]")
        return script.function("passed")

    def _keeps(self, step):
        return step.operation.keeps and step.own in self._wanted

    def _write(self, script, step):
        if not self._keeps(step):
            super()._write(script, step)
            return
        call = script.call(step.operation.record, _names(step.inputs), step.static)
        script.line(f"({', '.join(_names(step.made))}), k{step.own} = {call}")

    def _backward(self, result, forward):
        """The steps that the reverse pass goes through, the last first."""
        reached, steps = {result}, []
        for step in reversed(forward):
            if step.own in reached and step.own in self._wanted:
                reached.update([k for k in step.inputs if k in self._wanted])
                steps.append(step)
        return steps

    def _write_back(self, script, step, met):
        """A step back: the adjoints of its wanted arguments, added to those that were `met`."""
        operation, own, inputs = step.operation, step.own, step.inputs
        static = {**step.static, "per_walker": self._per_walker}
        if operation.selective:
            static["wanted"] = [k in self._wanted for k in inputs]
        names = [f"a{own}" if operation.spread else f"built(a{own})"]
        names += [f"x{k}" for k in (own, *inputs)]
        kept = [f"kept=k{own}"] if self._keeps(step) else []
        script.line(f"rule = {script.call(operation.reverse, names, static, kept)}")
        for part, k in enumerate(inputs):
            if k in self._wanted:
                known = f"a{k}" if k in met else None
                target = ", ".join([script.name(x) for x in self._target(k)])
                script.line(f"a{k} = gathered({known}, rule[{part}], {target})")
                met.add(k)
        script.forget(["rule", f"a{own}", *[f"k{own}" for _ in kept]])

    def _target(self, index):
        """What `gathered` takes of a register."""
        kept = self._per_walker if index in self._parameters else False
        shape = self._shapes[index]
        return shape, kept, expected(shape, self._walkers, kept), self._factored
