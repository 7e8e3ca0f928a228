"""Natural gradients with a memory of the direction before: SPRING and MARCH."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.arguments import choice, number
from vmcnet.optimizers.base import State
from vmcnet.optimizers.natural_gradient import FORMS, NaturalGradient, ShiftedMetric, Tangents


class SPRING(NaturalGradient):
    """Minimises |X d - f|^2 + (d - m d')^T D (d - m d'), d' the direction before, m the momentum:

    d = m d' + (S + D)^-1 X^T (f - m X d'). G. Goldshlager, N. Abrahamsen, L. Lin, J. Comput. Phys.
    516, 113351 (2024), arXiv:2401.10190 (their further term 1 1^T / N changes nothing: X and f are
    centred). form: P x P (metric), N x N (gram), or the smaller of the two (auto). State:
    `previous` (P,), before max_norm. Raises ValueError for a momentum outside [0, 1).
    """

    name = "spring"

    def __init__(
        self,
        shift: float = 1e-3,
        relative_shift: float = 0.0,
        shift_decay: float = 1.0,
        shift_floor: float = 0.0,
        max_norm: float | None = None,
        momentum: float = 0.9,
        form: str = "auto",
    ):
        super().__init__(shift, relative_shift, shift_decay, shift_floor, max_norm)
        title = type(self).__name__
        self.momentum = number(f"{title} momentum", momentum, least=0, below=1)
        self.form = choice(f"{title} form", form, FORMS)

    def start(self, size: int) -> State:
        return {"previous": np.zeros(size)}

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        d = self._direction(tangents, shift, state["previous"])
        return d, {"previous": d}, {}

    def _direction(self, tangents: Tangents, shift: Any, previous: np.ndarray) -> np.ndarray:
        old = self.momentum * previous
        rows = tangents.residuals() - (tangents.product(old) if old.any() else 0.0)
        return old + ShiftedMetric(tangents, shift, self.form).from_rows(rows)


class MARCH(SPRING):
    """SPRING with a shift of its own for every parameter, large where directions changed much:

    D_p = shift sqrt(v_p) / mean sqrt(v), v <- beta v + (d - d')^2, from v = 1; no weight below
    FLOOR, so that a parameter that never moved keeps a shift. Y. Gu et al., arXiv:2507.02644, eqs.
    S17 to S23; the division by the mean, which leaves `shift` the meaning it has in SPRING, is our
    own. State: `previous` and `second` (P,). Raises ValueError for beta outside [0, 1).
    """

    name = "march"
    FLOOR = 0.01

    def __init__(
        self,
        shift: float = 1e-3,
        relative_shift: float = 0.0,
        shift_decay: float = 1.0,
        shift_floor: float = 0.0,
        max_norm: float | None = None,
        momentum: float = 0.95,
        beta: float = 0.995,
        form: str = "auto",
    ):
        super().__init__(shift, relative_shift, shift_decay, shift_floor, max_norm, momentum, form)
        self.beta = number("MARCH beta", beta, least=0, below=1)

    def start(self, size: int) -> State:
        return {"previous": np.zeros(size), "second": np.ones(size)}

    def weights(self, second: np.ndarray) -> np.ndarray:
        """sqrt(v) / mean sqrt(v), at least FLOOR (P,)."""
        root = np.sqrt(second)
        return np.maximum(root / root.mean(), self.FLOOR)

    def solve(self, tangents: Tangents, shift: Any, state: State) -> tuple[np.ndarray, State, dict]:
        previous, second = state["previous"], state["second"]
        d = self._direction(tangents, shift * self.weights(second), previous)
        change = d - previous
        return d, {"previous": d, "second": self.beta * second + change * change}, {}
