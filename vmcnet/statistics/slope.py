"""Does a series still fall at its end?"""

from __future__ import annotations

import numpy as np

SEGMENTS, LEAST = 8, 40  # parts of the end, and the fewest entries that an end has
SIGNIFICANT = 5.2  # Student's t of 6 degrees of freedom: one series in 1000 by chance


def fall_at_the_end(x: np.ndarray, share: float = 0.25) -> tuple[float, float, int] | None:
    """(fall an entry, its error, entries looked at) if the last `share` of x (T,) falls, else None.

    A straight line through the means of 8 equal segments of at least 40 entries; it falls if its
    slope is below 0 by 5.2 errors (from the scatter about the line) and beyond rounding.
    """
    x = np.asarray(x, np.float64)
    n = max(LEAST, int(share * len(x))) // SEGMENTS * SEGMENTS
    if len(x) < n:
        return None
    y = x[len(x) - n :].reshape(SEGMENTS, -1).mean(axis=1)
    if not np.isfinite(y).all():
        return None
    t = (np.arange(SEGMENTS) - 0.5 * (SEGMENTS - 1)) * (n // SEGMENTS)
    slope = float(t @ y / (t @ t))
    scatter = y - y.mean() - slope * t
    error = float(np.sqrt(scatter @ scatter / (SEGMENTS - 2) / (t @ t)))
    falls = slope < -SIGNIFICANT * error and -slope * n > 1e-12 * max(1.0, abs(float(y.mean())))
    return (-slope, error, n) if falls else None
