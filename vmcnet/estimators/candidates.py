"""Directions in which a wavefunction could be changed: what E_L is regressed on.

A candidate gives features O_k(r) (W, K), the first-order changes d log psi / d p_k of parameters
p_k that psi does not have, at the value 0 where they change nothing. Those here are built from sums
over pairs of Gaussians g_a(x) = exp(-x^2 / 2 s_a^2) of the pair distance in units of the system's
length, for like and unlike spins apart, and of a gradient: a displacement xi of the coordinates at
which orbitals are read changes log psi by xi . grad log|det| at first order, envelopes and other
factors left where they are.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np

from vmcnet.backend.arrays import Array, to_host
from vmcnet.calculus.jet import pair_indices
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import Product, Wavefunction
from vmcnet.wavefunctions.projection import Projected

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the Gaussians, in units of the system's length


def wide(x: np.ndarray) -> np.ndarray:
    """x in double precision."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


class Bare(Wavefunction):
    """A factor of orbitals without their envelope, which no backflow moves."""

    name = "bare"

    def __init__(self, factor: Any) -> None:
        self.factor, self.layout, self.reads = factor, factor.layout, factor.reads
        self.particles, self.dimensions = factor.particles, factor.dimensions

    def log_psi(self, ops: Any, theta: Any, walkers: Any) -> tuple[Any, Any]:
        phase, log = self.factor.log_psi(ops, theta, walkers)
        envelope = self.factor.orbitals.envelope(ops, theta, "", walkers.r)
        return phase, log if envelope is None else log - envelope


@lru_cache(maxsize=2)
def of_orbitals(psi: Any) -> list:
    """The factors of a bound psi that are made of orbitals, bound without their envelopes."""
    whole, found = psi.wavefunction, []
    parts = [("", whole)]
    if isinstance(whole, Product):
        parts = [(f"{n}.", f) for n, f in zip(whole.names, whole.factors, strict=True)]
    for prefix, factor in parts:
        if isinstance(factor, Projected):
            values = {k: psi.reading.values[prefix + k] for k in factor.layout.entries}
            found.append(Bare(factor).bind(factor.layout.pack(values)))
    return found


class Sample:
    """Walkers of one block and what candidates read of them, on the host.

    r (W, n, d), s (W, n), drift (W, n, d) = Re grad log psi, gradient = grad log psi, complex where
    log psi is; psi the bound wavefunction, values its parameters (name -> array).
    """

    def __init__(self, system: Any, psi: Any, walkers: Walkers, values: Any = None) -> None:
        self.system, self.psi, self.walkers, self.values = system, psi, walkers, values or {}
        self.r, self.s = to_host(walkers.r).astype(np.float64), to_host(walkers.s)

    @cached_property
    def drift(self) -> Array:
        return to_host(self.psi.drift(self.walkers.r, self.walkers.s)).astype(np.float64)

    @cached_property
    def gradient(self) -> Array:
        return self._gradient(self.psi) if self._complex(self.psi) else self.drift

    def _complex(self, psi: Any) -> bool:
        return psi.log(self.walkers.r[:1], self.walkers.s[:1]).dtype.kind == "c"

    def _gradient(self, psi: Any) -> Array:
        found = to_host(psi.jet(self.walkers)[1]).T.reshape(self.r.shape)
        return wide(found)

    @cached_property
    def pulled(self) -> Array:
        """grad log of what is read where backflow moves the particles (W, n, d), complex where that
        is: determinants without envelopes, all of psi where it has no orbitals.
        """
        bound = of_orbitals(self.psi)
        found = [
            self._gradient(b)
            if self._complex(b)
            else wide(to_host(b.drift(self.walkers.r, self.walkers.s)))
            for b in bound
        ]
        return np.sum(found, axis=0) if found else self.gradient

    @cached_property
    def apart(self) -> Any:
        """r_i - r_j of all pairs (W, pairs, d); in a box (L/2 pi) sin(2 pi (r_i - r_j)/L)."""
        i, j = (list(k) for k in pair_indices(self.r.shape[1]))
        difference = self.r[:, i] - self.r[:, j]
        if self.system.box is None:
            return difference
        scale = np.asarray(self.system.box.lengths) / (2.0 * np.pi)
        return scale * np.sin(difference / scale)

    @cached_property
    def distance(self) -> Any:
        """|r_i - r_j| (W, pairs); in a periodic box the norm of (L/pi) sin(pi (r_i - r_j)/L)."""
        if self.system.box is None:
            return np.sqrt((self.apart**2).sum(axis=-1))
        i, j = (list(k) for k in pair_indices(self.r.shape[1]))
        scale = np.asarray(self.system.box.lengths) / np.pi
        chord = scale * np.sin((self.r[:, i] - self.r[:, j]) / scale)
        return np.sqrt((chord**2).sum(axis=-1))

    @cached_property
    def shapes(self) -> Any:
        """g_a of every pair, like spins and unlike spins apart (W, pairs, A)."""
        i, j = (list(k) for k in pair_indices(self.r.shape[1]))
        like = self.s[:, i] == self.s[:, j]
        x = self.distance[..., None] / (self.system.length * np.array(WIDTHS))
        g = np.exp(-0.5 * x * x)
        kinds = [kind for kind in (like, ~like) if kind.any()]
        return np.concatenate([g * kind[..., None] for kind in kinds], axis=-1)

    def onto_particles(self, values: Any, sign: int) -> Array:
        """sum_j of pair values (W, pairs, ...) onto i (W, n, ...): `sign` is that of j -> i."""
        first, second = (list(k) for k in pair_indices(self.r.shape[1]))
        out = np.zeros((*self.r.shape[:2], *values.shape[2:]))
        for p, (i, j) in enumerate(zip(first, second, strict=True)):
            out[:, i] += values[:, p]
            out[:, j] += sign * values[:, p]
        return out

    @cached_property
    def near(self) -> Any:
        """c_ia = sum_j g_a(r_ij) (W, n, A)."""
        return self.onto_particles(self.shapes, 1)

    @cached_property
    def pull(self) -> Any:
        """v_ia = sum_j g_a(r_ij) (r_i - r_j) (W, n, A, d)."""
        return self.onto_particles(self.shapes[..., None] * self.apart[:, :, None, :], -1)


class Candidate(Protocol):
    """A change of the wavefunction, by its first-order features."""

    name: str

    def features(self, sample: Sample) -> np.ndarray:
        """d log psi / d p_k at p = 0, (W, K), float64, or complex128 where log psi is complex."""
        ...


class OwnParameters:
    """The parameters that the wavefunction has: what further training could still gain."""

    name = "own parameters"

    def features(self, sample: Sample) -> np.ndarray:
        return wide(to_host(sample.psi.log_derivatives(sample.walkers)))


class OneBodyJastrow:
    """sum_i g_a(|r_i|): a factor of every particle alone. Of no use in a periodic box."""

    name = "1-body Jastrow"

    def features(self, sample: Sample) -> np.ndarray:
        x = np.sqrt((sample.r**2).sum(axis=-1))[..., None] / sample.system.length
        return np.exp(-0.5 * (x / np.array(WIDTHS)) ** 2).sum(axis=1)


class PairJastrow:
    """sum_{i<j} g_a(r_ij)."""

    name = "2-body Jastrow"

    def features(self, sample: Sample) -> np.ndarray:
        return sample.shapes.sum(axis=1)


class TripleJastrow:
    """sum_i c_ia c_ib and sum_i v_ia . v_ib: factors of three particles."""

    name = "3-body Jastrow"

    def features(self, sample: Sample) -> np.ndarray:
        a, b = np.triu_indices(sample.near.shape[-1])
        scalar = np.einsum("wia,wib->wab", sample.near, sample.near)
        vector = np.einsum("wiac,wibc->wab", sample.pull, sample.pull)
        return np.concatenate([scalar[:, a, b], vector[:, a, b]], axis=1)


class OneBodyBackflow:
    """sum_i g_a(|r_i|) r_i . grad_i log|det|: particles displaced along the radius."""

    name = "1-body displacement"

    def features(self, sample: Sample) -> np.ndarray:
        x = np.sqrt((sample.r**2).sum(axis=-1))[..., None] / sample.system.length
        along = (sample.r * sample.pulled).sum(axis=-1)
        return np.einsum("wi,wia->wa", along, np.exp(-0.5 * (x / np.array(WIDTHS)) ** 2))


class PairBackflow:
    """sum_i v_ia . grad_i log|det|: every particle displaced by a sum over pairs."""

    name = "2-body backflow"

    def features(self, sample: Sample) -> np.ndarray:
        return np.einsum("wic,wiac->wa", sample.pulled, sample.pull)


class TripleBackflow:
    """sum_i v_ia c_ib . grad_i log|det|: displacements that depend on third particles."""

    name = "3-body backflow"

    def features(self, sample: Sample) -> np.ndarray:
        w = len(sample.r)
        pair = np.einsum("wic,wiac->wa", sample.pulled, sample.pull)
        triple = np.einsum("wic,wiac,wib->wab", sample.pulled, sample.pull, sample.near)
        return np.concatenate([pair, triple.reshape(w, -1)], axis=1)
