"""Is a training running away? Judged from the energies that all ranks share, so that all judge
alike.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

DECAY, FLOOR = 0.9, 1e-6


class DivergedError(RuntimeError):
    """The energy rose far above the lowest that this training had reached."""


@dataclass
class Trend:
    """Exponential averages of <E> and of the standard deviation of E_L, and what they were where
    the energy was lowest.

    Saved with every checkpoint: a resumed training judges as the undisturbed one does.
    """

    energy: float = math.nan
    spread: float = math.nan
    low: float = math.inf
    low_spread: float = 0.0

    numbers = asdict

    def check(self, energy: float, variance: float, limit: float) -> None:
        """Raise DivergedError if energy > low + limit * low_spread; limit 0: never. Else follow the
        energy.

        The spread is that of single local energies, sqrt(W) times the error of the mean, and no
        less than 1e-6 |low|.
        """
        spread = math.sqrt(variance)
        allowed = limit * max(self.low_spread, FLOOR * max(1.0, abs(self.low)))
        if limit and energy - self.low > allowed:
            raise DivergedError(
                f"the energy {energy:.6g} is more than {limit:g} standard deviations of E_L above "
                f"the lowest so far, {self.low:.6g}"
            )
        if math.isnan(self.energy):
            self.energy, self.spread = energy, spread
        else:
            self.energy += (1.0 - DECAY) * (energy - self.energy)
            self.spread += (1.0 - DECAY) * (spread - self.spread)
        if self.energy < self.low:
            self.low, self.low_spread = self.energy, self.spread
