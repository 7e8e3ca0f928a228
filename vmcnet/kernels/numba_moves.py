"""The decision of a Metropolis step and the move of those accepted, in one pass."""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def moved(thresholds, log, trial_log, ratio, r, trial, accepted, bad, accept):
    """Where threshold < 2 (trial_log - log) + ratio, log and r (W, K) become those of the trial;
    accept (W,) says where. Counts are added.

    psi = 0 at the trial is a rejection; NaN is a rejection and counted in `bad`.
    """
    T = log.dtype.type
    for w in range(log.size):
        new = trial_log[w]
        exponent = T(2.0) * (new - log[w]) + ratio[w]
        if new == -np.inf:
            exponent = new
        accept[w] = thresholds[w] < exponent
        bad[w] += exponent != exponent
        if accept[w]:
            accepted[w] += 1
            log[w] = new
            for k in range(r.shape[1]):
                r[w, k] = trial[w, k]
