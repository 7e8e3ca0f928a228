"""Errors of functions of means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def jackknife(function: Callable[..., Any], *samples: np.ndarray) -> tuple[float, float]:
    """function(means) of independent samples (M,) each, and its error sqrt((M-1)/M sum_i (f_i -
    mean f)^2), f_i without sample i.

    The value is corrected for its bias of order 1/M. B. Efron, The Jackknife, the Bootstrap and
    Other Resampling Plans (1982), ch. 2 and 3.
    """
    found = [np.asarray(x, np.float64) for x in samples]
    m = len(found[0])
    if m < 2:
        raise ValueError("jackknife needs at least 2 samples")
    whole = float(function(*[x.mean() for x in found]))
    left = function(*[(x.sum() - x) / (m - 1) for x in found])
    return m * whole - (m - 1) * float(left.mean()), float(
        np.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum())
    )
