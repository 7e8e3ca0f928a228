"""What an optimizer is: state in, state out."""

from __future__ import annotations

import numpy as np


class Optimizer:
    """theta, state -> theta, state; the same arithmetic on every rank, float64.

    A subclass gives start(size) -> {name: array} and update(direction, state, iteration) -> (step (P,), state): the step is added to
    theta. `direction` is what training hands over: the gradient itself, or the gradient after a metric was divided out.
    """

    name = "optimizer"
    learning_rate: float

    def start(self, size: int) -> dict[str, np.ndarray]:
        return {}

    def update(self, direction, state, iteration: int):
        raise TypeError(f"{type(self).__name__} defines no update(direction, state, iteration)")


def positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return float(value)
