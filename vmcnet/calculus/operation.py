"""What an operation of log_psi is."""

from __future__ import annotations

from typing import Any, Protocol

from vmcnet.backend.arrays import Array


class Blocks(int):
    """How many blocks of walkers, one after the other, keep their sums apart."""

    def parts(self, array: Array) -> list[Array]:
        """The rows of every block, along axis 0."""
        rows = len(array) // self
        return [array[k * rows : (k + 1) * rows] for k in range(self)]


class Operation(Protocol):
    """One step of log_psi with its three rules, for arrays of any namespace xp, real or complex.

      value(xp, *args, **static) -> y                             arrays (w, ...) or of parameters
      jet(xp, *args, **static) -> y                               JetData of every argument
      reverse(xp, adjoint, y, *args, per_walker, **static)        one adjoint for every argument

    reverse: d log psi / d argument = sum adjoint d y / d argument, without conjugation; the
    interpreter sums what was broadcast. per_walker: False, or True: adjoints of parameters are kept
    for every walker, (w,) + shape, or Blocks(b): for b runs of as many walkers each, (b,) + shape,
    with the bits that every run would have alone. `static` are plain Python values. A value that is
    a tuple is (sign, log): the sign has no derivative, `adjoint` and `y` are those of the
    logarithm.

    name: as messages call it. pointwise: parameters alone may be its arguments, and make one.
    selective: reverse takes `wanted`, one bool for every argument, and may give None for the
    others. keeps: record(xp, *args, **static) -> (value, kept) makes what reverse takes as `kept`,
    once, and may overwrite. spread: the adjoint may be a Spread. apart(axes, **static): whether
    entries along axis 1 of arguments of so many axes stay apart, so that variants of entries can be
    made once (calculus.staged). chooses: chosen(xp, index, walkers, first, second, ...) is the
    value of configurations that choose among variants of two arguments.
    """

    name: str = ""
    pointwise: bool = False
    selective: bool = False
    keeps: bool = False
    spread: bool = False
    chooses: bool = False

    def value(self, xp: Any, *args: Any, **static: Any) -> Any: ...

    def jet(self, xp: Any, *args: Any, **static: Any) -> Any: ...

    def reverse(self, xp: Any, adjoint: Any, y: Any, *args: Any, **static: Any) -> Any: ...

    def apart(self, axes: int, **static: Any) -> bool:
        return self.pointwise

    def record(self, xp: Any, *args: Any, **static: Any) -> tuple[Any, Any]: ...
