"""Radial equations by finite elements: a second route beside collocation, for short lengths too."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

MOST_ELEMENTS, ITERATIONS = 120, 60


def breakpoints(shortest: float, longest: float, end: float, start: float = 0.0) -> np.ndarray:
    """`start`, then lengths that double from `shortest` on and grow by at most `longest`, up to
    `end`.
    """
    points = [start, min(start + shortest, end)]
    while points[-1] < end and len(points) <= MOST_ELEMENTS:
        points.append(min(end, points[-1] + min(points[-1] - start, longest)))
    return np.array(points)


def radial_energy(
    potential: Callable[[np.ndarray], np.ndarray],
    points: np.ndarray,
    dimensions: int,
    degree: int = 8,
    wall: bool = False,
) -> float:
    """Lowest eigenvalue of -(R'' + (d-1) R'/r) + potential(r) R = E R between the first and the
    last of `points`, R = 0 at the end, and with `wall` at the beginning: the minimum of int r^(d-1)
    (R'^2 + V R^2) / int r^(d-1) R^2 over functions that are polynomials of the degree on each
    element between `points`. NaN where the elements are too short for the arithmetic.
    """
    x, weight = np.polynomial.legendre.leggauss(degree + 4)
    nodes = np.cos(np.pi * np.arange(degree, -1, -1) / degree)
    onto = np.linalg.inv(np.polynomial.legendre.legvander(nodes, degree))
    value = np.polynomial.legendre.legvander(x, degree) @ onto  # (quadrature, degree + 1)
    slopes = np.stack(
        [
            np.polynomial.legendre.legval(x, np.polynomial.legendre.legder(c))
            for c in np.eye(degree + 1)
        ],
        axis=1,
    )
    slope = slopes @ onto
    size = degree * (len(points) - 1) + 1
    pieces = []  # part of the vector, quadrature weights with r^(d-1), potential, element's half
    for k, (a, b) in enumerate(itertools.pairwise(points)):
        half = 0.5 * (b - a)
        r = a + half * (x + 1.0)
        part = slice(k * degree, (k + 1) * degree + 1)
        pieces.append((part, weight * half * r ** (dimensions - 1), potential(r), half))
    lowest = min(v.min() for _, _, v, _ in pieces)
    energy, norm = np.zeros((size, size)), np.zeros((size, size))
    for part, measure, v, half in pieces:
        energy[part, part] += slope.T @ (slope * (measure / half**2)[:, None])
        energy[part, part] += value.T @ (value * (measure * (v - lowest))[:, None])
        norm[part, part] += value.T @ (value * measure[:, None])
    # inverse iteration and the quotient element by element: short elements make eigenvalues of
    # 1/length^2, whose rounding would drown the lowest one
    inner = slice(int(wall), size - 1)
    if not np.isfinite(energy).all():
        return float("nan")
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(energy[inner, inner], upper=True))
    except np.linalg.LinAlgError:
        return float("nan")
    vector = np.ones(size)
    for _ in range(ITERATIONS):
        vector[inner] = inverse @ (inverse.T @ (norm[inner, inner] @ vector[inner]))
        vector[: inner.start] = vector[-1] = 0.0
        vector /= np.abs(vector).max()
    above = below = 0.0
    for part, measure, v, half in pieces:
        function, derivative = value @ vector[part], slope @ vector[part] / half
        above += (measure * (derivative**2 + v * function**2)).sum()
        below += (measure * function**2).sum()
    return float(above / below)
