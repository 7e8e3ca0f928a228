"""Numbers with their errors, and exponents as they are printed."""

from __future__ import annotations

import math
import re


def with_error(value: float, error: float) -> str:
    """3.00012(8): the error in units of the last digit, one digit (two if the first is 1)."""
    if not math.isfinite(value):
        return str(value)
    if not math.isfinite(error):
        return f"{value:.6g}(?)"
    if value == error == 0.0:
        return "0(0)"
    if error <= 1e-14 * abs(value):  # below rounding
        return f"{value:.10f}(0)"
    first, power = f"{error:.0e}".split("e")  # of the rounded error: 0.0996 counts as 0.1
    places = (first == "1") - int(power)
    shown = round(error * 10.0**places)
    if places <= 0:
        return f"{round(value, places):.0f}({shown * 10**-places})"
    return f"{value:.{places}f}({shown})"


def two_digits(value: float) -> str:
    """0.00040, 12, 150, 4.0e-05: two digits, zeros at the end among them."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    shown = f"{value:#.2g}"
    return f"{value:.0f}" if abs(float(shown)) >= 10.0 else shown


def article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def raised(text: str) -> str:
    """bohr^-2 as bohr⁻², for pages and figures."""
    small = str.maketrans(
        "-0123456789", "\u207b\u2070\xb9\xb2\xb3\u2074\u2075\u2076\u2077\u2078\u2079"
    )
    return re.sub(r"\^(-?\d+)", lambda found: found[1].translate(small), text)
