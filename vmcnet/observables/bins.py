"""Counting distances and positions into bins, and the volumes of the bins."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array


def counted(
    values: np.ndarray, weights: ArrayLike, low: float, width: float, bins: int
) -> np.ndarray:
    """Histograms (W, bins) of values (W, M) with weights that broadcast to them; what lies outside
    is left out.
    """
    walkers = len(values)
    place = np.floor((values - low) / width).astype(np.int64)
    weights = np.where((place >= 0) & (place < bins), weights, 0.0)
    place = np.clip(place, 0, bins - 1) + bins * np.arange(walkers)[:, None]
    return np.bincount(place.ravel(), weights.ravel(), walkers * bins).reshape(walkers, bins)


def texts(values: Iterable[float]) -> list[str]:
    """Different numbers as different texts, with as few digits as that takes, 4 at least."""
    for digits in range(4, 18):
        found = [f"{x:.{digits}g}" for x in values]
        if len(set(found)) == len(found):
            return found
    raise ValueError("expected different numbers")


def ball(radius: ArrayLike, dimensions: int) -> Array:
    """Volume of balls: 2 r, pi r^2, 4 pi r^3/3."""
    unit = math.pi ** (dimensions / 2) / math.gamma(dimensions / 2 + 1)
    return unit * np.asarray(radius, np.float64) ** dimensions


def ball_in_box(radius: float, lengths: np.ndarray) -> float:
    """Volume of the points of a box of these lengths (d,) that are nearer to its centre than
    `radius`: in closed form in one and two dimensions, by quadrature over slices in three.
    """
    half = np.sort(0.5 * np.asarray(lengths, np.float64))
    if len(half) == 1:
        return float(2.0 * min(radius, half[0]))
    if len(half) == 2:
        return float(4.0 * _quarter(np.array([radius]), half[0], half[1])[0])
    x, weights = np.polynomial.legendre.leggauss(64)
    a, b, c = half
    kinks = [math.sqrt(max(radius**2 - q, 0.0)) for q in (a * a, b * b, a * a + b * b)]
    ends = sorted({0.0, *(min(k, c, radius) for k in (*kinks, c))})
    total = 0.0
    for low, high in pairwise(ends):
        angle = 0.25 * np.pi * (x + 1.0)  # z = low + (high - low) sin^2: smooth at both ends
        z = low + (high - low) * np.sin(angle) ** 2
        slope = (high - low) * np.sin(2.0 * angle) * 0.25 * np.pi
        rho = np.sqrt(np.maximum(radius**2 - z**2, 0.0))
        total += float(weights @ (slope * _quarter(rho, a, b)))
    return 8.0 * total


def _quarter(radius: np.ndarray, a: float, b: float) -> np.ndarray:
    """Area of x < a, y < b, x^2 + y^2 < radius^2 in the first quadrant."""
    radius = np.maximum(radius, 1e-300)
    near = np.minimum(
        np.sqrt(np.maximum(radius**2 - b * b, 0.0)), a
    )  # where the circle meets y = b
    far = np.minimum(a, radius)

    def under(x: Array) -> Array:
        root = np.sqrt(np.maximum(radius**2 - x * x, 0.0))
        return 0.5 * (x * root + radius**2 * np.arcsin(np.minimum(x / radius, 1.0)))

    return b * near + under(far) - under(near)
