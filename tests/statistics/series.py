"""Series whose error of the mean is known in closed form."""

import numpy as np


def ar1(phi, n, seed, chains=None):
    """x' = phi x + sqrt(1 - phi^2) e, stationary, variance 1: (n,) or (n, chains)."""
    shape = (n,) if chains is None else (n, chains)
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[1:] *= np.sqrt(1.0 - phi * phi)
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -phi], noise, axis=0)


def ar1_error(phi, n):
    """Standard error of the mean: n Var = (1 + phi)/(1 - phi) - 2 phi (1 - phi^n)/(n (1 -
    phi)^2).
    """
    return np.sqrt(((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)) / n)
