"""All-particle Gaussian moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.sampling.metropolis import Metropolis


class Gaussian(Metropolis):
    """r' = r + step xi for all particles at once, xi standard normal: symmetric, so the proposal
    ratio is 1.
    """

    name = "gaussian"
    rowwise = True

    def propose(self, r: np.ndarray, guide: Any, step: float, noise: Any) -> np.ndarray:
        noise *= step  # its numbers are this move's alone
        noise += r
        return noise
