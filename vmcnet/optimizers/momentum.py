"""Gradient descent with momentum."""

from __future__ import annotations

import numpy as np

from vmcnet.arguments import flag
from vmcnet.optimizers.base import Optimizer, State, fraction
from vmcnet.optimizers.schedule import Constant


class Momentum(Optimizer):
    """Heavy ball: v <- mu v + g, theta <- theta - rate v. With nesterov: theta <- theta - rate (g +
    mu v), v the new one.

    Polyak, USSR Comput. Math. Math. Phys. 4, 1 (1964), eq. 9; Nesterov's form by Sutskever,
    Martens, Dahl, Hinton, ICML (2013), eq. 3 and 4,
    written for the look-ahead point. State: `velocity` (P,).
    """

    name = "momentum"

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        nesterov: bool = False,
        schedule: Constant | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(learning_rate, schedule, max_norm)
        self.momentum = fraction("Momentum momentum", momentum)
        self.nesterov = flag("Momentum nesterov", nesterov)

    def start(self, size: int) -> State:
        return {"velocity": np.zeros(size)}

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        velocity = self.momentum * state["velocity"] + direction
        ahead = direction + self.momentum * velocity if self.nesterov else velocity
        return -self.rate(iteration) * ahead, {"velocity": velocity}
