"""|psi|^2 as a generative model: training on data by maximum likelihood instead of on an energy."""

from __future__ import annotations

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import DATA, Population
from vmcnet.estimators.gradient import block_gradient
from vmcnet.parallel.exact_sum import exact_sum
from vmcnet.walkers import Walkers


class DataPopulation(Population):
    """A population whose gradient is that of the negative log-likelihood a sample of P = |psi|^2 /
    Z:

    -(<O>_data - <O>_model) with O = d log |psi|^2 / d theta = 2 Re d log psi / d theta. The model's
    mean is over the walkers, which go on from
    iteration to iteration (persistent contrastive divergence); the data's over as many samples,
    drawn anew with replacement, block by block.
    A Gaussian-binary machine in the form sqrtF has |psi|^2 = F; a binary one with real weights has
    every hidden unit twice.
    T. Tieleman, ICML (2008). data: r (D, n, d) and s (D, n) of all samples, the same on every rank.
    One exact sum, as for an energy.
    """

    minimises = False

    def __init__(self, data: Walkers, *arguments, **options):
        super().__init__(*arguments, **options)
        self.data, self._iteration = data, 0

    def advance(self, theta, stage, iteration, *arguments, **options):
        self._iteration = iteration
        return super().advance(theta, stage, iteration, *arguments, **options)

    def batch(self, block: int) -> Walkers:
        """The samples that `block` learns from at the present iteration."""
        drawn = np.floor(
            Stream(self.seed, DATA, self._iteration, block).uniform((self.block,))
            * len(self.data.s)
        ).astype(np.int64)
        return Walkers(*self.device.place(self.data.r[drawn], self.data.s[drawn]))

    def gradient(self, theta, weights) -> np.ndarray:
        """Gradient of the negative log-likelihood (P,); `weights`, those of an energy, do not
        enter.
        """
        psi, one = self.bound(theta), self.device.xp.ones(self.block)
        shares = [
            block_gradient(self.members[b], psi, one, self.walkers)
            - block_gradient(self.batch(b), psi, one, self.walkers)
            for b in self.own
        ]
        return exact_sum(self.comm, np.stack(shares), self.blocks)
