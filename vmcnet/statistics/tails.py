"""How heavy the tails of a distribution are: whether its mean and its variance exist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = 32  # bins an octave
LOWEST, OCTAVES = -64, 128  # powers of two that are told apart
BINS = STEPS * OCTAVES
FEWEST, DISTINCT = 25, 20  # values in the tail, and bins that hold them, for anything to be said
HEAVY, LIGHT = 0.4, 1.0 / 3.0


def binned(x: np.ndarray) -> np.ndarray:
    """Numbers of |x| in each of the 4096 bins, int64: 32 a power of two, from 2^-65 to 2^63. Zeros
    are not counted. Counts of parts add up to those of the whole, exactly.
    """
    mantissa, power = np.frexp(np.abs(x[x != 0.0]))
    index = (power - LOWEST) * STEPS + np.floor((2.0 * mantissa - 1.0) * STEPS).astype(np.int64)
    return np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)


def edges() -> np.ndarray:
    """Lower edge of every bin and the upper one of the last, (4097,)."""
    k = np.arange(BINS + 1)
    return np.ldexp(0.5 * (1.0 + (k % STEPS) / STEPS), LOWEST + k // STEPS)


@dataclass(frozen=True)
class Tail:
    """Shape k of the tail, P(|x| > u) ~ u^(-1/k): moments of order 1/k and above do not exist; its
    standard error, and how many values it rests on. further: shape and error of the largest 1/4 and
    1/16 of these values. NaN: no tail can be told.
    """

    shape: float
    error: float
    count: int
    further: tuple = ()

    @property
    def suspect(self) -> bool:
        """No variance, perhaps: k above 1/3, which every approximate psi with nodes has (Trail,
        Phys. Rev. E 77, 016703 (2008)); 1/2 and above have no variance.
        """
        return self.shape > LIGHT

    @property
    def heavy(self) -> bool:
        """No variance, as far as a sample can tell: k above 0.4, above 1/3 by 2.5 errors, and the
        same further out. Tails like exp(-|x|^p), p < 1, look heavy near the bulk and are not, for
        their k falls as -1/log P.
        """
        if not (self.shape > HEAVY and self.shape - 2.5 * self.error > LIGHT):
            return False
        return all(
            not k < HEAVY - 0.5 * error and not self.shape - k > 2.5 * error
            for k, error in self.further
        )


def pareto_tail(counts: np.ndarray, correlation: float = 1.0) -> Tail:
    """The generalised Pareto distribution of the largest values of N: 3 sqrt N of them, or N/100 if
    that is more, and at most N/5.

    Their number: Vehtari, Simpson, Gelman, Yao, Gabry, J. Mach. Learn. Res. 25, 72 (2024), sec. 2.
    The error is (1 + k)/sqrt(n/correlation), `correlation` the autocorrelation time of the values.
    """
    counts = np.asarray(counts)
    total = int(counts.sum())
    wanted = min(0.2 * total, max(3.0 * np.sqrt(total), 0.01 * total))
    found = []
    for share in (1.0, 1 / 4, 1 / 16):
        shape, n = _shape(counts, wanted * share)
        found.append((shape, (1.0 + abs(shape)) / np.sqrt(max(n, 1) / max(correlation, 1.0)), n))
    return Tail(*found[0], further=tuple(f[:2] for f in found[1:]))


def _shape(counts: np.ndarray, wanted: np.ndarray) -> tuple[float, int]:
    """Shape of the `wanted` largest values by the estimator of Zhang and Stephens, Technometrics
    51, 316 (2009), and how many there are: a bin is not cut.
    """
    total, limits = int(counts.sum()), edges()
    above = np.cumsum(counts[::-1])[::-1]  # values in this bin and beyond
    start = int(np.flatnonzero(above >= max(wanted, 1.0))[-1]) if total else 0
    used = start + np.flatnonzero(counts[start:])
    weights, x = counts[used], 0.5 * (limits[used] + limits[used + 1]) - limits[start]
    n = int(weights.sum())
    if n < FEWEST or len(used) < DISTINCT:
        return float("nan"), n
    quarter = x[np.searchsorted(np.cumsum(weights), 0.25 * n)]
    m = 30 + int(np.sqrt(n))
    theta = (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3.0 * quarter) + 1.0 / x[-1]
    theta = np.where(theta == 0.0, 1e-300, theta)  # the limit is finite, 0/0 is not
    k = np.log1p(-theta[:, None] * x) @ weights / n
    log = n * (np.log(-theta / k) - k - 1.0)
    share = np.exp(log - log.max())
    best = float((theta * share).sum() / share.sum())
    return float(np.log1p(-best * x) @ weights / n), n
