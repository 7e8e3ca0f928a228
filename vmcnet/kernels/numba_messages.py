"""Messages between particles as values, of variants too, and their way back; see numba_pairs."""

from __future__ import annotations

from vmcnet.kernels.compiled import compiled
from vmcnet.kernels.numba_pairs import _add, _plus


@compiled
def message_values(e, g, v, i, j, shape, out):
    """The values alone, flat: e, g (W, P, F), v and out (W, n, F); shape: W, P, n, F."""
    walkers, pairs, n, features = shape
    out[:] = 0
    for w in range(walkers):
        for p in range(pairs):
            at = (w * pairs + p) * features
            a, b = (w * n + i[p]) * features, (w * n + j[p]) * features
            _plus(e, at, v, b, out, a, features)
            _plus(g, at, v, a, out, b, features)


@compiled
def chosen_messages(e, g, v, index, i, j, shape, out):
    """Values of configurations, flat: e, g of V variants, index (W C, P); v of the walkers, of the
    configurations, or empty, which stands for 1. shape: C, V, P, n, F, rows that share one of v.
    """
    count, variants, pairs, n, features, apart = shape
    out[:] = 0
    for k in range(len(index)):
        row, base = k * n * features, (k // apart if apart else 0) * n * features
        for p in range(pairs):
            at = ((k // count * variants + index[k, p]) * pairs + p) * features
            a, b = i[p] * features, j[p] * features
            if apart:
                _plus(e, at, v, base + b, out, row + a, features)
                _plus(g, at, v, base + a, out, row + b, features)
            else:
                _add(e, at, out, row + a, features)
                _add(g, at, out, row + b, features)


@compiled
def message_adjoints(adjoint, e, g, v, i, j, shape, de, dg, dv):
    """de_p = adj_i v_j, dg_p = adj_j v_i, dv_j += adj_i e_p, dv_i += adj_j g_p, flat."""
    walkers, pairs, n, features = shape
    de[:] = 0
    dg[:] = 0
    dv[:] = 0
    for w in range(walkers):
        for p in range(pairs):
            at = (w * pairs + p) * features
            a, b = (w * n + i[p]) * features, (w * n + j[p]) * features
            _plus(adjoint, a, v, b, de, at, features)
            _plus(adjoint, b, v, a, dg, at, features)
            _plus(adjoint, a, e, at, dv, b, features)
            _plus(adjoint, b, g, at, dv, a, features)
