"""Parts of a quantity and other shapes of it: particles or features chosen by fixed indices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, LOCAL, OWN, PAIRED, JetData, embed
from vmcnet.calculus.operation import Operation


@lru_cache(maxsize=256)
def _positions(xp, index: tuple):
    return xp.asarray(np.array(index, np.int64))


def _chosen(xp, array, index: tuple, axis: int):
    """array[..., index, ...] along one axis, counted from the end; a copy."""
    return array.take(_positions(xp, index), axis=axis)


class Take(Operation):
    """The entries `index` along one axis after the walkers'; index a fixed tuple of integers.

    Taken along the particle axis, a jet of own support keeps it: its `rows` say which particles
    remain. Reverse: the adjoints go back to where the entries came from, repeated ones are summed.
    """

    name = "take"

    def apart(self, axes, index, axis):
        return axis > 1

    def value(self, xp, x, index, axis):
        return _chosen(xp, x, index, axis - x.ndim)

    def jet(self, xp, x, index, axis):
        back = axis - len(x.shape)
        if x.support == LINEAR:
            slots, jacobian = (_chosen(xp, a, index, back) for a in (x.slots, x.jacobian))
            return JetData(slots, LINEAR, x.frame, jacobian)
        along = axis == 1 and x.support in LOCAL
        if along and x.support in PAIRED:
            x = embed(xp, x, ALL)
        out = x.like(_chosen(xp, x.slots, index, back))
        if along and x.support == OWN:
            out.rows = tuple(x.particles[k] for k in index)
        return out

    def reverse(self, xp, adjoint, out, x, index, axis, per_walker=False):
        dx = xp.zeros(x.shape, adjoint.dtype)
        rest = (slice(None),) * (x.ndim - axis - 1)
        if len(set(index)) == len(index):
            dx[(Ellipsis, _positions(xp, index), *rest)] = adjoint
        else:
            for k, source in enumerate(index):
                dx[(Ellipsis, source, *rest)] += adjoint[(Ellipsis, k, *rest)]
        return (dx,)


class Select(Operation):
    """The particles rows (w, m), different ones for every walker and each at most once: (w, n, ...)
    -> (w, m, ...). Reverse: the adjoints go back to where the entries came from.
    """

    name = "select"

    @staticmethod
    def _places(xp, rows):
        return xp.arange(len(rows))[:, None], rows

    def value(self, xp, x, rows):
        return x[self._places(xp, rows)]

    def jet(self, xp, x, rows):
        if x.support != CONSTANT:
            x = embed(xp, x, ALL)
        return x.like(x.slots[(slice(None), *self._places(xp, rows))])

    def reverse(self, xp, adjoint, out, x, rows, per_walker=False):
        dx = xp.zeros(x.shape, adjoint.dtype)
        dx[self._places(xp, rows)] = adjoint
        return (dx,)


class Reshape(Operation):
    """The same numbers in the shape (w, *shape). Where the particle or pair axis stays the first of
    them, a jet keeps its support.
    """

    name = "reshape"

    def value(self, xp, x, shape):
        return x.reshape(x.shape[:1] + shape)

    def jet(self, xp, x, shape):
        kept = x.support in (CONSTANT, ALL) or (
            x.support in LOCAL and shape and shape[0] == x.shape[1]
        )
        if not kept:
            x = embed(xp, x, ALL)
        return x.like(x.slots.reshape(x.slots.shape[:2] + shape))

    def reverse(self, xp, adjoint, out, x, shape, per_walker=False):
        return (adjoint.reshape(x.shape),)


def filled(shape, given: tuple) -> tuple:
    """`given` with its one -1 replaced by what the sizes of `shape` (w, ...) leave; raises
    ValueError where they do not fit.
    """
    size, known = int(np.prod(shape[1:])), int(np.prod([k for k in given if k != -1]))
    if given.count(-1) == 1 and known and size % known == 0:
        given = tuple(size // known if k == -1 else k for k in given)
    if any(k < 0 for k in given) or int(np.prod(given)) != size:
        raise ValueError(
            f"reshape of shape {shape} to (walkers, {', '.join(map(str, given))}): expected "
            f"{size} numbers a walker"
        )
    return given


def indices(shape, index, axis: int) -> tuple:
    """`index` as a tuple of integers >= 0; raises ValueError or TypeError where they do not fit."""
    numbers = index.tolist() if isinstance(index, np.ndarray) else list(index)
    if not numbers or not all(type(k) is int for k in numbers):
        raise TypeError(f"take needs fixed integers, at least one, got {index!r}")
    size = shape[axis]
    if not all(-size <= k < size for k in numbers):
        raise ValueError(
            f"take of {numbers} along axis {axis} of a quantity of shape {shape}: expected "
            f"integers below {size}"
        )
    return tuple(k % size for k in numbers)


TAKE, SELECT, RESHAPE = Take(), Select(), Reshape()
