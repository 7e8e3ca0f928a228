"""Heat-bath sampling of classical lattice models."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.sampling.sampler import Counts, Sampler
from vmcnet.walkers import Walkers


class Thermal(Sampler):
    """One step is a sweep over all sites in order; every site takes colour c with its probability
    at fixed neighbours,
    p_c ~ exp(-(single_c + sum_j pair(c, s_j))/T). "Accepted" are the sites that changed.

    R. J. Glauber, J. Math. Phys. 4, 294 (1963); M. Creutz, Phys. Rev. D 21, 2308 (1980).
    """

    name = "thermal"
    kinds = ("spins", "colours")

    def __init__(self, system: Any):
        if system.temperature is None:
            raise ValueError(
                "thermal samples classical lattice models (classical_ising, potts); this system "
                "has no temperature"
            )
        self._labels = np.array(system.labels_of_site, np.int8)
        self._neighbours = system.neighbours
        self._factors, self._single = (
            np.exp(-system.pair / system.temperature),
            np.exp(-system.single / system.temperature),
        )

    def check(self, system: Any, wavefunction: Any) -> None:
        own, other = self, Thermal(system)
        if not (
            np.array_equal(own._neighbours, other._neighbours)
            and np.array_equal(own._factors, other._factors)
            and np.array_equal(own._single, other._single)
        ):
            raise ValueError("thermal was built for another classical system: build it with this")
        if not wavefunction.thermal:
            raise ValueError(
                "thermal samples exp(-E/T) and not |psi|^2 of another function: use spin_flip, or "
                "the one wavefunction boltzmann"
            )

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts]:
        """`steps` sweeps of every walker; `step` is not used."""
        from vmcnet.kernels.numba_heat_bath import sweep

        colours = np.searchsorted(self._labels, walkers.s).astype(np.int8)
        changed = np.zeros(len(colours), np.int64)
        for _ in range(steps):
            sweep(
                colours,
                self._neighbours,
                self._factors,
                self._single,
                stream.uniform(colours.shape),
                changed,
            )
        s = self._labels[colours]
        return Walkers(walkers.r, s, psi.log(walkers.r, s)), Counts(
            int(changed.sum()), steps * colours.size, 0, changed
        )

    def plain_sweep(self, colours: Any, uniforms: Any, changed: Any) -> None:
        """The same sweep in NumPy, site by site for all walkers."""
        for i, row in enumerate(self._neighbours):
            weights = np.broadcast_to(self._single, (len(colours), len(self._single)))
            for j in row[row >= 0]:
                weights = weights * self._factors[:, colours[:, j]].T
            limits = uniforms[:, i] * weights.cumsum(axis=1)[:, -1]
            chosen = (
                (limits[:, None] >= weights.cumsum(axis=1))
                .sum(axis=1)
                .clip(max=len(self._single) - 1)
            )
            changed += chosen != colours[:, i]
            colours[:, i] = chosen
