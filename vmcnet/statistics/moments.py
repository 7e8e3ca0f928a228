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


def merge_rows(counts: np.ndarray, means: np.ndarray, m2s: np.ndarray) -> Moments:
    """Merge the rows of B blocks, counts (B,), means and m2s (B, ...): neighbours first, then pairs
    of pairs, log2 B rounds of arrays.

    The tree depends on B alone, so that every rank gets the same bits, and 65 536 blocks take
    milliseconds. Every count must be above 0. Rows that hold NaN or infinite numbers give such
    moments, without a warning.
    """
    means, m2s = np.asarray(means), np.asarray(m2s)
    n = np.asarray(counts, dtype=np.float64).reshape(-1, *[1] * (means.ndim - 1))
    while len(n) > 1:
        even = len(n) - len(n) % 2
        na, nb, a, b = n[0:even:2], n[1:even:2], means[0:even:2], means[1:even:2]
        total = na + nb
        with np.errstate(invalid="ignore", over="ignore"):
            delta = b - a
            merged = (
                total,
                a + delta * (nb / total),
                m2s[0:even:2] + m2s[1:even:2] + delta * delta * (na * nb / total),
            )
        n, means, m2s = (
            np.concatenate([new, old[even:]])
            for new, old in zip(merged, (n, means, m2s), strict=True)
        )
    return Moments(float(n.ravel()[0]), means[0], m2s[0])
