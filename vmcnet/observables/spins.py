"""Observables of spins on lattices; s_i = +-1, so in units of hbar/2 for spin 1/2."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.observables.base import Observable
from vmcnet.walkers import Psi, Walkers


def _places(vectors: np.ndarray) -> list[str]:
    return ["(" + ",".join(map(str, v)) + ")" for v in vectors.tolist()]


class Magnetisation(Observable):
    """m = sum_i s_i / n of spins s_i = +-1, |m| and m^2; three numbers a walker."""

    name, labels = "magnetisation", ("m", "|m|", "m^2")
    rowwise = True

    def __init__(self, system: Any) -> None:
        _of_spins(self, system)
        self._signs = np.ones(system.particles)

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        m = (to_host(walkers.s) * self._signs).mean(axis=1)
        return np.stack([m, np.abs(m), m * m], axis=1)


class StaggeredMagnetisation(Magnetisation):
    """m = sum_i e_i s_i / n with the signs e_i of the two sublattices, |m| and m^2. Raises
    ValueError on lattices that have no two sublattices.
    """

    name = "staggered"
    rowwise = True

    def __init__(self, system: Any) -> None:
        super().__init__(system)
        if system.lattice.sublattice is None:
            raise ValueError("staggered: the lattice has no two sublattices (an odd length?)")
        self._signs = system.lattice.sublattice


class StructureFactor(Observable):
    """S(q) = |sum_i s_i exp(-i q.x_i)|^2 / n, q_k = 2 pi m_k / extent_k; labels m, in the order of
    the sites. Periodic hypercubic lattices.
    """

    name = "structure_factor"
    rowwise = True

    def __init__(self, system: Any) -> None:
        _of_spins(self, system)
        lattice = system.lattice
        if not lattice.translated:
            raise ValueError(f"{self.name}: the lattice has no translations")
        self._extent, self._sites = lattice.extent, lattice.sites
        self._axes = tuple(range(1, 1 + lattice.dimensions))
        self.labels = _places(lattice.positions)
        self.shown = range(1, lattice.sites)
        half = (*self._extent[:-1], self._extent[-1] // 2 + 1)
        q = np.indices(self._extent).reshape(lattice.dimensions, -1)
        other = -q % np.array(self._extent)[:, None]  # S(-q) = S(q)
        self._places = np.ravel_multi_index(tuple(np.where(q[-1] < half[-1], q, other)), half)

    def _half(self, walkers: Walkers) -> np.ndarray:
        """S(q) of half of the wave vectors (W, ...), those of a real transform."""
        s = to_host(walkers.s).astype(np.float64)
        amplitude = np.fft.rfftn(s.reshape((-1, *self._extent)), axes=self._axes)
        return (amplitude.real**2 + amplitude.imag**2) / self._sites

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        half = self._half(walkers)
        return half.reshape(len(half), -1)[:, self._places]


class Correlations(StructureFactor):
    """C(x) = (1/n) sum_i s_i s_{i+x} for every displacement x of a periodic lattice, the Fourier
    transform of S(q).
    """

    name = "correlations"
    rowwise = True

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        half = self._half(walkers)
        found = np.fft.irfftn(half, s=self._extent, axes=self._axes)
        return found.reshape(len(half), -1)


def _of_spins(observable: Any, system: Any) -> None:
    if system.moves != "spins":
        raise ValueError(
            f"{observable.name} is a function of spins, and what moves in "
            f"{type(system).__name__} are {system.moves}"
        )
    observable.made_for = system


def spin_observables(system: Any) -> tuple:
    """What a spin lattice measures by itself: all of these that its lattice has."""
    lattice = system.lattice
    found: list[Observable] = [Magnetisation(system)]
    if lattice.sublattice is not None:
        found.append(StaggeredMagnetisation(system))
    if lattice.translated:
        found += [Correlations(system), StructureFactor(system)]
    return tuple(found)
