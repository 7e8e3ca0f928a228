"""A natural gradient that falls back to the gradient where the metric says nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.arguments import choice, number
from vmcnet.optimizers.base import State
from vmcnet.optimizers.natural_gradient import FORMS, NaturalGradient, ShiftedMetric, Tangents


class RobustSR(NaturalGradient):
    """d = G(S) F/2 with G(h) = (h + gamma l^2) / (h + l)^2 of the metric's eigenvalues h; l: shift.

    1/h where h is large, as stochastic reconfiguration; gamma instead of 1/l where h is below the
    shift, so that noise in directions that the walkers do not resolve is not blown up. gamma = 1/l
    is plain stochastic reconfiguration, gamma = 1 plain gradient descent there. With D (P,):
    d = c + (S + D)^-1 (gamma D - 1) D c, c = (S + D)^-1 F/2. The scaling is that of the robust SR
    of JaQMC. form: P x P (metric), N x N (gram) or the smaller of the two (auto). Raises ValueError
    for gamma below 0.
    """

    name = "robust_sr"

    def __init__(
        self,
        shift: float = 1e-3,
        relative_shift: float = 0.0,
        shift_decay: float = 1.0,
        shift_floor: float = 0.0,
        max_norm: float | None = None,
        gamma: float = 1.0,
        form: str = "auto",
    ):
        super().__init__(shift, relative_shift, shift_decay, shift_floor, max_norm)
        self.gamma = number("RobustSR gamma", gamma, least=0)
        self.form = choice("RobustSR form", form, FORMS)

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        metric = ShiftedMetric(tangents, shift, self.form)
        plain = metric.from_rows(tangents.residuals())
        return plain + metric.solve((self.gamma * shift - 1.0) * shift * plain), state, {}
