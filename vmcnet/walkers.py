"""Walkers of one block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Walkers:
    """r (W, n, d) coordinates, s (W, n) int8 spin labels +1 / -1, log_psi (W,) of the current
    parameters.

    update: what psi keeps of these walkers for fast moves at the current parameters (a
    LocalUpdate), or None; log_psi may then be absent.
    """

    r: Any
    s: Any
    log_psi: Any = None
    update: Any = None

    def with_log(self, log_psi: Any) -> Walkers:
        return replace(self, log_psi=log_psi)
