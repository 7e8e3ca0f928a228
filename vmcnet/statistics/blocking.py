"""Blocking analysis of a correlated series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockingCurve:
    """Level k: block size 2^k, number of blocks, error of the mean, error of that error."""

    sizes: np.ndarray
    counts: np.ndarray
    errors: np.ndarray
    error_errors: np.ndarray


@dataclass(frozen=True)
class Blocking:
    mean: float
    error: float
    level: int | None
    curve: BlockingCurve
    method: str


def checked(x) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"blocking needs a series of at least 2 numbers, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"blocking: entry {int(np.flatnonzero(~np.isfinite(x))[0])} of the series is not finite")
    return x


def blocking_curve(x) -> BlockingCurve:
    """Error of the mean sqrt(c0/(n-1)) after k pairwise averagings x' = (x_2i-1 + x_2i)/2; its error is 1/sqrt(2(n-1)) of it.

    Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989), eq. 28. Of an odd number the oldest entry is dropped.
    """
    x, counts, errors = checked(x), [], []
    while len(x) >= 2:
        counts.append(len(x))
        errors.append(np.sqrt(x.var() / (len(x) - 1)))
        x = x[len(x) % 2:].reshape(-1, 2).mean(axis=1)
    counts, errors = np.array(counts), np.array(errors)
    return BlockingCurve(2 ** np.arange(len(counts)), counts, errors, errors / np.sqrt(2.0 * (counts - 1)))


def plateau_pyblock(curve: BlockingCurve, n: int) -> int | None:
    """The first level with B^3 > 2 n (SE_B/SE_1)^4, or None (Wolff, Comput. Phys. Commun. 156, 143 (2004); Lee et al., PRE 83, 066706)."""
    if curve.errors[0] == 0.0:
        return 0
    good = curve.sizes.astype(float) ** 3 > 2.0 * n * (curve.errors / curve.errors[0]) ** 4
    return int(np.argmax(good)) if good.any() else None


def blocking_error(x, method: str = "pyblock") -> Blocking:
    x = checked(x)
    curve = blocking_curve(x)
    level = plateau_pyblock(curve, len(x))
    return Blocking(float(x.mean()), float(curve.errors[level]) if level is not None else float("nan"), level, curve, method)
