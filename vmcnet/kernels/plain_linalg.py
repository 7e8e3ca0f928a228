"""Determinants, inverses and Pfaffians of small matrices in array code: the twins of linalg.py and
linalg_gpu.py.
"""

from __future__ import annotations

import numpy as np


def slogdet(xp, x):
    """sign (or phase) and log|det| (...) of x (..., m, m)."""
    if (
        x.dtype not in (np.longdouble, np.clongdouble)
        or xp.finfo(x.dtype).eps == xp.finfo(np.float64).eps
    ):
        sign, log = xp.linalg.slogdet(x)
        return sign, log
    return _eliminated(xp, x)


def _eliminated(xp, x):
    """Gaussian elimination with row pivots, for the extended precision that LAPACK does not
    have.
    """
    a = x.reshape((-1,) + x.shape[-2:]).copy()
    rows, sign, log = xp.arange(len(a)), xp.ones(len(a), a.dtype), xp.zeros(len(a), a.real.dtype)
    for k in range(a.shape[-1]):
        pivot = k + abs(a[:, k:, k]).argmax(axis=1)
        a[rows, k], a[rows, pivot] = a[rows, pivot].copy(), a[rows, k].copy()
        size = abs(a[:, k, k])
        sign *= a[:, k, k] / size * xp.where(pivot == k, 1.0, -1.0)
        log += xp.log(size)
        a[:, k + 1 :] -= (a[:, k + 1 :, k] / a[:, k, k, None])[:, :, None] * a[:, k, None, :]
    return sign.reshape(x.shape[:-2]), log.reshape(x.shape[:-2])


def inverse(xp, x):
    """x^-1, sign and log|det| of x (..., m, m); the inverse is NaN where x is singular, so that one
    such walker is counted instead of ending the run.
    """
    sign, log = slogdet(xp, x)
    singular = (sign == 0)[..., None, None]
    if x.dtype in (np.longdouble, np.clongdouble):
        return xp.where(singular, xp.nan, _inverted(xp, x)), sign, log
    back = xp.linalg.inv(xp.where(singular, xp.eye(x.shape[-1], dtype=x.dtype), x))
    return xp.where(singular, xp.nan, back).astype(x.dtype, copy=False), sign, log


def _inverted(xp, x):
    """Gauss and Jordan with row pivots, in extended precision."""
    m = x.shape[-1]
    a = x.reshape(-1, m, m)
    a = xp.concatenate([a, xp.broadcast_to(xp.eye(m, dtype=x.dtype), a.shape)], axis=-1)
    rows = xp.arange(len(a))
    for k in range(m):
        pivot = k + abs(a[:, k:, k]).argmax(axis=1)
        a[rows, k], a[rows, pivot] = a[rows, pivot].copy(), a[rows, k].copy()
        a[:, k] /= a[:, k, k, None]
        others = xp.arange(m) != k
        a[:, others] -= a[:, others, k, None] * a[:, k, None, :]
    return a[..., m:].reshape(x.shape)


def traces(xp, back, slots):
    """tr M_c of every derivative slot, and in the last tr M_L - sum_c tr(M_c M_c): M_s = back
    slots_s, back (..., m, m), slots (S, ..., m, m); slot 0 is free.
    """
    m = xp.matmul(back, slots)
    out = m.trace(axis1=-2, axis2=-1)
    out[-1] -= (m[1:-1] * xp.swapaxes(m[1:-1], -1, -2)).sum(axis=(-2, -1)).sum(axis=0)
    return out


def slogpf(xp, x):
    """sign (or phase) and log|Pf| (...) of antisymmetric x (..., m, m), m even: rows and columns k,
    k + 1 are eliminated by the larger pivot (Parlett and Reid, BIT 10, 386 (1970)).
    """
    a = x.reshape((-1,) + x.shape[-2:]).copy()
    each, sign, log = xp.arange(len(a)), xp.ones(len(a), a.dtype), xp.zeros(len(a), a.real.dtype)
    for k in range(0, a.shape[-1], 2):
        pivot = k + 1 + abs(a[:, k, k + 1 :]).argmax(axis=1)
        a[each, k + 1], a[each, pivot] = a[each, pivot].copy(), a[each, k + 1].copy()
        a[each, :, k + 1], a[each, :, pivot] = a[each, :, pivot].copy(), a[each, :, k + 1].copy()
        top = a[:, k, k + 1]
        size = abs(top)
        singular = size == 0
        safe = xp.where(singular, 1.0, size)
        sign *= xp.where(singular, 0.0, top / safe * xp.where(pivot == k + 1, 1.0, -1.0))
        log += xp.where(singular, -xp.inf, xp.log(safe))
        f = a[:, k, k + 2 :] / xp.where(singular, 1.0, top)[:, None]
        outer = f[:, :, None] * a[:, k + 1, None, k + 2 :]
        a[:, k + 2 :, k + 2 :] += xp.swapaxes(outer, 1, 2) - outer
    return sign.reshape(x.shape[:-2]), log.reshape(x.shape[:-2])
