"""An evaluation that ends when its error is small enough: when it looks, what it keeps for that."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from vmcnet.engine.observing import Halves
from vmcnet.statistics.moments import Moments, merge

FIRST = 32  # measurements before the first look


class Looks:
    """Measurement numbers at which the error is compared with its target, fixed by the limit
    `steps` alone: steps, 3 steps/4, and halves of these down to 32.

    Half of a look is always the look before the last one. So three parts of running moments are
    enough for both halves at every look: up to the look before the last, from there to the last,
    and since then.
    """

    PARTS = 3

    def __init__(self, steps: int):
        at = [steps, 3 * steps // 4]
        while at[-1] >= FIRST:
            at.append(at[-2] // 2)
        while len(at) > 1 and at[-1] < FIRST:
            at.pop()
        self.at = at[::-1]
        first = self.at[0]
        middle = self.at[1] // 2 if len(self.at) > 1 else 3 * first // 4
        self._bounds = [0, first // 2, middle, *self.at]

    def part(self, done: int) -> tuple[int, int]:
        """Where measurement number `done` + 1 belongs, and its number there, from 1."""
        k = bisect_left(self._bounds, done + 1)
        return min(k - 1, 2), done + 1 - self._bounds[k - 1]

    def _counts(self, done: int) -> tuple[int, int, int]:
        k = self._bounds.index(done)
        a, b, c = self._bounds[k - 2 : k + 1]
        return a, b - a, c - b

    def joined(self, moments: Halves, done: int) -> Halves:
        """Both halves of the measurements up to a look, from the three parts."""
        _, n, m = self._counts(done)
        first, second, third = _parts(moments)
        return _packed(first, _union(n, second, m, third))

    def go_on(self, moments: Halves, done: int) -> Halves:
        """The three parts after a look that was not the last."""
        a, n, _ = self._counts(done)
        first, second, third = _parts(moments)
        return _packed(_union(a, first, n, second), third, tuple(0.0 * x for x in third))


def _parts(moments: Halves) -> list:
    return [(moments.mean[:, k], moments.m2[:, k]) for k in range(Looks.PARTS)]


def _union(n: int, a: tuple, m: int, b: tuple) -> tuple:
    found = merge(Moments(n, *a), Moments(m, *b))
    return found.mean, found.m2


def _packed(*parts: tuple) -> Halves:
    mean, m2 = zip(*parts, strict=True)
    return Halves(np.stack(mean, axis=1), np.stack(m2, axis=1))


def looks_of(steps: int, target_error: float | None) -> Looks | None:
    """The looks of an evaluation, None for one without a target."""
    return Looks(int(steps)) if target_error else None
