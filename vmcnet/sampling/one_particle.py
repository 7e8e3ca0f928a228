"""Moves of one particle at a time."""

from __future__ import annotations

import numpy as np

from vmcnet.backend.arrays import namespace
from vmcnet.sampling.metropolis import Metropolis


class OneParticle(Metropolis):
    """r_i' = r_i + step xi for one particle i, drawn anew for every walker and move; n moves count
    as one step.

    Symmetric, so the proposal ratio is 1. Every move evaluates psi of all particles: a step costs n
    evaluations.
    """

    name = "one_particle"

    def noise(self, stream, steps, shape):
        """Per move: the particle (W,) of every walker and its standard normals (W, d)."""
        w, n, d = shape
        particles = np.minimum((n * stream.uniform((steps * n, w))).astype(np.int64), n - 1)
        return list(zip(particles, stream.normal((steps * n, w, d)), strict=True))

    def propose(self, r, guide, step, noise):
        xp = namespace(r)
        particle, shift = noise
        trial = r.copy()
        trial[xp.arange(len(r)), xp.asarray(particle)] += step * xp.asarray(shift)
        return trial
