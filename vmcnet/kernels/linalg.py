"""Compiled determinants of small matrices on the host, under the names of plain_linalg.py, which
serves where they are larger.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels import numba_linalg, plain_linalg

LARGEST = 32  # rows from which LAPACK's blocks are faster


def fits(x) -> bool:
    """Whether the compiled loops take matrices x (..., m, m) of this size."""
    return 0 < x.shape[-1] <= LARGEST


def _run(kernel, x):
    """The kernel on a copy of x (..., m, m); the copy, sign and log (...)."""
    x = np.array(x, order="C")
    lead, m = x.shape[:-2], x.shape[-1]
    sign, log = np.empty(lead, x.dtype), np.empty(lead, x.real.dtype)
    kernel(x.reshape(-1, m, m), sign.reshape(-1), log.reshape(-1))
    return x, sign, log


def slogdet(x):
    """sign (or phase) and log|det| (...) of x (..., m, m); 0 and -inf where it is singular."""
    if not fits(x):
        return plain_linalg.slogdet(np, x)
    return _run(numba_linalg.eliminate, x)[1:]


def inverse(x):
    """The same, and x^-1 first: NaN where x is singular."""
    if not fits(x):
        return plain_linalg.inverse(np, x)
    return _run(numba_linalg.invert, x)


def slogpf(x):
    """sign (or phase) and log|Pf| (...) of antisymmetric x (..., m, m), m even."""
    if not fits(x):
        return plain_linalg.slogpf(np, x)
    return _run(numba_linalg.pfaffians, x)[1:]


def traces(back, slots):
    """(S, ...): slot c tr M_c, the last tr M_L - sum_c tr(M_c M_c), M_s = back slots_s; slot 0
    free. back (..., m, m), slots (S, ..., m, m).
    """
    if not fits(slots):
        return plain_linalg.traces(np, back, slots)
    m = slots.shape[-1]
    out = np.zeros(slots.shape[:-2], slots.dtype)
    numba_linalg.traces(
        np.ascontiguousarray(back, dtype=slots.dtype).reshape(-1, m, m),
        np.ascontiguousarray(slots).reshape(len(slots), -1, m, m),
        out.reshape(len(out), -1),
    )
    return out
