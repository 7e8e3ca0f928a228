"""What an evaluation measures of spins besides the energy."""

from __future__ import annotations

import numpy as np


class SpinObservables:
    """Functions of spin configurations s (W, n), each giving (W, K); s_i = +-1, so in units of
    hbar/2 for spin 1/2.

      magnetisation         m = sum_i s_i / n, |m| and m^2
      K = 3
      staggered             the same with the sublattice signs (bipartite lattices)
      K = 3
      correlations          (1/n) sum_i s_i s_g(i) for every translation g of a periodic lattice
      K = n, in the order of displacements
      structure_factor      S(q) = |sum_i s_i exp(-i q.x_i)|^2 / n, q_k = 2 pi m_k / extent_k
      K = n, m in the order of sites

    S is the Fourier transform of the correlations. `names` lists what the lattice has.
    """

    def __init__(self, lattice):
        self._lattice = lattice
        self.names = ["magnetisation"] + ["staggered"] * (lattice.sublattice is not None)
        if len(lattice.translations) > 1:
            self.names += ["correlations", "structure_factor"]

    def measure(self, s) -> dict:
        """name -> (W, K)."""
        return {name: getattr(self, f"_{name}")(s.astype(np.float64)) for name in self.names}

    @staticmethod
    def _moments(m):
        return np.stack([m, np.abs(m), m * m], axis=1)

    def _magnetisation(self, s):
        return self._moments(s.mean(axis=1))

    def _staggered(self, s):
        return self._moments((s * self._lattice.sublattice).mean(axis=1))

    def _structure_factor(self, s):
        axes = tuple(range(1, 1 + self._lattice.dimensions))
        amplitude = np.fft.fftn(s.reshape((-1, *self._lattice.extent)), axes=axes)
        return (np.abs(amplitude) ** 2).reshape(len(s), -1) / self._lattice.sites

    def _correlations(self, s):
        axes = tuple(range(1, 1 + self._lattice.dimensions))
        grid = self._structure_factor(s).reshape((-1, *self._lattice.extent))
        return np.fft.ifftn(grid, axes=axes).real.reshape(len(s), -1)
