"""Means of many quantities from independent chains, with all that says how good they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vmcnet.statistics.autocorrelation import NEEDED, integrated_time
from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.convergence import split_rhat
from vmcnet.statistics.format import with_error

FEWEST = 4  # chains below which no error is given
SEVERAL = 32  # chains from which on their spread tells the autocorrelation time


@dataclass(frozen=True)
class Estimate:
    """One quantity: mean, error between chains (NaN: unknown), blocking error (NaN: no plateau)."""

    mean: float
    error: float
    blocking: float

    def __str__(self) -> str:
        return with_error(self.mean, self.error)


@dataclass(frozen=True)
class Estimates:
    """K quantities. mean, error, blocking, time, spread_time, rhat, variance (K,); reliable bool.

    error: sqrt(var_g(mean_g)/G) between G chains; blocking: of the series of their mean, NaN
    without series or plateau; time: integrated autocorrelation time of that series, in measurements
    (without a series spread_time); spread_time: G T error^2/variance, the autocorrelation time that
    the chains' spread shows; reliable: there are 50 autocorrelation times; rhat: split R-hat;
    variance: of a chain's values about the common mean.
    """

    mean: np.ndarray
    error: np.ndarray
    blocking: np.ndarray
    time: np.ndarray
    spread_time: np.ndarray
    reliable: np.ndarray
    rhat: np.ndarray
    variance: np.ndarray

    def __getitem__(self, k: int) -> Estimate:
        return Estimate(float(self.mean[k]), float(self.error[k]), float(self.blocking[k]))


def averages(mean: np.ndarray, m2: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every chain the average over time and that of the square about the common mean, (K, G)
    each; mean and m2 (2, K, G) of both halves of `steps` measurements.
    """
    counts = np.array([steps // 2, steps - steps // 2], float)[:, None, None]
    average = (mean * counts).sum(axis=0) / steps
    centre = average.mean(axis=1)[:, None]
    return average, (m2 + counts * (mean - centre) ** 2).sum(axis=0) / steps


def estimates(
    mean: np.ndarray,
    m2: np.ndarray,
    steps: int,
    series: np.ndarray | None = None,
    blocking: str = "pyblock",
) -> Estimates:
    """Estimates of K quantities from running moments of G independent chains.

    mean, m2 (2, K, G): mean and sum of squared deviations in the first and second half of `steps`
    measurements; series (steps, K): means over the chains, measurement by measurement, or None;
    blocking: criterion of the blocking error.
    """
    mean, m2 = np.asarray(mean, np.float64), np.asarray(m2, np.float64)
    kinds, chains = mean.shape[1:]
    average, square = averages(mean, m2, steps)
    variance, nan = square.mean(axis=1), np.full(kinds, np.nan)
    error = np.sqrt(average.var(axis=1, ddof=1) / chains) if chains > 1 else nan.copy()
    between = np.full(kinds, np.nan)
    if chains > 1:
        np.divide(steps * chains * error**2, variance, out=between, where=variance > 0.0)
    error = np.where(chains >= FEWEST, error, np.nan)
    half = steps // 2
    rhat = (
        np.array([split_rhat(mean[:, k], m2[:, k], half) for k in range(kinds)])
        if half >= 2
        else nan.copy()
    )
    blocked, time, reliable = nan.copy(), between.copy(), np.zeros(kinds, bool)
    if series is not None and steps >= 2:
        for k, x in enumerate(np.asarray(series, np.float64).T):
            blocked[k] = blocking_error(x, blocking).error
            if steps >= 4:
                time[k], reliable[k] = integrated_time(x)
    if chains >= SEVERAL:
        upper = between * (1.0 + 2.0 * np.sqrt(2.0 / (chains - 1)))
        reliable = steps >= NEEDED * np.maximum(upper, 1.0)
    return Estimates(average.mean(axis=1), error, blocked, time, between, reliable, rhat, variance)
