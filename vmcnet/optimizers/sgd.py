"""Plain gradient descent."""

from __future__ import annotations

from vmcnet.optimizers.base import Optimizer, positive


class SGD(Optimizer):
    """theta <- theta - learning_rate g."""

    name = "sgd"

    def __init__(self, learning_rate: float = 0.01):
        self.learning_rate = positive("SGD learning_rate", learning_rate)

    def update(self, direction, state, iteration):
        return -self.learning_rate * direction, state
