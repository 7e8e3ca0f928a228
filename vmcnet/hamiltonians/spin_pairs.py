"""Potentials between pairs of particles that act on their spins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.jet import pair_arrays
from vmcnet.geometry.box import Box
from vmcnet.walkers import Psi, Walkers

MOST_IMAGES = 100  # cells on either side of an axis that are summed over


class GaussianImages:
    """g(x) = exp(-|x|^2/R^2), in a box summed over all images of x (..., d), which factorises over
    axes: prod_a sum_m exp(-(x_a + m L_a)^2/R^2).
    """

    def __init__(self, radius: float, box: Box | None = None) -> None:
        self.radius, self.box = float(radius), box
        if box is not None:  # the terms left out are below exp(-40)
            self._reach = [int(np.ceil(6.4 * radius / length + 0.5)) for length in box.lengths]
            if max(self._reach) > MOST_IMAGES:
                raise ValueError(
                    f"a box of length {min(box.lengths):.3g} needs {max(self._reach)} images of an "
                    f"interaction of radius {radius:.3g}: expected at most {MOST_IMAGES}, take a "
                    "lower density or more particles"
                )

    def __call__(self, x: Array) -> Array:
        xp = namespace(x)
        if self.box is None:
            return xp.exp(-(x * x).sum(axis=-1) / self.radius**2)
        x, out = self.box.minimum_image(x), None
        for a, (length, reach) in enumerate(
            zip(self.box.lengths.tolist(), self._reach, strict=True)
        ):
            one = None
            for m in range(-reach, reach + 1):
                part = xp.exp(-(((x[..., a] + m * length) / self.radius) ** 2))
                one = part if one is None else one + part
            out = one if out is None else out * one
        return out

    def transform(self, q: Array) -> Array:
        """The integral of g(x) exp(-i q.x) over all space, for |q| = q, in three dimensions."""
        return np.pi**1.5 * self.radius**3 * np.exp(-0.25 * (q * self.radius) ** 2)


class PairTerm:
    """strength u(r_i - r_j) of all pairs i < j, (W, pairs): `function` takes separations (W, pairs,
    d), numpy or cupy, and gives u (W, pairs).
    """

    def __init__(self, function: Callable[[Array], Array], strength: float = 1.0) -> None:
        self._function, self._strength = function, float(strength)

    def pairs(self, r: Array) -> Array:
        i, j = pair_arrays(namespace(r), r.shape[1])
        return self._strength * self._function(r[:, i] - r[:, j])

    def antiparallel(self, walkers: Walkers) -> Array:
        """The same where the two spins differ, 0 elsewhere."""
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.r.shape[1])
        return xp.where(walkers.s[:, i] != walkers.s[:, j], self.pairs(walkers.r), 0.0)


class AntiparallelPairs(PairTerm):
    """strength sum_{i<j} u(r_ij) of every walker over the pairs whose spins differ, (W,)."""

    name = "antiparallel"

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        return self.antiparallel(walkers).sum(axis=1)


class SpinExchange(PairTerm):
    """strength sum_{i<j} u(r_ij) psi(s_i <-> s_j)/psi of every walker over the pairs whose spins
    differ, (W,): with AntiparallelPairs of the opposite strength it is u times 1 - P_ij.

    For parallel spins the exchange changes nothing, and u - u = 0. (1 - P_ij)/2 = (1 - sigma_i .
    sigma_j)/4 projects a pair onto its singlet.
    """

    name = "spin_exchange"
    exchanges = True

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        return psi.spin_exchanges(walkers, self.antiparallel(walkers))


class ThreeBody:
    """strength sum over centres j and pairs i < k of g(r_ij) g(r_jk) of every walker, (W,): half of
    sum_j [(sum_i g_ij)^2 - sum_i g_ij^2], so that no triple is met.

    function: separations (W, pairs, d) -> g (W, pairs), even in them.
    """

    name = "three_body"

    def __init__(self, function: Callable[[Array], Array], strength: float = 1.0) -> None:
        self._function, self._strength = function, float(strength)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        r, xp = walkers.r, namespace(walkers.r)
        n = r.shape[1]
        i, j = pair_arrays(xp, n)
        g = xp.zeros((len(r), n, n), r.dtype)
        g[:, i, j] = self._function(r[:, i] - r[:, j])
        g = g + xp.swapaxes(g, 1, 2)
        one = g.sum(axis=2)
        return 0.5 * self._strength * ((one * one).sum(axis=1) - (g * g).sum(axis=(1, 2)))
