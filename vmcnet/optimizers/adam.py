"""Adam."""

from __future__ import annotations

import numpy as np

from vmcnet.optimizers.base import Optimizer, positive


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, theta <- theta - rate (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + epsilon).

    t counts from 1. Kingma and Ba, arXiv:1412.6980, algorithm 1. State: `m`, `v` (P,).
    """

    name = "adam"

    def __init__(self, learning_rate: float = 0.01, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8):
        self.learning_rate = positive("Adam learning_rate", learning_rate)
        for name, value in (("beta1", beta1), ("beta2", beta2)):
            if not 0.0 <= value < 1.0:
                raise ValueError(f"Adam {name} must be in [0, 1), got {value}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, positive("Adam epsilon", epsilon)

    def start(self, size):
        return {"m": np.zeros(size), "v": np.zeros(size)}

    def update(self, direction, state, iteration):
        t = iteration + 1
        m = self.beta1 * state["m"] + (1.0 - self.beta1) * direction
        v = self.beta2 * state["v"] + (1.0 - self.beta2) * direction * direction
        m_hat, v_hat = m / (1.0 - self.beta1**t), v / (1.0 - self.beta2**t)
        return -self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon), {"m": m, "v": v}
