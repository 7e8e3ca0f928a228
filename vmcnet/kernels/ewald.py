"""Ewald energies in array code, the twin of numba_ewald.py and ewald_cuda.py."""

from __future__ import annotations

from itertools import product

import numpy as np


def ewald(xp, r, lengths, charges, kappa: float, top: int, integers, weight):
    """Short-range sum and half the sum over wave vectors (W,) float64, without the constant; r (W,
    n, d), lengths (d,), charges (n,), integers (G, d), at most `top`, and weight (G,) on the host.
    """
    r, shortest = r.astype(np.float64), lengths.min()
    waves = xp.asarray(2.0 * np.pi * integers / lengths).T
    i, j = (xp.asarray(k) for k in np.triu_indices(r.shape[1], 1))
    squares = float((charges**2).sum())
    lengths, charges = xp.asarray(lengths), xp.asarray(charges)
    x = r[:, i] - r[:, j]
    x = x - lengths * xp.floor(x / lengths)  # the images x and x - L on every axis
    short = xp.zeros(x.shape[:2])
    for image in product((0.0, 1.0), repeat=r.shape[2]):
        shifted = x - xp.asarray(np.array(image)) * lengths
        distance = xp.sqrt((shifted * shifted).sum(axis=-1))
        short = short + xp.where(distance < shortest, screened(xp, kappa, distance), 0.0)
    phase = r @ waves
    rho = (xp.cos(phase) * charges[:, None]).sum(axis=1) ** 2 + (
        xp.sin(phase) * charges[:, None]
    ).sum(axis=1) ** 2
    return (short * charges[i] * charges[j]).sum(axis=1) + 0.5 * (
        (rho - squares) @ xp.asarray(weight)
    )


def screened(xp, kappa: float, distance):
    """erfc(kappa r)/r in array code, to 1e-15 (1 + 1/r), for r > 0.

    The trapezoidal rule of step h for the integral of exp(-t^2)/(t^2 + x^2), whose error the pole
    at t = i x gives in closed form. Chiarella and Reichel, Math. Comp. 22, 137 (1968), eq. 4.
    """
    h, x = 0.5, kappa * distance
    square, total = x * x, 0.5 / (x * x)
    for k in range(1, 14):
        total = total + np.exp(-((k * h) ** 2)) / ((k * h) ** 2 + square)
    pole = xp.where(x < np.pi / h, 2.0 / xp.expm1((2.0 * np.pi / h) * xp.minimum(x, 30.0)), 0.0)
    return ((2.0 * h / np.pi) * x * xp.exp(-square) * total - pole) / distance
