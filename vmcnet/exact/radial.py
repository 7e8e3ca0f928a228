"""Exact energies from equations in one variable: two electrons in a parabolic trap, one particle on
a line.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from vmcnet.exact.finite_elements import breakpoints, radial_energy


def chebyshev(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points x in [1, -1] and the matrix of differentiation on them (Trefethen, Spectral
    Methods in MATLAB, ch. 6).
    """
    x = np.cos(np.pi * np.arange(points + 1) / points)
    c = np.where(np.arange(points + 1) % points == 0, 2.0, 1.0) * (-1.0) ** np.arange(points + 1)
    difference = x[:, None] - x[None, :] + np.eye(points + 1)
    matrix = np.outer(c, 1.0 / c) / difference
    return x, matrix - np.diag(matrix.sum(axis=1))


def two_electron_energy(
    omega: float, dimensions: int, coupling: float = 1.0, softening: float = 0.0, points: int = 120
) -> float:
    """Ground-state energy (hartree) of two electrons, singlet, in d dimensions: centre of mass d
    omega/2 plus relative.

    Relative motion, mass 1/2: -(R'' + (d-1) R'/r) + (omega^2 r^2/4 + coupling/sqrt(r^2 +
    softening^2)) R = E R, times r, by
    Chebyshev collocation on [0, r_max]; the row r = 0 is Kato's cusp condition, without slope for a
    soft repulsion. M. Taut, Phys. Rev. A 48, 3561 (1993), eq. 8.
    """
    if dimensions < 2 and not softening:
        raise ValueError(
            "two_electron_energy needs 2 or 3 dimensions: the bare 1/|x| is singular in 1"
        )
    equilibrium = (2.0 * coupling / omega**2) ** (1.0 / 3.0)
    r_max = equilibrium + 10.0 / np.sqrt(omega)
    x, d1 = chebyshev(points)
    r, d1 = 0.5 * r_max * (x + 1.0), d1 * 2.0 / r_max
    operator = -(np.diag(r) @ d1 @ d1 + (dimensions - 1) * d1) + np.diag(
        0.25 * omega**2 * r**3 + coupling * (r / np.hypot(r, softening) if softening else 1.0)
    )
    if dimensions == 1:
        operator[points] = d1[points]  # the even solution
    inner = slice(1, points)  # without r_max (R = 0) and r = 0 (no energy in its row)
    contact = -operator[points, inner] / operator[points, points]
    reduced = (operator[inner, inner] + np.outer(operator[inner, points], contact)) / r[inner, None]
    levels = np.linalg.eigvals(reduced)
    real = levels[np.abs(levels.imag) < 1e-8 * np.abs(levels)].real
    return 0.5 * dimensions * omega + float(real[real > 0].min())


@lru_cache(maxsize=64)
def two_electron_reference(
    omega: float, dimensions: int, coupling: float = 1.0, softening: float = 0.0
) -> float | None:
    """The energy of `two_electron_energy` where two routes agree to 1e-7 of omega, else None: for a
    bare repulsion collocation and finite elements, for a soft one elements of two degrees and
    sizes.
    """
    width = 1.0 / np.sqrt(omega)
    end = (2.0 * coupling / omega**2) ** (1.0 / 3.0) + 10.0 * width
    shortest = min(softening or width, width) / 8.0

    def potential(r: np.ndarray) -> np.ndarray:
        return 0.25 * omega**2 * r**2 + coupling / np.hypot(r, softening)

    found = []
    for length, degree in ((1.5 * width, 8), (1.0 * width, 10)):
        points = breakpoints(shortest * length / width, length, end)
        if points[-1] < end:
            return None
        relative = radial_energy(potential, points, dimensions, degree)
        found.append(0.5 * dimensions * omega + relative)
    if not softening:
        found[1] = two_electron_energy(omega, dimensions, coupling)
    return found[1] if abs(found[0] - found[1]) < 1e-7 * max(omega, abs(found[1])) else None


def two_sphere_energy(omega: float, dimensions: int, diameter: float, points: int = 120) -> float:
    """Ground-state energy of two hard spheres of mass 1 in a spherical trap: centre of mass d
    omega/2 plus relative motion, -u'' + ((d-1)(d-3)/4r^2 + omega^2 r^2/4) u = E u for u = r^((d-1)
    /2) R on r >= diameter, u = 0 there, by Chebyshev collocation.
    """
    end = diameter + 12.0 / np.sqrt(omega)
    x, d1 = chebyshev(points)
    r, d1 = diameter + 0.5 * (end - diameter) * (x + 1.0), d1 * 2.0 / (end - diameter)
    inner = slice(1, points)
    potential = (dimensions - 1) * (dimensions - 3) / (4.0 * r**2) + 0.25 * (omega * r) ** 2
    levels = np.linalg.eigvals(np.diag(potential[inner]) - (d1 @ d1)[inner, inner])
    real = levels[np.abs(levels.imag) < 1e-8 * np.abs(levels)].real
    return 0.5 * dimensions * omega + float(real[real > 0].min())


@lru_cache(maxsize=64)
def two_sphere_reference(omega: float, dimensions: int, diameter: float) -> float | None:
    """The energy of `two_sphere_energy` where finite elements agree with it to 1e-7, else None."""
    width = 1.0 / np.sqrt(omega)
    end = diameter + 12.0 * width
    shortest = min(diameter, width) / 8.0
    points = breakpoints(shortest, width, end, diameter)
    if points[-1] < end:
        return None
    relative = radial_energy(
        lambda r: 0.25 * (omega * r) ** 2, points, dimensions, degree=10, wall=True
    )
    other = two_sphere_energy(omega, dimensions, diameter)
    found = 0.5 * dimensions * omega + relative
    return found if abs(found - other) < 1e-7 * abs(found) else None


def line_energy(
    potential: Callable[[np.ndarray], np.ndarray], extent: float, points: int = 160, level: int = 0
) -> float:
    """Eigenvalue `level`, counted from 0, of -(1/2) d^2/dx^2 + potential(x) on [-extent, extent],
    psi = 0 at the ends, by Chebyshev collocation; atomic units.
    """
    x, d1 = chebyshev(points)
    inner = slice(1, points)
    d2 = (d1 @ d1)[inner, inner] / extent**2
    levels = np.linalg.eigvals(-0.5 * d2 + np.diag(potential(extent * x[inner])))
    real = levels[np.abs(levels.imag) < 1e-8 * np.abs(levels)].real
    return float(np.sort(real)[level]) if len(real) > level else float("nan")
