"""What an optimizer is: state in, state out."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from vmcnet import arguments
from vmcnet.optimizers.schedule import Constant

State = dict[str, np.ndarray]  # arrays by name, kept in checkpoints


@runtime_checkable
class Optimizer(Protocol):
    """theta <- theta + step, float64, the same arithmetic on every rank.

      start(size) -> state                                          arrays by name, at theta (size,)
      step(direction, state, iteration, theta) -> (step, state)     (size,) each
      rate(iteration) -> float                                      what the series calls the rate

    direction (size,): the gradient 2 Re<(E_L - <E>)* O> in units of the system's energy, or what a
    natural gradient made of it. State in, state out: checkpoints keep it, nothing else may be
    remembered. iteration counts from 0.

    A subclass gives update(direction, state, iteration, theta) -> (step, state), and start where it
    has a state; rate is learning_rate times the schedule's factor, and `step` scales updates down
    to the norm max_norm. Raises ValueError for arguments out of range.
    """

    name: str = "optimizer"
    learning_rate: float
    schedule: Constant
    max_norm: float | None

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = arguments.recorded(cls.__init__)  # type: ignore[method-assign]

    @arguments.recorded
    def __init__(
        self, learning_rate: float, schedule: Constant | None = None, max_norm: float | None = None
    ):
        title = type(self).__name__
        self.learning_rate = arguments.positive(f"{title} learning_rate", learning_rate)
        self.schedule = Constant() if schedule is None else schedule
        if not isinstance(self.schedule, Constant):
            raise ValueError(
                f"{title} schedule must be one of Constant, InverseDecay, Cosine (or a subclass), "
                f"got {arguments.shown(schedule)}"
            )
        self.max_norm = (
            None if max_norm is None else arguments.positive(f"{title} max_norm", max_norm)
        )

    def __repr__(self) -> str:
        return arguments.called(self)

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

    def _updated(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        """What update gives, which must be a real step and a state."""
        name = type(self).__name__
        try:
            found: object = self.update(_frozen(direction), state, iteration, _frozen(theta))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ValueError(
                f"update of {name} changes theta or the direction in place: return the step, "
                "which training adds"
            ) from error
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict)):
            raise TypeError(
                f"update of {name} returns {type(found).__name__}; expected (step, state), the "
                "state a dictionary of arrays"
            )
        following = checked_state(f"update of {name}", found[1], state)
        step = np.asarray(found[0])
        if step.shape != np.shape(theta) or step.dtype.kind not in "fiu":
            raise ValueError(
                f"update of {name} returns a step of {step.dtype}, shape {step.shape}; expected "
                f"real numbers of shape {np.shape(theta)}"
            )
        return step, following

    def step(
        self, direction: np.ndarray, state: State, iteration: int, theta: np.ndarray
    ) -> tuple[np.ndarray, State]:
        """(step (P,), state): the update, scaled down to the norm max_norm where it is longer."""
        step, state = self._updated(direction, state, iteration, theta)
        if self.max_norm is not None:
            norm = float(np.sqrt((step * step).sum()))
            if norm > self.max_norm:
                step = step * (self.max_norm / norm)
        return step, state


def started(part: Any, size: int) -> State:
    """The state with which an optimizer or a natural gradient starts, checked."""
    return checked_state(f"start of {type(part).__name__}", part.start(size))


def rate_of(optimizer: Optimizer, iteration: int) -> float:
    """What the series calls the learning rate, a number."""
    rate: object = optimizer.rate(iteration)
    if not isinstance(rate, int | float | np.integer | np.floating):
        raise ValueError(
            f"rate of {type(optimizer).__name__} returns {arguments.shown(rate)}; expected a number"
        )
    return float(rate)


def checked_state(what: str, given: object, before: State | None = None) -> State:
    """A state, its arrays of float64, as a checkpoint gives it back; TypeError or ValueError unless
    it is one and, after the start, has the names and shapes of that `before`.
    """
    if not isinstance(given, dict):
        raise TypeError(
            f"{what} returns the state {arguments.shown(given)}; expected a dictionary of arrays"
        )
    found: State = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name.isprintable() or not name or "/" in name:
            raise ValueError(
                f"{what} names an array of the state {name!r}; expected a text without slashes"
            )
        try:
            array = np.asarray(value)
        except ValueError:  # lists of different lengths
            array = np.empty(0, object)
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"{what} keeps {arguments.shown(value)} as {name!r} in the state; expected an "
                "array of real numbers, which checkpoints can hold"
            )
        found[name] = array.astype(np.float64, copy=False)
    if before is not None:
        then, now = ({k: v.shape for k, v in state.items()} for state in (before, found))
        if then != now:
            raise ValueError(
                f"{what} returns a state of {_shapes(now)}, which was {_shapes(then)} before: let "
                "start(size) make all its arrays, so that a run can go on from a checkpoint"
            )
    return found


def _shapes(shapes: dict) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no arrays"


def _frozen(array: np.ndarray) -> np.ndarray:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def fraction(name: str, value: float) -> float:
    return arguments.number(name, value, least=0, below=1)
