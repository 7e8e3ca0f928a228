"""The interpreter of values for many configurations of labels at the same coordinates: what does
not depend on labels is evaluated once a walker.

As a jet has a support, a quantity here has a stage:

  shared   (W, ...)       no dependence on labels
  chosen   (W V, m, ...)  entry (w, m) is one of V variants, told by the labels of pair m
  every    (W C, ...)     all C configurations of every walker

An operation whose entries along axis 1 do not mix acts on the variants; one that mixes them makes
every configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle

SHARED, CHOSEN, EVERY = "shared", "chosen", "every"


@dataclass(frozen=True, eq=False)
class Choice:
    """index (W C, m): which of the variants every configuration of the labels has at m."""

    index: Any
    variants: int
    labels: Any


class Stage(Handle):
    """A quantity of Staged; to log_psi it has one row a configuration."""

    __slots__ = ("array", "choice", "is_parameter", "kind")

    def __init__(self, ops, array, kind, choice=None, is_parameter=False):
        self.ops, self.array, self.kind = ops, array, kind
        self.choice, self.is_parameter = choice, is_parameter

    @property
    def shape(self):
        if self.is_parameter or (self.kind == SHARED and len(self.array) != self.ops.walkers):
            return self.array.shape
        return (self.ops.walkers * self.ops.count, *self.array.shape[1:])

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def data(self):
        """The numbers of every configuration."""
        return self.array if self.is_parameter else self.ops.every(self)


class Staged(Interpreter):
    """Values of W walkers in C configurations each, walkers first: row w C + c."""

    def __init__(self, xp, walkers: int, count: int):
        self.xp, self.walkers, self.count, self._choices = xp, walkers, count, {}

    def apply(self, operation, args, **static):
        parameters = self._of_parameters(operation, args)
        kinds = {a.kind for a in args if not a.is_parameter}
        choices = {a.choice for a in args} - {None}
        # static values are numbers, tuples, or arrays as the rows of `select`
        by_row = any(getattr(x, "ndim", 0) for x in static.values())
        kind, choice = EVERY, None
        if not by_row and kinds <= {SHARED}:
            kind, arrays = SHARED, [a.array for a in args]
        elif not by_row and EVERY not in kinds and self._apart(operation, args, choices, static):
            kind, (choice,) = CHOSEN, choices
            arrays = [self._varied(a, choice) for a in args]
        elif operation.chooses and len(choices) == 1 and CHOSEN not in {a.kind for a in args[2:]}:
            (choice,) = choices
            pair = [self._varied(a, choice) for a in args[:2]]
            rest = [a.array for a in args[2:]]
            data = operation.chosen(self.xp, choice.index, self.walkers, *pair, *rest)
            return Stage(self, data, EVERY)
        else:
            arrays = [a.data for a in args]
        data = operation.value(self.xp, *arrays, **static)
        if type(data) is tuple:
            return tuple([Stage(self, part, kind, choice) for part in data])
        return Stage(self, data, kind, choice, parameters)

    @staticmethod
    def _apart(operation, args, choices, static) -> bool:
        """Whether the operation can act on variants: of one choice, and apart along axis 1."""
        if len(choices) != 1:
            return False
        (choice,), quantities = choices, [a for a in args if not a.is_parameter]
        lengths = [a.array.shape[1] if a.array.ndim > 1 else 0 for a in quantities]
        return set(lengths) <= {1, choice.index.shape[1]} and all(
            operation.apart(a.array.ndim, **static) for a in quantities
        )

    def _varied(self, x, choice):
        """x for every variant, (W V, ...)."""
        if x.is_parameter or x.kind == CHOSEN or len(x.array) != self.walkers:
            return x.array
        return self.xp.repeat(x.array, choice.variants, axis=0)

    def every(self, x):
        """The array of x for every configuration."""
        xp = self.xp
        if x.kind == EVERY or (x.kind == SHARED and len(x.array) != self.walkers):
            return x.array
        if x.kind == SHARED:
            return xp.repeat(x.array, self.count, axis=0)
        index, variants = x.choice.index, x.choice.variants
        first = xp.repeat(variants * xp.arange(self.walkers), self.count)[:, None]
        return x.array[first + index, xp.arange(index.shape[1])[None]]

    def constant(self, array):
        return Stage(self, array, EVERY if len(array) == self.walkers * self.count else SHARED)

    def parameter(self, array):
        return Stage(self, array, SHARED, is_parameter=True)

    def coordinates(self, r):
        self.real_dtype = r.dtype
        return Stage(self, r, SHARED)

    def pair_labels(self, s, functions):
        xp, kinds = self.xp, np.unique(to_host(s))
        first, second = np.repeat(kinds, len(kinds)), np.tile(kinds, len(kinds))
        numbers = np.stack([np.asarray(f(first, second), np.float64) for f in functions], axis=-1)
        table, variant = np.unique(numbers, axis=0, return_inverse=True)
        key = id(s), kinds.tobytes(), variant.tobytes()  # the choice keeps s
        if key not in self._choices:
            code = xp.searchsorted(xp.asarray(kinds), s)
            i, j = self._pairs(s.shape[1])
            index = xp.asarray(variant.reshape(-1))[code[:, i] * len(kinds) + code[:, j]]
            self._choices[key] = Choice(index, len(table), s)
        choice = self._choices[key]
        array = xp.asarray(table.astype(self.real_dtype))[None, :, None]
        shape = self.walkers, len(table), choice.index.shape[1], len(functions)
        array = xp.ascontiguousarray(xp.broadcast_to(array, shape))
        return Stage(self, array.reshape(-1, *shape[2:]), CHOSEN, choice)
