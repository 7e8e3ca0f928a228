"""Observables that need psi elsewhere: the total spin, momenta, the virial."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace, to_host
from vmcnet.observables.base import MOST_SHELLS, Observable
from vmcnet.observables.bins import texts
from vmcnet.observables.density import in_space, reach, spins_half
from vmcnet.statistics.jackknife import jackknife
from vmcnet.walkers import Psi, Walkers

LOW_BITS = {8: 2.0**24, 4: 2.0**10}  # bytes of a number: where its low bits begin


class TotalSpin(Observable):
    """S^2 = S_z (S_z + 1) + N_down - sum over up i and down j of psi(r_i <-> r_j)/psi, of spin 1/2
    with spins s_i = +-1 kept in place.

    psi is the part of an antisymmetric state in which the particles have these spins. N_up N_down
    evaluations of psi. Huang, Filippi, Umrigar, J. Chem. Phys. 108, 8838 (1998), eq. 7.
    """

    name, labels, units = "total_spin", ("S^2",), "hbar^2"
    rowwise = True

    def __init__(self, system: Any) -> None:
        in_space(self, system)
        spins_half(self.name, system)
        self._up, self._down = (int((system.spins == s).sum()) for s in (1, -1))

    def measure(self, walkers: Walkers, psi: Psi) -> Array:
        amplitude, xp = psi.amplitude(walkers.r, walkers.s), namespace(walkers.r)
        order, w = xp.argsort(-walkers.s, axis=1, kind="stable"), xp.arange(len(walkers.r))
        z = 0.5 * (self._up - self._down)
        total = xp.full(len(walkers.r), z * (z + 1.0) + self._down)
        for a in range(self._up):
            for b in range(self._up, self._up + self._down):
                r, i, j = walkers.r.copy(), order[:, a], order[:, b]
                r[w, i], r[w, j] = walkers.r[w, j], walkers.r[w, i]
                total = total - psi.ratio(r, walkers.s, amplitude).real
        return total[:, None]


class Unscaled:
    """psi of walkers for terms at scaled coordinates that exchange labels: ratios stay those of the
    walkers, since a potential's gradient is that of its strength.
    """

    def __init__(self, psi: Psi, walkers: Walkers) -> None:
        self._psi, self._walkers = psi, walkers

    def label_ratios(self, walkers: Walkers, s: Array) -> Array:
        return self._psi.label_ratios(self._walkers, s)

    def spin_exchanges(self, walkers: Walkers, elements: Array) -> Array:
        return self._psi.spin_exchanges(self._walkers, elements)

    def __getattr__(self, name: str) -> Any:
        raise ValueError(
            f"virial: a term asks for psi.{name}: expected terms that are functions of the "
            "coordinates, or such functions times exchanges of labels"
        )


class Virial(Observable):
    """sum_i r_i . grad_i V of all terms but the kinetic one, by scaling all coordinates; derived:
    the virial ratio 2 <T>/<r . grad V>, 1 in every state of a best scale. Terms are functions of
    the coordinates, or such functions times exchanges of labels.
    """

    name, labels = "virial", ("r.grad V",)
    rowwise = True

    def __init__(self, system: Any) -> None:
        in_space(self, system)
        if system.box is not None or system.core:
            raise ValueError("virial: walls of a box or of hard spheres have a virial of their own")
        self.units = system.units
        self._terms = [term for name, term in system.terms.items() if name != "kinetic"]

    def measure(self, walkers: Walkers, psi: Psi) -> Array:
        xp, h = namespace(walkers.r), 2.0**-13
        total: Array = 0.0
        r, held = xp.asarray(walkers.r, dtype=xp.float64), Unscaled(psi, walkers)
        for sign in (1.0, -1.0):
            scaled = Walkers(r * (1.0 + sign * h), walkers.s)
            for term in self._terms:
                total = total + sign * term.local(scaled, held) / (2.0 * h)
        return total[:, None]

    def derived(self, mean: dict, square: dict) -> dict:
        found = jackknife(lambda t, v: 2.0 * t / v, mean["kinetic"], mean["r.grad V"])
        return {"virial ratio": found}


class MomentumDistribution(Observable):
    """n(k) = <sum_i int ds psi(r_i + s)/psi exp(-i k.s)>, one displacement s of every particle a
    measurement, uniform in a cell; n evaluations of psi.

    In a periodic box: the occupation of a plane wave by a particle of one spin (the mean over the
    spins), for the lowest shells of wave vectors (2 pi m + theta)/L, between 0 and 1. In open
    space: momentum density along the axes, its integral over k is N, at `shells` values up to
    largest; s in a cube of twice the extent (5 lengths of the system unless given). The
    displacements are the low bits of the particles' own coordinates, which no smooth psi knows.
    grid: k.
    """

    name = "momentum_distribution"
    rowwise = True

    def __init__(
        self,
        system: Any,
        shells: int = 12,
        largest: float | None = None,
        extent: float | None = None,
    ) -> None:
        in_space(self, system)
        self._box, d = system.box, system.dimensions
        shells = arguments.whole(f"{self.name} shells", shells, 1, MOST_SHELLS)
        if self._box is None:
            self._cell = np.full(d, 2.0 * reach(self, system, extent, 5.0))
            largest = 4.0 / system.length if largest is None else largest
            k = np.linspace(0.0, arguments.scale(f"{self.name} largest", largest), shells)
            self._waves = [x * np.eye(d) for x in k]
            self._factor, self.units = self._cell.prod() / (2.0 * np.pi) ** d, "length^d"
        else:
            self._cell, found = self._box.lengths, self._box.shells(shells)
            self._waves = [self._box.wave_vectors(m) for m in found]
            k = np.array([np.sqrt((w[0] ** 2).sum()) for w in self._waves])
            self._factor = 1.0 / len(set(system.spins.tolist()))
        self.grid, self.labels = {"k": k}, [f"n({x})" for x in texts(k)]

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        xp, r = namespace(walkers.r), walkers.r
        cell = xp.asarray(self._cell, dtype=r.dtype)
        fine = LOW_BITS[r.dtype.itemsize] * r / cell
        s = (fine - xp.floor(fine) - 0.5) * cell
        amplitude, found, out = psi.amplitude(r, walkers.s), [], 0.0
        for i in range(r.shape[1]):
            moved = r.copy()
            moved[:, i] = r[:, i] + s[:, i]
            found.append(psi.ratio(moved, walkers.s, amplitude))
        ratios, shifts = to_host(xp.stack(found)), to_host(s).astype(np.float64)
        for i, ratio in enumerate(ratios):
            shift = shifts[:, i]
            waves = [np.exp(-1j * (shift @ k.T)).mean(axis=1) for k in self._waves]
            out = out + (ratio[:, None] * np.stack(waves, axis=1)).real
        return self._factor * out
