"""Plain gradient descent."""

from __future__ import annotations

from vmcnet.optimizers.base import Optimizer


class SGD(Optimizer):
    """theta <- theta - rate g, no step longer than max_norm: a natural gradient of a heavy-tailed
    sample can be of any length, and one such step ends a training. None: no limit.
    """

    name = "sgd"

    def __init__(self, learning_rate: float = 0.01, schedule=None, max_norm: float | None = 1.0):
        super().__init__(learning_rate, schedule, max_norm)

    def update(self, direction, state, iteration, theta):
        return -self.rate(iteration) * direction, state
