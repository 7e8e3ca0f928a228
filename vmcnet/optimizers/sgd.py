"""Plain gradient descent."""

from __future__ import annotations

from vmcnet.optimizers.base import Optimizer


class SGD(Optimizer):
    """theta <- theta - rate g."""

    name = "sgd"

    def __init__(self, learning_rate: float = 0.01, schedule=None, max_norm: float | None = None):
        super().__init__(learning_rate, schedule, max_norm)

    def update(self, direction, state, iteration, theta):
        return -self.rate(iteration) * direction, state
