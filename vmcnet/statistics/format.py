"""Numbers with their errors."""

from __future__ import annotations

import math


def with_error(value: float, error: float) -> str:
    """3.00012(8): the error in units of the last digit, one digit (two if the first is 1)."""
    if not math.isfinite(value):
        return str(value)
    if not math.isfinite(error):
        return f"{value:.6g}(?)"
    if error <= 1e-14 * abs(value):  # below rounding
        return f"{value:.10f}(0)"
    first, power = f"{error:.0e}".split("e")  # of the rounded error: 0.0996 counts as 0.1
    places = (first == "1") - int(power)
    shown = round(error * 10.0**places)
    if places <= 0:
        return f"{round(value, places):.0f}({shown * 10**-places})"
    return f"{value:.{places}f}({shown})"
