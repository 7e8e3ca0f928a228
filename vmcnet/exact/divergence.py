"""How far |psi|^2 is from a known distribution, by enumeration."""

from __future__ import annotations

import numpy as np

from vmcnet.walkers import Psi


def enumerated_divergence(psi: Psi, states: np.ndarray, p: np.ndarray) -> float:
    """Kullback-Leibler divergence sum_s p ln(p / P) in nats of P = |psi|^2 / Z from p (S,), on all
    states (S, n) of a lattice; psi is bound.
    """
    log = 2.0 * psi.log(np.zeros((*states.shape, 0)), states).real
    log = log - log.max()
    log = log - np.log(np.exp(log).sum())
    seen = p > 0
    return float((p[seen] * (np.log(p[seen]) - log[seen])).sum())
