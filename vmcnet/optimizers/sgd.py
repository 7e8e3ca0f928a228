"""Plain gradient descent."""

from __future__ import annotations

import numpy as np

from vmcnet.optimizers.base import Optimizer, State
from vmcnet.optimizers.schedule import Constant


class SGD(Optimizer):
    """theta <- theta - rate g, no step longer than max_norm: a natural gradient of a heavy-tailed
    sample can be of any length, and one such step ends a training. None: no limit.
    rate: learning_rate times the schedule.
    """

    name = "sgd"

    def __init__(
        self,
        learning_rate: float = 0.01,
        schedule: Constant | None = None,
        max_norm: float | None = 1.0,
    ):
        super().__init__(learning_rate, schedule, max_norm)

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        return -self.rate(iteration) * direction, state
