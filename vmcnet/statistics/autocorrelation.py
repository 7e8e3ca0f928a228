"""Integrated autocorrelation time."""

from __future__ import annotations

import numpy as np

NEEDED = 50  # autocorrelation times that a series must be long
CONFIDENCE = 3.0  # standard deviations of tau that are added before a series counts as long


def integrated_time(x: np.ndarray, c: float = 5.0) -> tuple[float, bool]:
    """tau = 1 + 2 sum_t rho(t), up to the first window M >= c tau(M); (tau, whether it is
    reliable).

    x (T,) or (T, chains). White noise gives 1. Reliable: T >= 50 max(tau, 1) (1 + v) (1 + 3 sqrt(2
    v)), v = (2 M + 1)/T with M >= c: tau is corrected for the mean taken off and raised by three
    standard deviations (Wolff, Comput. Phys. Commun. 156, 143 (2004), eqs. 42 and 49), so that a
    short series is hardly ever called reliable by chance. NaN, not reliable, for a constant series.
    A. Sokal, Monte Carlo Methods in Statistical Mechanics (1997), sec. 3.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    n = len(x)
    y = x - x.mean(axis=0)
    f = np.fft.rfft(y, 2 * n, axis=0)
    covariance = np.fft.irfft((f * f.conj()).real, axis=0)[:n].mean(axis=1)
    if covariance[0] <= 0.0 or (x == x[0]).all():
        return float("nan"), False
    tau = 2.0 * np.cumsum(covariance / covariance[0]) - 1.0
    inside = np.arange(n) >= c * tau
    window = int(np.argmax(inside)) if inside.any() else n - 1
    value = max(float(tau[window]), 1e-12)
    spread = (2.0 * max(window, c) + 1.0) / n
    upper = max(value, 1.0) * (1.0 + spread) * (1.0 + CONFIDENCE * np.sqrt(2.0 * spread))
    return value, bool(inside.any() and n >= NEEDED * upper)
