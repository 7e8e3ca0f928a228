"""Importance sampling: Langevin moves of all particles along the drift of psi."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import namespace
from vmcnet.sampling.metropolis import Metropolis


def limited(drift: Any, time: float) -> Any:
    """v_i 2/(1 + sqrt(1 + 2 v_i^2 time)) of every particle: v where it is small, sqrt(2/time) long
    where it diverges.

    drift (W, n, d), time > 0. Near a nucleus, a node or a hard core the bare drift would throw the
    particle far away.
    Umrigar, Nightingale, Runge, J. Chem. Phys. 99, 2865 (1993), eq. 35 with a = 1.
    """
    xp = namespace(drift)
    square = (drift * drift).sum(axis=-1, keepdims=True)
    return drift * (2.0 / (1.0 + xp.sqrt(1.0 + 2.0 * time * square)))


class Langevin(Metropolis):
    """r' = r + t v(r) + sqrt(t) xi, t = step^2, v = the limited Re grad log psi; accepted with the
    ratio of the Green's functions.

    log q(r'|r) = -|r' - r - t v(r)|^2 / 2t. The drift is limited as a function of r alone, by the
    same rule in both directions, so that
    detailed balance is exact. One reverse pass a proposal gives log psi and the drift; the drift is
    kept until the walker moves.
    Rossky, Doll, Friedman, J. Chem. Phys. 69, 4628 (1978).
    """

    name = "langevin"
    rowwise = True
    target = 0.6
    guided = True

    def guide(self, psi: Any, r: np.ndarray, s: np.ndarray) -> tuple:
        return psi.log_and_drift(r, s)

    def propose(self, r: np.ndarray, guide: Any, step: float, noise: Any) -> np.ndarray:
        return r + step**2 * limited(guide, step**2) + step * noise

    def log_ratio(
        self, r: np.ndarray, guide: Any, trial: np.ndarray, trial_guide: Any, step: float
    ) -> Any:
        time = step**2
        forward = trial - r - time * limited(guide, time)
        back = r - trial - time * limited(trial_guide, time)
        return ((forward * forward).sum(axis=(1, 2)) - (back * back).sum(axis=(1, 2))) / (
            2.0 * time
        )
