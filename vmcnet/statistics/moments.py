"""Count, mean and sum of squared deviations, and their merging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Moments:
    """count, mean, m2 = sum (x - mean)^2, elementwise."""

    count: float
    mean: Any  # array or number
    m2: Any

    @classmethod
    def of(cls, x: np.ndarray, axis: int = 0) -> Moments:
        x = np.asarray(x)
        mean = x.mean(axis=axis)
        return cls(x.shape[axis], mean, ((x - np.expand_dims(mean, axis)) ** 2).sum(axis=axis))

    @property
    def variance(self) -> Any:
        return self.m2 / (self.count - 1)

    @property
    def error(self) -> Any:
        return np.sqrt(self.variance / self.count)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union of two samples (Chan, Golub, LeVeque 1979, eq. 2.1)."""
    if not a.count:
        return b
    if not b.count:
        return a
    n, delta = a.count + b.count, b.mean - a.mean
    return Moments(
        n, a.mean + delta * (b.count / n), a.m2 + b.m2 + delta * delta * (a.count * b.count / n)
    )
