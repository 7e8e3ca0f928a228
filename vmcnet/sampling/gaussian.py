"""All-particle Gaussian moves."""

from __future__ import annotations

from vmcnet.sampling.metropolis import Metropolis


class Gaussian(Metropolis):
    """r' = r + step xi for all particles at once, xi standard normal: symmetric, so the proposal ratio is 1."""

    name = "gaussian"
    target = 0.5

    def noise(self, stream, steps: int, shape):
        """Random numbers for `steps` moves of a block of shape (W, n, d): one array a move."""
        return stream.normal((steps, *shape))

    def propose(self, walkers, psi, step: float, noise):
        """New coordinates (W, n, d) and the log proposal ratio log q(r|r')/q(r'|r), here 0."""
        return walkers.r + step * noise, 0.0
