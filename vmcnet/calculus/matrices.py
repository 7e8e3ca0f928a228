"""Products of matrices that both depend on the walker, their transposes, softmax along rows."""

from __future__ import annotations

from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, embed, whole
from vmcnet.calculus.operation import Operation


class Matmul(Operation):
    """a b of (w, ..., p, q) and (w, ..., q, r): the product rule over the sum of q.

    Jet: a_c b_0 + a_0 b_c, the Laplacian adds 2 sum_c a_c b_c. Of (w, n, p, q) and (w, n, q, r) the
    particle axis stays what it is; of three axes rows of particles stay, times a constant.
    Reverse: adj b^T, a^T adj.
    """

    name = "matmul"

    def value(self, xp, a, b):
        return xp.matmul(a, b)

    def jet(self, xp, a, b):
        if b.support == CONSTANT:
            return a.like(xp.matmul(a.slots, b.slots))
        same = a.support == CONSTANT or (a.support, a.rows) == (b.support, b.rows)
        if not same or len(a.shape) == 3:
            a, b = (j if j.support == CONSTANT else embed(xp, j, ALL) for j in (a, b))
        if a.support == CONSTANT:
            return b.like(xp.matmul(a.slots, b.slots))
        p, q = a.slots, b.slots
        out = xp.matmul(p, q[0])
        out[1:] += xp.matmul(p[0], q[1:])
        out[-1] += 2.0 * xp.matmul(p[1:-1], q[1:-1]).sum(axis=0)
        return b.like(out)

    def reverse(self, xp, adjoint, out, a, b, per_walker=False):
        return (
            xp.matmul(adjoint, xp.swapaxes(b, -1, -2)),
            xp.matmul(xp.swapaxes(a, -1, -2), adjoint),
        )


class Transpose(Operation):
    """(w, ..., p, q) -> (w, ..., q, p), on every slot alike; a jet keeps its support where the
    particle axis stays.
    """

    name = "transpose"

    def value(self, xp, x):
        return xp.ascontiguousarray(xp.swapaxes(x, -1, -2))

    def jet(self, xp, x):
        if x.support not in (CONSTANT, ALL) and (x.support == LINEAR or len(x.shape) == 3):
            x = embed(xp, x, ALL)
        return x.like(self.value(xp, x.slots))

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (xp.swapaxes(adjoint, -1, -2),)


class Softmax(Operation):
    """y_k = e^(x_k) / sum_j e^(x_j) over the last axis.

    With m = sum_k y_k x_k slot by slot: y_kc = y_k (x_kc - m_c), Laplacian
    y_k [x_kL - m_L + sum_c ((x_kc - m_c)^2 - sum_j y_j x_jc (x_jc - m_c))]. Reverse:
    y_k (adj_k - sum_j adj_j y_j).
    """

    name = "softmax"

    def apart(self, axes, **static):
        return axes > 2

    def value(self, xp, x):
        y = xp.exp(x - x.real.max(axis=-1, keepdims=True))
        return y / y.sum(axis=-1, keepdims=True)

    def jet(self, xp, x):
        if x.support == LINEAR:
            x = embed(xp, x, ALL)
        x = whole(xp, x)
        s = x.slots
        y = self.value(xp, s[0])
        if x.support == CONSTANT:
            return x.like(y[None])
        about = s - (y * s).sum(axis=-1, keepdims=True)
        derivatives = about[1:-1]
        spread = (y * s[1:-1] * derivatives).sum(axis=-1, keepdims=True)
        about[-1] += (derivatives * derivatives - spread).sum(axis=0)
        about *= y
        about[0] = y
        return x.like(about)

    def reverse(self, xp, adjoint, out, x, per_walker=False):
        return (out * (adjoint - (adjoint * out).sum(axis=-1, keepdims=True)),)


MATMUL, TRANSPOSE, SOFTMAX = Matmul(), Transpose(), Softmax()
