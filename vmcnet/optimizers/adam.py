"""Adam, with decoupled weight decay by choice."""

from __future__ import annotations

import numpy as np

from vmcnet.arguments import number, positive
from vmcnet.optimizers.base import Optimizer, State, fraction
from vmcnet.optimizers.schedule import Constant


class Adam(Optimizer):
    """m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, theta <- theta - rate [(m/(1-b1^t)) /
    (sqrt(v/(1-b2^t)) + epsilon) + weight_decay theta].

    t counts from 1. Kingma and Ba, arXiv:1412.6980, algorithm 1; weight_decay > 0 is AdamW:
    Loshchilov and Hutter, arXiv:1711.05101,
    algorithm 2, line 12. It pulls on theta, the numbers behind positive parameters being their
    logarithms. State: `m`, `v` (P,).
    """

    name = "adam"

    def __init__(
        self,
        learning_rate: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        schedule: Constant | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(learning_rate, schedule, max_norm)
        self.beta1, self.beta2 = fraction("Adam beta1", beta1), fraction("Adam beta2", beta2)
        self.epsilon = positive("Adam epsilon", epsilon)
        self.weight_decay = number("Adam weight_decay", weight_decay, least=0)

    def start(self, size: int) -> State:
        return {"m": np.zeros(size), "v": np.zeros(size)}

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        t = iteration + 1
        m = self.beta1 * state["m"] + (1.0 - self.beta1) * direction
        v = self.beta2 * state["v"] + (1.0 - self.beta2) * direction * direction
        m_hat, v_hat = m / (1.0 - self.beta1**t), v / (1.0 - self.beta2**t)
        step = m_hat / (np.sqrt(v_hat) + self.epsilon)
        if self.weight_decay:
            step = step + self.weight_decay * theta
        return -self.rate(iteration) * step, {"m": m, "v": v}
