"""Metropolis-Hastings steps of one block, and the tuning of the step size from counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vmcnet.backend import namespace
from vmcnet.walkers import Walkers


@dataclass(frozen=True)
class Counts:
    """Accepted and tried moves, and proposals whose log psi was NaN."""

    accepted: int
    tried: int
    nonfinite: int


class Metropolis:
    """Metropolis-Hastings with |psi|^2 as target; a subclass is a proposal of coordinates.

    A subclass gives noise(stream, steps, shape) -> one array a move, propose(walkers, psi, step, noise) -> (r' (W, n, d),
    log q(r|r')/q(r'|r)), and `target`, the acceptance that the step size is tuned to (None: there is no step size).
    A move is accepted if u < |psi(r')/psi(r)|^2 q(r|r')/q(r'|r). psi = 0 at r' is a rejection; NaN is counted, and the caller stops.
    Metropolis et al., J. Chem. Phys. 21, 1087 (1953); Hastings, Biometrika 57, 97 (1970).
    """

    target: float | None = 0.5

    def sample(self, walkers: Walkers, psi, step: float, steps: int, stream) -> tuple[Walkers, Counts]:
        """`steps` moves of every walker; the walkers' log_psi must be that of psi."""
        xp = namespace(walkers.r)
        accepted = xp.zeros(walkers.r.shape[0], np.int64)
        bad = xp.zeros(walkers.r.shape[0], np.int64)
        r, log = walkers.r, walkers.log_psi
        noise = self.noise(stream, steps, r.shape)
        thresholds = xp.log(xp.asarray(stream.uniform((steps, *log.shape))))
        for move, threshold in zip(noise, thresholds, strict=True):
            trial, log_ratio = self.propose(Walkers(r, walkers.s, log), psi, step, move)
            trial_log = psi.log(trial, walkers.s)
            exponent = 2.0 * (trial_log.real - log.real) + log_ratio
            accept = threshold < exponent
            bad += xp.isnan(exponent)
            accepted += accept
            r = xp.where(accept[:, None, None], trial, r)
            log = xp.where(accept, trial_log, log)
        return Walkers(r, walkers.s, log), Counts(int(accepted.sum()), steps * len(log), int(bad.sum()))


def tuned_step(step: float, accepted: int, tried: int, target: float | None, gain: float) -> float:
    """The step size after one look at the acceptance: multiplied by exp(gain (acceptance - target)).

    Only integers that all ranks share enter, so that all ranks tune alike.
    """
    return step * math.exp(gain * (accepted / tried - target)) if tried and target is not None else step
