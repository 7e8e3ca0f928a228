"""Determinants and Pfaffians as sign and logarithm, and the logarithm of a signed sum of
exponentials: sums of determinants.

Operations of this file have two results, (sign, log): the sign (w, ...), without derivative, is
made by the factorisation that gives the logarithm.
"""

from __future__ import annotations

from vmcnet import kernels
from vmcnet.calculus.jet import ALL, CONSTANT, LOCAL, OWN, embed
from vmcnet.calculus.operation import Operation


def _log(xp, sign, log):
    """The holomorphic logarithm of complex matrices: the phase is its imaginary part."""
    return log + 1j * xp.angle(sign) if sign.dtype.kind == "c" else log


class SlogDet(Operation):
    """sign and log|det A| of A (w, m, m) or (w, K, m, m), or of `count` matrices side by side, (w,
    m, count m) -> (w, count). Complex A: log det A itself, holomorphic, its imaginary part on any
    branch.

    With M_s = A^-1 A_s for slot s: d_c = tr M_c, Laplacian tr M_L - sum_c tr(M_c M_c). Where row i
    depends on one particle alone (support own: orbitals of one particle) A_c has one row, M_c rank
    one, and tr(M_c M_c) = d_c^2. Reverse: adjoint A^-T, from the inverse that the tape keeps.
    Singular A: -inf, derivatives NaN; 0 where the adjoint is.
    """

    name = "slogdet"
    keeps = True

    @staticmethod
    def _apart(xp, x, count):
        """(..., m, count m) -> (..., count, m, m)."""
        if count is None:
            return x
        x = x.reshape(x.shape[:-1] + (count, x.shape[-2]))
        return xp.ascontiguousarray(xp.swapaxes(x, -2, -3))

    def value(self, xp, x, count):
        sign, log = kernels.of(xp, x.dtype).slogdet(self._apart(xp, x, count))
        return sign, _log(xp, sign, log)

    def record(self, xp, x, count):
        back, sign, log = kernels.of(xp, x.dtype).inverse(self._apart(xp, x, count))
        return (sign, _log(xp, sign, log)), back

    def jet(self, xp, x, count):
        rows = len(x.shape) == 3
        own = x.support == OWN and rows and len(set(x.particles)) == x.shape[1]
        if not own and rows and x.support in LOCAL:
            x = embed(xp, x, ALL)
        s = x.slots
        back, sign, log = kernels.of(xp, x.slots.dtype).inverse(self._apart(xp, s[0], count))
        sign, log = x.like(sign[None], CONSTANT), _log(xp, sign, log)
        if x.support == CONSTANT:
            return sign, x.like(log[None])
        if own:
            out = self._rows(xp, x, back, count)
        else:
            out = kernels.of(xp, x.slots.dtype).traces(back, self._apart(xp, s, count))
        out[0] = log
        return sign, x.like(out, ALL if own else x.support)

    @staticmethod
    def _rows(xp, x, back, count):
        """The slots (n d + 2, w) or (n d + 2, w, count) where every row is a particle of its
        own.
        """
        n, d, s = x.frame.n, x.frame.d, x.slots[1:]
        if count is not None:
            s = s.reshape(s.shape[:-1] + (count, s.shape[-2]))
        products = (s * xp.moveaxis(back, -1, 1)).sum(axis=-1)  # (d + 1, w, rows, ...)
        out = xp.zeros((n * d + 2, s.shape[1]) + s.shape[3:-1], products.dtype)
        for row, i in enumerate(x.particles):
            out[1 + i * d : 1 + (i + 1) * d] = products[:-1, :, row]
        out[-1] = products[-1].sum(axis=1) - (out[1:-1] * out[1:-1]).sum(axis=0)
        return out

    def reverse(self, xp, adjoint, out, x, count, kept, per_walker=False):
        adjoint = adjoint[..., None, None]
        dx = xp.where(adjoint == 0, adjoint, adjoint * xp.swapaxes(kept, -1, -2))
        return (dx if count is None else xp.swapaxes(dx, -2, -3).reshape(x.shape),)


class LogPfaffian(Operation):
    """sign and log|Pf A| of the antisymmetric part A = (x - x^T)/2 of x (w, m, m) or (w, K, m, m),
    m even. Complex x: the holomorphic log Pf A.

    With M_s = A^-1 A_s: d_c = tr M_c / 2, Laplacian (tr M_L - sum_c tr(M_c M_c)) / 2. Reverse:
    adjoint A^-T / 2. Bajdich, Mitas, Wagner and Schmidt, Phys. Rev. B 77, 115112 (2008), appendix.
    """

    name = "log_pfaffian"
    keeps = True

    @staticmethod
    def _part(xp, x):
        return 0.5 * (x - xp.swapaxes(x, -1, -2))

    def value(self, xp, x):
        sign, log = kernels.of(xp, x.dtype).slogpf(self._part(xp, x))
        return sign, _log(xp, sign, log)

    def record(self, xp, x):
        a = self._part(xp, x)
        sign, log = kernels.of(xp, x.dtype).slogpf(a)
        return (sign, _log(xp, sign, log)), kernels.of(xp, x.dtype).inverse(a)[0]

    def jet(self, xp, x):
        if x.support in LOCAL and len(x.shape) == 3:
            x = embed(xp, x, ALL)
        a = self._part(xp, x.slots)
        sign, log = self.value(xp, x.slots[0])
        sign = x.like(sign[None], CONSTANT)
        if x.support == CONSTANT:
            return sign, x.like(log[None])
        own = kernels.of(xp, x.slots.dtype)
        out = 0.5 * own.traces(own.inverse(a[0])[0], a)
        out[0] = log
        return sign, x.like(out)

    def reverse(self, xp, adjoint, out, x, kept, per_walker=False):
        adjoint = 0.5 * adjoint[..., None, None]
        return (xp.where(adjoint == 0, adjoint, adjoint * xp.swapaxes(kept, -1, -2)),)


class LogSumExp(Operation):
    """sign and log|sum_k p_k a_k e^(l_k)| over the last axis of l (w, K): phases p (w, K) without
    derivative where `phased`, a (K,) a parameter or 1.

    Complex l or p: log of the sum itself. With u_k = p_k a_k e^(l_k) / sum: d = sum_k u_k d_k,
    Laplacian sum_k u_k (lap_k + sum_c d_kc^2) - sum_c d_c^2. Reverse: u_k to l, u_k / a_k to a.
    A term that is exactly 0, a singular determinant, counts as 0 with its derivatives.
    """

    name = "logsumexp"

    @staticmethod
    def _parts(rest, phased):
        """phases and weights, None where there are none."""
        return (rest[0] if phased else None), (rest[-1] if len(rest) > phased else None)

    @staticmethod
    def _terms(xp, l, phases, a):
        """p_k e^(l_k - m) (w, K), without a; sum_k of them times a; m = max Re l."""
        top = l.real.max(axis=-1, keepdims=True)
        top = xp.where(top == -xp.inf, 0.0, top)  # all of them 0
        bare = xp.exp(l - top)
        if phases is not None:
            bare = bare * phases
        return bare, (bare if a is None else bare * a).sum(axis=-1), top[..., 0]

    def value(self, xp, l, *rest, phased):
        _, total, top = self._terms(xp, l, *self._parts(rest, phased))
        if total.dtype.kind == "c":
            return total, xp.log(total) + top
        size = abs(total)
        return xp.sign(total), xp.where(
            size == 0, -xp.inf, xp.log(xp.where(size == 0, 1.0, size))
        ) + top

    def jet(self, xp, l, *rest, phased):
        if l.support not in (CONSTANT, ALL):
            l = embed(xp, l, ALL)
        phases, weight = self._parts([r.slots[0] for r in rest], phased)
        s = l.slots
        sign, y = self.value(xp, s[0], *[r.slots[0] for r in rest], phased=phased)
        sign = l.like(sign[None], CONSTANT)
        if l.support == CONSTANT:
            return sign, l.like(y[None])
        bare, total, _ = self._terms(xp, s[0], phases, weight)
        zero = (total == 0)[..., None]
        u = (bare if weight is None else bare * weight) / xp.where(zero, xp.nan, total[..., None])
        upper = xp.where((bare == 0) & ~zero, 0.0, s[1:])
        out = xp.empty((len(s),) + y.shape, xp.result_type(u, upper))
        out[0], out[1:] = y, (u * upper).sum(axis=-1)
        squares = (upper[:-1] * upper[:-1]).sum(axis=0)
        out[-1] += (u * squares).sum(axis=-1) - (out[1:-1] * out[1:-1]).sum(axis=0)
        return sign, l.like(out)

    def reverse(self, xp, adjoint, out, l, *rest, phased, per_walker=False):
        phases, weight = self._parts(rest, phased)
        bare, total, _ = self._terms(xp, l, phases, weight)
        share = (adjoint / total)[..., None] * bare
        return (
            (share if weight is None else share * weight,)
            + (None,) * phased
            + (share,) * (weight is not None)
        )


SLOGDET, LOG_PFAFFIAN, LOGSUMEXP = SlogDet(), LogPfaffian(), LogSumExp()
