"""Count, mean and sum of squared deviations, and their merging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """count, mean, m2 = sum (x - mean)^2, elementwise."""

    count: float
    mean: object
    m2: object

    @classmethod
    def of(cls, x, axis=0):
        x = np.asarray(x)
        mean = x.mean(axis=axis)
        return cls(x.shape[axis], mean, ((x - np.expand_dims(mean, axis)) ** 2).sum(axis=axis))

    @property
    def variance(self):
        return self.m2 / (self.count - 1)

    @property
    def error(self):
        return np.sqrt(self.variance / self.count)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two samples (Chan, Golub, LeVeque 1979, eq. 2.1)."""
    if not a.count:
        return b
    if not b.count:
        return a
    n, delta = a.count + b.count, b.mean - a.mean
    return Moments(n, a.mean + delta * (b.count / n), a.m2 + b.m2 + delta * delta * (a.count * b.count / n))


def merge_rows(counts, means, m2s) -> Moments:
    """Merge block by block, in order."""
    total = Moments(0, np.zeros_like(means[0]), np.zeros_like(m2s[0]))
    for c, m, s in zip(counts, means, m2s, strict=True):
        total = merge(total, Moments(c, m, s))
    return total
