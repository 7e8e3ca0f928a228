"""Moves of one particle at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vmcnet.backend.arrays import namespace
from vmcnet.geometry.moves import ParticleMove
from vmcnet.sampling.metropolis import Metropolis
from vmcnet.sampling.sampler import Counts, groups
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.local_update import RENEW


class OneParticle(Metropolis):
    """r_i' = r_i + step xi for one particle i, drawn anew for every walker and move; n moves count
    as one step.

    Symmetric, so the proposal ratio is 1. Where psi offers a LocalUpdate of one particle's move, a
    step costs n of its ratios, otherwise n evaluations of psi of all particles; both decide alike.
    """

    name = "one_particle"
    move = ParticleMove

    def noise(self, stream: Any, steps: int, shape: tuple[int, ...]) -> Any:
        """Per move: the particle (W,) of every walker and its standard normals (W, d)."""
        w, n, d = shape
        particles = np.minimum((n * stream.uniform((steps * n, w))).astype(np.int64), n - 1)
        return list(zip(particles, stream.normal((steps * n, w, d)), strict=True))

    def propose(self, r: np.ndarray, guide: Any, step: float, noise: Any) -> np.ndarray:
        xp = namespace(r)
        particle, shift = noise
        trial = r.copy()
        trial[xp.arange(len(r)), xp.asarray(particle)] += step * xp.asarray(shift)
        return trial

    def sample(self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any) -> tuple:
        if walkers.update is None:
            return super().sample(walkers, psi, step, steps, stream)
        update, (count, n, _) = walkers.update, walkers.r.shape
        xp = namespace(walkers.r)
        accepted, bad, rows = xp.zeros(count, np.int64), xp.zeros(count, np.int64), xp.arange(count)
        tried = 0
        for some in groups(steps, walkers.r.size):
            if tried:
                update.renew()
            noise = self.noise(stream, some, walkers.r.shape)
            thresholds = xp.log(xp.asarray(stream.uniform((len(noise), count))))
            tried += len(noise)
            for k, ((particle, shift), threshold) in enumerate(zip(noise, thresholds, strict=True)):
                if k and k % (RENEW * n) == 0:
                    update.renew()
                who = xp.asarray(particle)
                to = update.configuration()[0][rows, who] + step * xp.asarray(shift)
                move = ParticleMove(who, to)
                exponent = 2.0 * update.ratio(move)[1].real
                accept = threshold < exponent
                bad += xp.isnan(exponent)
                accepted += accept
                update.accept(move, accept)
        r, s = update.configuration()
        return replace(walkers, r=r, s=s), Counts.of(accepted, bad, tried)
