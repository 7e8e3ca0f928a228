"""Ratios of a wavefunction whose particles exchange their spins."""

from __future__ import annotations

from vmcnet.backend.arrays import namespace
from vmcnet.calculus.jet import pair_arrays

TILE = 16  # exchanged configurations of every walker that are evaluated in one call


def exchange_sum(value, walkers, elements):
    """sum_{i<j} elements_ij psi(s_i <-> s_j)/psi over the pairs whose spins differ, (W,).

    elements (W, pairs), pairs i < j; value(r, s) -> (phase, log psi). Every walker's pairs that act
    are gathered first, so that fixed labels n_up, n_down cost n_up n_down evaluations.
    """
    r, s, xp = walkers.r, walkers.s, namespace(walkers.r)
    i, j = pair_arrays(xp, s.shape[1])
    acts = s[:, i] != s[:, j]
    order = xp.argsort(~acts, axis=1, kind="stable")
    most, rows = int(acts.sum(axis=1).max()), xp.arange(len(r))[:, None]
    phase, log = value(r, s)
    total = xp.zeros(log.shape, log.dtype if phase is None else xp.result_type(phase, log))
    for start in range(0, most, TILE):
        pairs = order[:, start : min(start + TILE, most)]
        count = pairs.shape[1]
        first, second = i[pairs], j[pairs]
        to = xp.repeat(s[:, None], count, axis=1)
        columns = xp.arange(count)[None]
        to[rows, columns, first], to[rows, columns, second] = s[rows, second], s[rows, first]
        new_phase, new_log = value(
            xp.repeat(r, count, axis=0), to.reshape(len(r) * count, s.shape[1])
        )
        ratios = xp.exp(new_log.reshape(len(r), count) - log[:, None])
        if phase is not None:
            ratios = ratios * new_phase.reshape(len(r), count) * xp.conj(phase)[:, None]
        total += xp.where(acts[rows, pairs], elements[rows, pairs] * ratios, 0.0).sum(axis=1)
    return total
