"""Energy against variance: where a straight line meets variance 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vmcnet.statistics.format import two_digits, with_error

SEGMENTS, LEAST = 16, 64  # of a training, and the fewest iterations that one has
WINDOW = 5.0  # variances up to so many times the smallest: farther up the line bends
SPAN = 1.5  # least ratio of the largest to the smallest variance
SIGNIFICANT = 3.0  # errors that the slope must lie above 0
LOOSE = 6.0  # standard deviations of chi^2 beyond which points lie on no line


@dataclass(frozen=True)
class ZeroVariance:
    """A line through points (3, K) of variance, energy and error: energy at variance 0 and its
    error, slope. refused: in a word, why the line says nothing; "" where it does.
    """

    points: np.ndarray
    energy: float = math.nan
    error: float = math.nan
    slope: float = math.nan
    refused: str = ""

    def told(self, share: float = 1.0) -> str:
        """The energy divided by share with its error and the variances used, or why not."""
        if self.refused:
            return f"none, {self.refused}"
        low, high = (two_digits(float(x)) for x in (self.points[0].min(), self.points[0].max()))
        shown = with_error(self.energy / share, self.error / share)
        return f"{shown} (an estimate, no bound; by variances from {low} to {high})"


def straight_line(variance: np.ndarray, energy: np.ndarray, error: np.ndarray) -> ZeroVariance:
    """The line E(v) = E_0 + c v through K points, weighted by their errors; all (K,).

    Near an eigenstate, psi + epsilon phi, E - E_0 and the variance of E_L are both of second order
    in epsilon: E_0 estimates the exact energy. Its error grows by sqrt(chi^2 / (K - 2)) where that
    is above 1, and by what a parabola through the points ends off the line beyond its noise.
    Refused: fewer than 3 points; variances within a factor of 1.5; a slope below 3 of
    its errors; chi^2 6 standard deviations above K - 2. (Y. Kwon, D. M. Ceperley and
    R. M. Martin, Phys. Rev. B 48, 12037 (1993): energy and variance of improving functions.)
    """
    points = np.stack([np.asarray(x, np.float64) for x in (variance, energy, error)])
    x, y, s = points
    if len(x) < 3:
        return ZeroVariance(points, refused=f"{len(x)} points, a line needs 3")
    if not (np.isfinite(points).all() and (x > 0.0).all() and (s > 0.0).all()):
        return ZeroVariance(points, refused="a variance or an error is 0 or not finite")
    if x.max() < SPAN * x.min():
        word = f"the variances span a factor of {x.max() / x.min():.2f}, a line needs {SPAN}"
        return ZeroVariance(points, refused=word)
    weight = 1.0 / s**2 / (1.0 / s**2).sum()
    middle, mean = weight @ x, weight @ y
    width = float(weight @ (x - middle) ** 2)
    slope = float(weight @ ((x - middle) * y)) / width
    unit = 1.0 / (1.0 / s**2).sum()
    free = len(x) - 2
    excess = float((((y - mean - slope * (x - middle)) / s) ** 2).sum()) / free
    stretch = max(1.0, excess)
    if excess > 1.0 + LOOSE * math.sqrt(2.0 / free):
        word = f"energies against variances lie on no line, chi^2 is {excess:.1f} a point"
        return ZeroVariance(points, refused=word)
    if slope < SIGNIFICANT * math.sqrt(stretch * unit / width):
        word = "energies do not fall with the variances beyond their errors"
        return ZeroVariance(points, refused=word)
    energy_0, square = float(mean - slope * middle), stretch * unit * (1.0 + middle**2 / width)
    return ZeroVariance(
        points, energy_0, math.sqrt(square + _bend(points, energy_0, square, stretch)), slope
    )


def _bend(points: np.ndarray, energy: float, square: float, stretch: float) -> float:
    """Square of what a parabola's energy at variance 0 differs by from the line's, `energy` with
    the squared error `square`, less the noise of that difference; 0 below 4 points. stretch: of
    the squared errors of the points.
    """
    x, y, s = points
    if len(x) < 4:
        return 0.0
    (_, _, curved), inverse = np.polyfit(x, y, 2, w=1.0 / s, cov="unscaled")
    return max(0.0, float(curved - energy) ** 2 - max(0.0, stretch * float(inverse[2, 2]) - square))


def along_training(
    energy: np.ndarray, variance: np.ndarray, error: np.ndarray
) -> ZeroVariance | None:
    """straight_line along a training: energy, variance of E_L and error of each iteration (T,).

    The last 31/32 are cut into 16 segments whose lengths grow with the iteration; a point is the
    mean energy and the median variance of a segment (a few walkers with a large E_L spoil the
    mean). Points with more than 5 times the smallest variance are left out. None below 64
    iterations.
    """
    energy, variance, error = (np.asarray(x, np.float64) for x in (energy, variance, error))
    if len(energy) < LEAST:
        return None
    ends = np.rint(len(energy) * np.geomspace(1 / 32, 1.0, SEGMENTS + 1)).astype(int)
    parts = [slice(a, b) for a, b in pairwise(ends) if b > a]
    x = np.array([np.median(variance[p]) for p in parts])
    y = np.array([energy[p].mean() for p in parts])
    s = np.array([math.sqrt((error[p] ** 2).sum()) / len(error[p]) for p in parts])
    near = ~(x > WINDOW * x.min())  # all where one is NaN, which is then refused
    return straight_line(x[near], y[near], s[near])
