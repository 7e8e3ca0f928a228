"""What directions u_k = d log psi / d p_k would gain: the linear method on a frozen state.

psi (1 + sum_k c_k u_k) has the energy E + 2 F.c + c.A c to second order, at its lowest
E - F.A^-1 F, with F_k = <u_k (E_L - E)> and A_kl = <u_k (H - E)(psi u_l) / psi>
(M. P. Nightingale and V. Melik-Alaverdian, Phys. Rev. Lett. 87, 043401 (2001); J. Toulouse and
C. J. Umrigar, J. Chem. Phys. 126, 084102 (2007)). For real u the matrix element is
<u_k u_l (E_L - E)> and a kinetic part that has two forms,

    <grad u_k . grad u_l> / 2   and   -<u_k (lap u_l / 2 + grad u_l . grad log psi)>.

The first is positive and steady, but infinite where u ~ 1/x at a node, which is what moves nodes;
the second holds there. They are joined with a smooth share q, 0 away from nodes and 1 on them:

    (1 - q) first + q second - <u_k grad u_l . grad q> / 2,

because their difference is the divergence of psi^2 u_k grad u_l / 2 over psi^2. Where psi is
complex u may be so too, with real coefficients: products are Re u_k^* ..., psi^2 and grad log psi
are those of |psi|, and -<u_k^* i grad u_l . grad arg psi> is added. Derivatives are taken along one
random direction eta a sample, <(eta.a)(eta.b)> = a.b.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FOLDS = 4  # of walkers: every number is of walkers that the fit has not seen
RIDGE = 1e-2  # of the variance of a standardised feature, in the regression of E_L
STIFFER = (0.1, 1.0, 10.0)  # factors of the kinetic diagonal that is added
KEPT = 0.1  # of the diagonal that is added where the few combinations are weighed


@dataclass(frozen=True)
class WeightedSamples:
    """Samples: E_L (M,), real or complex, weight |psi|^2 over the density that was sampled, with
    mean 1; away = 1 - q (M,); fold of the walker (M,).
    """

    energy: np.ndarray
    weight: np.ndarray
    away: np.ndarray
    fold: np.ndarray

    @property
    def mean(self) -> float:
        return float((self.weight * self.energy.real).mean())

    @property
    def variance(self) -> float:
        return float((self.weight * np.abs(self.energy - self.mean) ** 2).mean())


@dataclass(frozen=True)
class Directions:
    """u (M, K), its slope eta.grad u, and the `rest` of the kinetic part beside (1 - q) slope^2/2;
    real, or complex where psi is.
    """

    value: np.ndarray
    slope: np.ndarray
    rest: np.ndarray

    def standardised(self, weight: np.ndarray) -> Directions:
        """Mean 0 and variance 1, without what does not vary."""
        mean = (weight[:, None] * self.value).mean(axis=0)
        scale = np.sqrt((weight[:, None] * np.abs(self.value - mean) ** 2).mean(axis=0))
        kept = scale > 1e-12 * np.abs(mean) + 1e-300
        parts = ((self.value - mean), self.slope, self.rest)
        return Directions(*(part[:, kept] / scale[kept] for part in parts))

    def of(self, rows: np.ndarray) -> Directions:
        return Directions(self.value[rows], self.slope[rows], self.rest[rows])

    def combined(self, c: np.ndarray) -> Directions:
        return Directions(self.value @ c, self.slope @ c, self.rest @ c)


def rest_of(q: Any, slope: Any, curvature: Any, along: Any, turn: Any) -> Any:
    """q (-(eta.grad)^2 u / 2 - (eta.grad u)(eta.grad log|psi|)) - (eta.grad u)(eta.grad q) / 2
    - i (eta.grad u)(eta.grad arg psi), (M, K), from slope and curvature (M, K) of u along eta and,
    (M,) each, q, `along` = eta.grad log psi and `turn` = eta.grad q.
    """
    found = -q[:, None] * (0.5 * curvature + slope * along.real[:, None])
    found = found - 0.5 * slope * turn[:, None]
    return found - 1j * slope * along.imag[:, None] if along.dtype.kind == "c" else found


def matrices(u: Directions, y: Any, weight: Any, away: Any) -> tuple[Any, Any]:
    """F (K,) and A (K, K), symmetric, of samples with y = E_L - E."""
    m = len(y)
    w = weight[:, None]
    force = _real(u.value, weight * y) / m
    steady = 0.5 * _real(u.slope, u.slope * w * away[:, None])
    stiff = (steady + _real(u.value, w * (u.value * y[:, None] + u.rest))) / m
    return force, 0.5 * (stiff + stiff.T)


def _real(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Re a^* b, summed over samples."""
    return (a.conj().T @ b).real


def _combinations(u: Directions, y: Any, weight: Any, away: Any) -> Any:
    """A few columns (K, J) of coefficients: minus those of the regression of E_L, and descent with
    the steady part of the kinetic matrix, more and more of its diagonal added.
    """
    m = len(y)
    w = weight[:, None]
    force, metric = _real(u.value, weight * y) / m, _real(u.value, u.value * w) / m
    steady = 0.5 * _real(u.slope, u.slope * w * away[:, None] ** 2) / m
    own = np.diag(steady)
    floor = 1e-9 * own.mean() + 1e-300  # of functions that do not vary along any coordinate
    shapes = [metric + RIDGE * np.eye(len(force))]
    shapes += [steady + np.diag(x * own + floor) for x in STIFFER]
    return np.stack([-np.linalg.solve(shape, force) for shape in shapes], axis=1)


def forecast(directions: Directions, samples: WeightedSamples) -> tuple[float, float, float, float]:
    """The share of Var(E_L) that the directions explain and the energy that they gain, each with
    its standard error over the folds.

    On each fold the coefficients are those fitted to the others. Share: ridge regression. Gain: F
    and A of a few combinations, b^2 / D with b = F.c, D = c.A c, both averaged over the folds; 0
    where the share is no more than its error or b and D do not lower the energy.
    """
    u = directions.standardised(samples.weight)
    y, variance = samples.energy - samples.mean, samples.variance
    if not u.value.shape[1] or variance == 0.0:
        return 0.0, 0.0, 0.0, 0.0
    shares, gains, falls, costs = [], [], [], []
    for k in range(FOLDS):
        seen, unseen = samples.fold != k, samples.fold == k
        own = y[seen], samples.weight[seen], samples.away[seen]
        other = y[unseen], samples.weight[unseen], samples.away[unseen]
        c = _combinations(u.of(seen), *own)
        left = other[0] + u.value[unseen] @ c[:, 0]
        shares.append(1.0 - (other[1] @ np.abs(left) ** 2) / (other[1] @ np.abs(other[0]) ** 2))
        c = c / np.sqrt((np.abs(u.value[seen] @ c) ** 2).mean(axis=0) + 1e-300)
        force, stiff = matrices(u.of(seen).combined(c), *own)
        best = -np.linalg.solve(stiff + KEPT * np.diag(np.abs(np.diag(stiff)) + 1e-300), force)
        force, stiff = matrices(u.of(unseen).combined(c), *other)
        falls.append(force @ best)
        costs.append(best @ stiff @ best)
        gains.append(-2.0 * falls[-1] - costs[-1])
    share, share_error = _mean(shares)
    _, error = _mean(gains)
    fall, cost = float(np.mean(falls)), float(np.mean(costs))
    helps = share > share_error and fall < 0.0 < cost
    return share, share_error, fall * fall / cost if helps else 0.0, error


def _mean(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
