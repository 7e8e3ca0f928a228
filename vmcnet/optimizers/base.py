"""What an optimizer is: state in, state out."""

from __future__ import annotations

import numpy as np

from vmcnet.optimizers.schedule import Constant

State = dict[str, np.ndarray]  # arrays by name, kept in checkpoints


class Optimizer:
    """theta, state -> step, state; the same arithmetic on every rank, float64.

    A subclass gives start(size) -> {name: array} and update(direction, state, iteration, theta) ->
    (step (P,), state), with the learning
    rate of `rate(iteration)`; `step` limits its Euclidean norm to max_norm, and training adds it to
    theta. `direction` is what training
    hands over: the gradient itself, or the gradient after a metric was divided out. Raises
    ValueError for arguments out of range.
    """

    name = "optimizer"

    def __init__(
        self, learning_rate: float, schedule: Constant | None = None, max_norm: float | None = None
    ):
        title = type(self).__name__
        self.learning_rate = positive(f"{title} learning_rate", learning_rate)
        self.schedule = Constant() if schedule is None else schedule
        self.max_norm = None if max_norm is None else positive(f"{title} max_norm", max_norm)

    def rate(self, iteration: int) -> float:
        """learning_rate times the schedule's factor; iterations count from 0."""
        return self.learning_rate * self.schedule.factor(iteration)

    def start(self, size: int) -> State:
        return {}

    def update(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        raise TypeError(
            f"{type(self).__name__} defines no update(direction, state, iteration, theta)"
        )

    def step(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        """(step (P,), state): the update, scaled down to the norm max_norm where it is longer."""
        step, state = self.update(direction, state, iteration, theta)
        if self.max_norm is not None:
            norm = float(np.sqrt((step * step).sum()))
            if norm > self.max_norm:
                step = step * (self.max_norm / norm)
        return step, state


def positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return float(value)


def fraction(name: str, value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    return float(value)
