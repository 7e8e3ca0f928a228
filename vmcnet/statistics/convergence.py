"""Have the chains mixed?"""

from __future__ import annotations

import numpy as np


def split_rhat(means: np.ndarray, m2s: np.ndarray, n: int) -> float:
    """Split R-hat from half-chain means and sums of squared deviations (2, M), n steps a half:
    sqrt(((n-1)/n W + B/n)/W).

    Gelman et al., Bayesian Data Analysis, 3rd ed., eq. 11.4.
    """
    within = float((np.asarray(m2s) / (n - 1)).mean())
    between = float(np.asarray(means).reshape(-1).var(ddof=1))
    if within == 0.0:
        return 1.0 if between == 0.0 else float("inf")
    return float(np.sqrt((n - 1) / n + between / within))
