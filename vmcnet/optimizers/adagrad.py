"""AdaGrad."""

from __future__ import annotations

import numpy as np

from vmcnet.arguments import positive
from vmcnet.optimizers.base import Optimizer, State
from vmcnet.optimizers.schedule import Constant


class AdaGrad(Optimizer):
    """G <- G + g^2, theta <- theta - rate g / (sqrt G + epsilon).

    Duchi, Hazan, Singer, J. Mach. Learn. Res. 12, 2121 (2011), figure 1, diagonal form. State:
    `sum` (P,).
    """

    name = "adagrad"

    def __init__(
        self,
        learning_rate: float = 0.1,
        epsilon: float = 1e-8,
        schedule: Constant | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(learning_rate, schedule, max_norm)
        self.epsilon = positive("AdaGrad epsilon", epsilon)

    def start(self, size: int) -> State:
        return {"sum": np.zeros(size)}

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        total = state["sum"] + direction * direction
        return -self.rate(iteration) * direction / (np.sqrt(total) + self.epsilon), {"sum": total}
