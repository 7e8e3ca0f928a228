"""Pair excitations in array code: the twins of excitations.py.

u, v (w, M) are the ratios of either spin; indices and numbers hold (first, second) and one number
a pair of the parts (u, v), (u, u), (v, v).
"""

from __future__ import annotations


def _sides(u, v):
    return (u, v), (u, u), (v, v)


def pair_sum(xp, u, v, indices, numbers):
    """sum of number u[first] v[second] over all parts, (w,)."""
    total = xp.zeros(len(u), u.dtype)
    for (a, b), (i, j), x in zip(_sides(u, v), indices, numbers, strict=True):
        if len(x):
            total = total + (a[:, i] * b[:, j] * x).sum(axis=-1)
    return total


def pair_fields(xp, u, v, indices, numbers):
    """Derivatives of pair_sum with respect to u and v."""
    out = [xp.zeros(u.shape, u.dtype), xp.zeros(v.shape, v.dtype)]
    for (s, t), (i, j), x in zip(((0, 1), (0, 0), (1, 1)), indices, numbers, strict=True):
        if len(x):
            a, b = (u, v)[s], (u, v)[t]
            matrix = xp.zeros((a.shape[1], b.shape[1]), x.dtype)
            matrix[i, j] = x
            out[s] = out[s] + xp.matmul(b, matrix.T)
            out[t] = out[t] + xp.matmul(a, matrix)
    return out


def pair_classes(xp, u, v, entries, classes: int):
    """The form of every class, (w, classes), from entries (class, first, second, value)."""
    out = xp.zeros((len(u), classes), u.dtype)
    for (a, b), (o, i, j, x) in zip(_sides(u, v), entries, strict=True):
        if len(x):
            of_class = (o[:, None] == xp.arange(classes)[None]).astype(x.dtype)
            out = out + xp.matmul(a[:, i] * b[:, j] * x, of_class)
    return out


def excited_jet(xp, backs, ratios, fields, slots, indices, numbers, total):
    """Slots (S, w) of log det A_up + log det A_down + log S, slot 0 free: inverses, ratios and
    dS/dR of both spins, slots A_up, V_up, A_down, V_down, S (w,).
    """
    count, walkers = slots[0].shape[:2]
    out, changes, flat = xp.zeros((count, walkers), total.dtype), 0.0, []
    for back, ratio, field, a, v in zip(
        backs, ratios, fields, slots[::2], slots[1::2], strict=True
    ):
        m = xp.matmul(back, a[1:])
        out[1:] += m.trace(axis1=-2, axis2=-1)
        out[-1] -= (m[:-1] * xp.swapaxes(m[:-1], -1, -2)).sum(axis=(-2, -1)).sum(axis=0)
        change = xp.matmul(back, v[1:]) - xp.matmul(m, ratio)
        change[-1] -= 2.0 * xp.matmul(m[:-1], change[:-1]).sum(axis=0)
        changes = changes + (field * change).sum(axis=(-2, -1))
        flat.append(change[:-1].reshape((count - 2) * walkers, -1))
    second = pair_sum(xp, *flat, indices, numbers).reshape(count - 2, walkers).sum(axis=0)
    changes[-1] += 2.0 * second
    changes = changes / total
    out[1:] += changes
    out[-1] -= (changes[:-1] * changes[:-1]).sum(axis=0)
    return out
