"""RMSprop."""

from __future__ import annotations

import numpy as np

from vmcnet.arguments import positive
from vmcnet.optimizers.base import Optimizer, State, fraction
from vmcnet.optimizers.schedule import Constant


class RMSprop(Optimizer):
    """v <- decay v + (1 - decay) g^2, theta <- theta - rate g / (sqrt v + epsilon), from v = 0.

    Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6.5 (2012). State: `v` (P,).
    """

    name = "rmsprop"

    def __init__(
        self,
        learning_rate: float = 0.01,
        decay: float = 0.9,
        epsilon: float = 1e-8,
        schedule: Constant | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(learning_rate, schedule, max_norm)
        self.decay, self.epsilon = (
            fraction("RMSprop decay", decay),
            positive("RMSprop epsilon", epsilon),
        )

    def start(self, size: int) -> State:
        return {"v": np.zeros(size)}

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        v = self.decay * state["v"] + (1.0 - self.decay) * direction * direction
        return -self.rate(iteration) * direction / (np.sqrt(v) + self.epsilon), {"v": v}
