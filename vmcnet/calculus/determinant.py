"""Log-determinant, and the logarithm of a signed sum of exponentials: sums of determinants."""

from __future__ import annotations

import numpy as np

from vmcnet.calculus.jet import ALL, CONSTANT, OWN, embed


def slogdet(xp, x):
    """Sign (or phase) and log|det| of x (..., m, m)."""
    if (
        x.dtype not in (np.longdouble, np.clongdouble)
        or xp.finfo(x.dtype).eps == xp.finfo(np.float64).eps
    ):
        return xp.linalg.slogdet(x)
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
    """x^-1 of (w, m, m); NaN where x is singular, so that one such walker is counted instead of
    ending the run.
    """
    singular = (xp.linalg.slogdet(x)[0] == 0)[:, None, None]
    return xp.where(
        singular, xp.nan, xp.linalg.inv(xp.where(singular, xp.eye(x.shape[-1], dtype=x.dtype), x))
    ).astype(x.dtype, copy=False)


class LogDet:
    """log|det A| of A (w, m, m); for complex A log det A itself, holomorphic (its imaginary part on
    any branch).

    With M_s = A^-1 A_s for slot s: d_c = tr M_c, Laplacian tr M_L - sum_c tr(M_c M_c). Where row i
    depends on particle i alone (support own:
    orbitals of one particle) A_c has one row, M_c rank one, and tr(M_c M_c) = d_c^2. Reverse:
    adjoint A^-T. Singular A: -inf, derivatives NaN.
    """

    name = "logdet"

    def value(self, xp, x):
        sign, log = slogdet(xp, x)
        return log + 1j * xp.angle(sign) if x.dtype.kind == "c" else log

    def jet(self, xp, x):
        if x.support not in (CONSTANT, OWN, ALL):
            x = embed(xp, x, ALL)
        y = self.value(xp, x.slots[0])
        if x.support == CONSTANT:
            return x.like(y[None])
        back, s = inverse(xp, x.slots[0]), x.slots
        if x.support == OWN:
            n, d = x.frame.n, x.frame.d
            rows = (s[1:] * xp.swapaxes(back, -1, -2)).sum(axis=-1)  # (d + 1, w, i)
            out = xp.empty((n * d + 2,) + y.shape, rows.dtype)
            out[1:-1] = xp.moveaxis(rows[:-1], 2, 0).reshape(n * d, -1)
            out[-1] = rows[-1].sum(axis=-1)
            squares = (out[1:-1] * out[1:-1]).sum(axis=0)
        else:
            m = xp.matmul(back, s[1:])
            traces = m.trace(axis1=-2, axis2=-1)
            out = xp.empty((len(s),) + y.shape, traces.dtype)
            out[1:] = traces
            squares = (m[:-1] * xp.swapaxes(m[:-1], -1, -2)).sum(axis=(0, -2, -1))
        out[0] = y
        out[-1] -= squares
        return x.like(out, ALL)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (adjoint[:, None, None] * xp.swapaxes(inverse(xp, x), -1, -2),)


class LogSumExp:
    """log|sum_k p_k a_k e^(l_k)| over the last axis of l (w, K); phases p (w, K) without
    derivative, a (K,) a parameter or 1.

    Complex l or p: log of the sum itself. With u_k = p_k a_k e^(l_k) / sum: d = sum_k u_k d_k,
    Laplacian sum_k u_k (lap_k + sum_c d_kc^2) - sum_c d_c^2. Reverse: u_k to l, u_k / a_k to a.
    """

    name = "logsumexp"

    def terms(self, xp, l, a, phases):
        """p_k e^(l_k - m) (w, K), without a; sum_k of them times a; m = max Re l."""
        top = l.real.max(axis=-1, keepdims=True)
        bare = xp.exp(l - top)
        if phases is not None:
            bare = bare * phases
        return bare, (bare if a is None else bare * a).sum(axis=-1), top[..., 0]

    def value(self, xp, l, a=None, phases=None):
        _, total, top = self.terms(xp, l, a, phases)
        return (xp.log(total) if total.dtype.kind == "c" else xp.log(abs(total))) + top

    def jet(self, xp, l, a=None, phases=None):
        if l.support not in (CONSTANT, ALL):
            l = embed(xp, l, ALL)
        weight, s = None if a is None else a.slots[0], l.slots
        y = self.value(xp, s[0], weight, phases)
        if l.support == CONSTANT:
            return l.like(y[None])
        bare, total, _ = self.terms(xp, s[0], weight, phases)
        u = (bare if weight is None else bare * weight) / total[..., None]
        upper = (u * s[1:]).sum(axis=-1)
        out = xp.empty((len(s),) + y.shape, upper.dtype)
        out[0], out[1:] = y, upper
        out[-1] += (u * (s[1:-1] * s[1:-1]).sum(axis=0)).sum(axis=-1) - (out[1:-1] * out[1:-1]).sum(
            axis=0
        )
        return l.like(out)

    def reverse(self, xp, adjoint, out, l, a=None, per_walker=False, phases=None):
        bare, total, _ = self.terms(xp, l, a, phases)
        share = (adjoint / total)[..., None] * bare
        return (share,) if a is None else (share * a, share)


LOGDET, LOGSUMEXP = LogDet(), LogSumExp()
