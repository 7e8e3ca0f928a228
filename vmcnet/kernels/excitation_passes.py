"""Compiled pair excitations on the host, as the calculus calls them."""

from __future__ import annotations

import numpy as np

from vmcnet.kernels import numba_excitations

PARTS = ((0, 1), (0, 0), (1, 1))  # spins of the ratios in the three parts


def pair_sum(u, v, indices, numbers):
    """sum of number u[first] v[second] over the parts (u, v), (u, u), (v, v), (w,)."""
    out, sides = np.zeros(len(u), u.dtype), (u, v)
    for (s, t), (i, j), x in zip(PARTS, indices, numbers, strict=True):
        if len(x):
            numba_excitations.form(sides[s], sides[t], i, j, x, out)
    return out


def pair_fields(u, v, indices, numbers):
    """Derivatives of pair_sum with respect to u and v."""
    out, sides = [np.zeros_like(u), np.zeros_like(v)], (u, v)
    for (s, t), (i, j), x in zip(PARTS, indices, numbers, strict=True):
        if len(x):
            numba_excitations.gradient(sides[s], sides[t], i, j, x, out[s], out[t])
    return out


def pair_classes(u, v, entries, classes: int):
    """The form of every class, (w, classes), from entries (class, first, second, value)."""
    out, sides = np.zeros((len(u), classes), u.dtype), (u, v)
    for (s, t), (o, i, j, x) in zip(PARTS, entries, strict=True):
        if len(x):
            numba_excitations.classes(sides[s], sides[t], o, i, j, x, out)
    return out


def excited_jet(backs, ratios, fields, slots, indices, numbers, total):
    """Slots (S, w) of log det A_up + log det A_down + log S, slot 0 free: inverses, ratios and
    dS/dR of both spins, slots A_up, V_up, A_down, V_down, S (w,).
    """
    dtype = slots[0].dtype
    arrays = [np.ascontiguousarray(x, dtype=dtype) for x in (*backs, *ratios, *fields, *slots)]
    pairs = [x for (i, j), number in zip(indices, numbers, strict=True) for x in (i, j, number)]
    out = np.zeros(slots[0].shape[:2], dtype)
    numba_excitations.jet(*arrays, *pairs, np.ascontiguousarray(total, dtype=dtype), out)
    return out
