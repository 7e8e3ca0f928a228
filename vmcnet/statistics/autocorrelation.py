"""Integrated autocorrelation time."""

from __future__ import annotations

import numpy as np


def integrated_time(x, c: float = 5.0) -> tuple[float, bool]:
    """tau = 1 + 2 sum_t rho(t), up to the first window M >= c tau(M); (tau, whether the series has
    at least 50 tau).

    x (T,) or (T, chains). A. Sokal, Monte Carlo Methods in Statistical Mechanics (1997), sec. 3.
    White noise gives 1.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    n = len(x)
    y = x - x.mean(axis=0)
    f = np.fft.rfft(y, 2 * n, axis=0)
    covariance = np.fft.irfft((f * f.conj()).real, axis=0)[:n].mean(axis=1)
    if covariance[0] <= 0.0:
        return 1.0, True
    tau = 2.0 * np.cumsum(covariance / covariance[0]) - 1.0
    inside = np.arange(n) >= c * tau
    value = max(float(tau[np.argmax(inside)] if inside.any() else tau[-1]), 1e-12)
    return value, bool(inside.any() and n >= 50 * value)
