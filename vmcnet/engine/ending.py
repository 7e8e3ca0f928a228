"""What is to be said at the end of a training."""

from __future__ import annotations

import numpy as np

from vmcnet.statistics.format import with_error
from vmcnet.statistics.slope import fall_at_the_end

MOTIONLESS = 0.9  # share of walkers without an accepted move that is called nothing moving
LAST = 20  # iterations that are looked at for it


def training_warnings(
    series: dict, walkers: int, moves: str = "coordinates", minimises: bool = True
) -> list[str]:
    """Warnings of a training: series name -> (T,) of energy and stuck walkers; an energy that still
    falls (where it is what is minimised), walkers that did not move. moves: what walkers move.
    """
    found = fall_at_the_end(series.get("energy", ())) if minimises else None
    out = []
    if found:
        fall, error, n = found
        power = int(np.floor(np.log10(fall)))
        digits = with_error(fall / 10.0**power, error / 10.0**power)
        out.append(
            f"the energy still fell at the end, by {digits}e{power:+03d} an iteration over the "
            f"last {n}: use more iterations or a larger learning rate"
        )
    stuck = np.asarray(series.get("stuck", ()))[-LAST:]
    if len(stuck) and np.median(stuck) >= MOTIONLESS * walkers:
        cure = "a smaller step size" if moves == "coordinates" else "another proposal"
        out.append(
            f"walkers did not move: in the last {len(stuck)} iterations {np.median(stuck):.0f} of "
            f"{walkers} accepted no move, so that the energy means nothing: use {cure}, more steps "
            "an iteration or a longer warm-up"
        )
    return out
