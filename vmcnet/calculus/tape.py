"""The interpreter that records, and its reverse pass: back-propagation for parameters and for
coordinates.
"""

from __future__ import annotations

from vmcnet.backend.arrays import namespace
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.operation import Blocks
from vmcnet.calculus.outer import Outer, Spread
from vmcnet.calculus.quantity import Handle


class Node(Handle):
    """A value and, where an adjoint is wanted, what it came from. The tape itself keeps no node:
    all memory goes with the last one.
    """

    __slots__ = ("data", "index", "is_parameter", "operation", "parents", "static", "wanted")

    def __init__(
        self, ops, data, operation=None, parents=(), static=None, is_parameter=False, wanted=False
    ):
        self.ops, self.data, self.operation, self.parents = ops, data, operation, parents
        self.static, self.is_parameter, self.wanted = static, is_parameter, wanted
        self.index = ops.count
        ops.count += 1


def built(adjoint):
    return adjoint.dense() if isinstance(adjoint, Outer | Spread) else adjoint


def sum_to(array, shape, keep_first):
    """Sum `array` over the axes along which `shape` was broadcast; keep_first: all but the walker
    axis 0, or Blocks: the walkers of each block.
    """
    if isinstance(keep_first, Blocks):
        if array.shape == (keep_first, *shape):
            return array
        return namespace(array).stack([sum_to(a, shape, False) for a in keep_first.parts(array)])
    if keep_first:
        if array.shape[1:] == shape:
            return array
        lead = array.ndim - len(shape)
        array = array.sum(axis=tuple(range(1, lead))) if lead > 1 else array
        axes = tuple(1 + k for k, m in enumerate(shape) if m == 1 and array.shape[1 + k] != 1)
    else:
        if array.shape == shape:
            return array
        lead = array.ndim - len(shape)
        array = array.sum(axis=tuple(range(lead))) if lead else array
        axes = tuple(k for k, m in enumerate(shape) if m == 1 and array.shape[k] != 1)
    return array.sum(axis=axes, keepdims=True) if axes else array


def expected(shape, walkers, kept):
    """The shape of the adjoint of a quantity of this shape; `kept` as sum_to has keep_first."""
    if isinstance(kept, Blocks):
        return (int(kept), *shape)
    return (walkers, *shape) if kept else shape


def gathered(known, adjoint, shape, kept, whole, factored):
    """The adjoint `known` of a quantity of this shape, None before its first use, with what one of
    its uses gives, summed over what was broadcast to the shape `whole`; `kept` as sum_to has
    keep_first.
    """
    if type(adjoint) is Outer and not (factored and known is None):
        adjoint = adjoint.dense()
    if type(adjoint) is not Outer and adjoint.shape != whole:
        adjoint = sum_to(built(adjoint), shape, kept)
    return adjoint if known is None else built(known) + built(adjoint)


class Tape(Interpreter):
    """Records the operations of one log_psi call; `reverse` may be called once."""

    def __init__(self, xp, coordinates_wanted=False, parameters_wanted=True):
        self.xp, self.count, self.position = xp, 0, None
        self._coordinates_wanted, self._parameters_wanted = coordinates_wanted, parameters_wanted

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        data = [a.data for a in args]
        wanted = True in [a.wanted for a in args]
        if wanted and operation.keeps:
            value, kept = operation.record(self.xp, *data, **static)
            static = {**static, "kept": kept}
        else:
            value = operation.value(self.xp, *data, **static)
        made = (operation, args, static) if wanted else (None, (), None)
        if type(value) is tuple:
            sign, value = value
            return Node(self, sign), Node(self, value, *made, wanted=wanted)
        return Node(self, value, *made, is_parameter=parameters, wanted=wanted)

    def constant(self, array):
        # every walker its own copy, or the walkers' terms of a parameter's adjoint would be summed
        # too early
        if array.shape[0] == 1:
            array = self.xp.broadcast_to(array, (self._walkers,) + array.shape[1:])
        return Node(self, array)

    def parameter(self, array):
        return Node(self, array, is_parameter=True, wanted=self._parameters_wanted)

    def unvaried(self, array):
        return Node(self, array, is_parameter=True)

    def coordinates(self, r):
        self.real_dtype, self._walkers, self.position = r.dtype, r.shape[0], self.count
        return Node(self, r, wanted=self._coordinates_wanted)

    def reverse(self, output: Node, seed, per_walker=False, factored=False) -> dict[int, object]:
        """Adjoints of the leaves, by node index; that of the coordinates is `position`.

        seed (W,): weight of every walker's output. A parameter leaf of shape s gets sum_w seed_w d
        out_w / d p, shape s, or with per_walker the terms of that sum, (W,) + s: as an Outer if
        `factored` and the leaf is the weight of one affine layer without particle axis; with
        Blocks(b) the sums of b runs of walkers, (b,) + s. A coordinate leaf gets (W, n, d).
        """
        adjoints, pending = {output.index: seed}, {output.index: output}
        while pending:
            node = pending.pop(max(pending))
            if node.operation is None:
                continue
            static, node.static = node.static, None  # a rule overwrites what was kept
            if node.operation.selective:
                static = {**static, "wanted": [p.wanted for p in node.parents]}
            adjoint = adjoints.pop(node.index)
            rule = node.operation.reverse(
                self.xp,
                adjoint if node.operation.spread else built(adjoint),
                node.data,
                *[p.data for p in node.parents],
                per_walker=per_walker,
                **static,
            )
            for parent, adjoint in zip(node.parents, rule, strict=True):
                if parent.wanted:
                    pending[parent.index] = parent
                    kept = per_walker if parent.is_parameter else False
                    whole = expected(parent.shape, self._walkers, kept)
                    known, shape = adjoints.get(parent.index), parent.shape
                    adjoints[parent.index] = gathered(known, adjoint, shape, kept, whole, factored)
        return adjoints
