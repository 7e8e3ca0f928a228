"""The interface of the kernels, in array code of a namespace xp: what a compiled pass of the same
name must give to rounding, and what serves where there is none.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vmcnet.kernels.activations import FORMULAS
from vmcnet.kernels.ewald import ewald
from vmcnet.kernels.philox import philox_words
from vmcnet.kernels.plain_excitations import excited_jet, pair_classes, pair_fields, pair_sum
from vmcnet.kernels.plain_linalg import inverse, slogdet, slogpf, traces

__all__ = [
    "activation",
    "activation_slope",
    "activation_value",
    "applied",
    "block_products",
    "chain",
    "chain_linear",
    "chosen_messages",
    "collect",
    "ewald",
    "excited_jet",
    "fits_layer",
    "inverse",
    "layer",
    "layer_onto",
    "layer_reverse",
    "layer_slope",
    "matrix_product",
    "message_adjoints",
    "message_values",
    "messages",
    "moved",
    "normals",
    "pair_classes",
    "pair_fields",
    "pair_sum",
    "philox_words",
    "product",
    "residual",
    "row_sums",
    "scatter_pairs",
    "sine_cosine",
    "slogdet",
    "slogpf",
    "traces",
    "uniforms",
]


def activation(xp, name: str, x):
    """f(x), f'(x), f''(x), each of x's shape; f one of FORMULAS."""
    f = FORMULAS[name]
    y = f.formula(xp, x)
    slope = f.slope(xp, x, y)
    return y, slope, f.curvature(xp, x, y, slope)


def activation_value(xp, name: str, x):
    """f(x)."""
    return FORMULAS[name].formula(xp, x)


def activation_slope(xp, name: str, x, y):
    """f'(x), y = f(x)."""
    return FORMULAS[name].slope(xp, x, y)


def sine_cosine(xp, x):
    """sin x and cos x."""
    return xp.sin(x), xp.cos(x)


def layer(xp, name: str, z, bias):
    """f(z + b), z (..., F), b (F,); z may be overwritten."""
    return FORMULAS[name].formula(xp, z + bias)


def layer_slope(xp, name: str, z, bias):
    """f(z + b) and f'(z + b); z may be overwritten."""
    z = z + bias
    y = FORMULAS[name].formula(xp, z)
    return y, FORMULAS[name].slope(xp, z, y)


def layer_reverse(xp, adjoint, left, y, form, overwrite: bool, blocks: int):
    """adjoint f' (W, ..., F), and its sums over all axes but the last of every block of walkers
    (blocks, F), f' = c_0 + y (c_1 + c_2 y) with `form` c. The adjoint (W, ..., F), or left adjoint
    of (W, 1) and (1, F); y may be overwritten if `overwrite` says so.
    """
    c = form
    slope = y if c == (0.0, 1.0, 0.0) else c[0] + y * (c[1] + c[2] * y)
    out = (adjoint if left is None else left * adjoint) * slope
    return out, out.reshape(blocks, -1, out.shape[-1]).sum(axis=1)


class Library:
    """Products x W that a library made: their bits may depend on the number of rows."""

    products = 0


def matrix_product(xp, a, b, transposed_a: bool, transposed_b: bool):
    """a b of two matrices, or of their transposes."""
    if not transposed_a:
        Library.products += 1
    return (a.T if transposed_a else a) @ (b.T if transposed_b else b)


def block_products(xp, x, y, blocks: int):
    """x^T y of every block (blocks, F, H), x (blocks M, F) and y (blocks M, H)."""
    rows = len(x) // blocks
    if xp is not np:
        x, y = (a.reshape(blocks, rows, a.shape[-1]) for a in (x, y))
        return xp.matmul(x.swapaxes(1, 2), y)
    parts = [slice(k * rows, (k + 1) * rows) for k in range(blocks)]
    return xp.stack([matrix_product(xp, x[p], y[p], True, False) for p in parts])


def row_sums(xp, x):
    """The sums over the last axis, (..., F) -> (...)."""
    return x.sum(axis=-1)


def fits_layer(xp, terms: int, width: int, itemsize: int) -> bool:
    """Whether layer_onto of x (rows, terms) and W (terms, width) is worth its while."""
    return False


def layer_onto(xp, x, weight, y, slope, curvature, column):
    """Slots (S, ..., 1) of y v, y = f(x W + b) (..., H), v a column (H, 1), from f' and f'' (...,
    H).

    x: the slots (S, ..., F); or (x', x'', J), where x has the derivatives x' J_c and the Laplacian
    x'' sum_c J_c^2, J (S - 2, 1, F).
    """
    if isinstance(x, tuple):
        x = chain_linear(xp, x[2], xp.zeros_like(x[0]), x[0], x[1])
    slots = x @ weight
    chain(xp, slots, y, slope, curvature)
    return slots @ column


def chain(xp, slots, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots (S, ...) by those of f: y, f' j, and f'' sum_c j_c^2 on top in
    the Laplacian.
    """
    squares = (slots[1:-1] * slots[1:-1]).sum(axis=0)
    slots *= slope
    slots[0] = y
    slots[-1] += curvature * squares


def chain_linear(xp, jacobian, y, slope, curvature):
    """Slots (C + 2, W, ...) of f where every walker has the derivatives jacobian (C, 1, ...) and
    the Laplacian 0.
    """
    out = xp.empty((jacobian.shape[0] + 2,) + y.shape, y.dtype)
    xp.multiply(slope, jacobian, out=out[1:-1])
    xp.multiply(curvature, (jacobian * jacobian).sum(axis=0), out=out[-1])
    out[0] = y
    return out


def product(xp, p, q):
    """Slots (S, ...) of the product of two jets: p0 q0, p0 q_c + q0 p_c, and 2 sum_c p_c q_c on top
    in the Laplacian.
    """
    out = p[0] * q + q[0] * p
    out[0] = p[0] * q[0]
    out[-1] += 2.0 * (p[1:-1] * q[1:-1]).sum(axis=0)
    return out


def residual(xp, z, t, h, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots z (S, ...) by those of h + f, where f has the argument z + t
    (z where t is None) above the value.
    """
    if t is not None:
        z += t
    chain(xp, z, y, slope, curvature)
    z += h


def scatter_pairs(xp, first, second, i, j, n: int):
    """Sum over pairs onto their particles: first, second (..., pairs, F), particles i < j (pairs,)
    in the order of triu_indices -> (n, ..., F): i gets first, j gets second.
    """
    both = xp.take(xp.concatenate([first, second], axis=-2), _messages_to(xp, n), axis=-2)
    return xp.moveaxis(both.sum(axis=-2), -2, 0)


@lru_cache(maxsize=64)
def _messages_to(xp, n: int):
    """Whose messages a particle collects (n, n - 1): of the pairs' first, then of their second."""
    i, j = np.triu_indices(n, 1)
    to = np.argsort(np.concatenate([i, j]), kind="stable")
    return xp.asarray(to.reshape(n, max(0, n - 1)))


@lru_cache(maxsize=64)
def _pairs(xp, n: int):
    """Particles i < j of all pairs, and the pairs' numbers."""
    i, j = np.triu_indices(n, 1)
    return tuple(xp.asarray(k) for k in (i, j, np.arange(len(i))))


@lru_cache(maxsize=256)
def _integers(xp, some):
    """Integers of a tuple or range, sent to a device once."""
    return xp.asarray(np.array(some, np.int64))


def pair_slots(xp, slots, d: int):
    """The slots (2 d + 2, ...) of both particles, from those of displacements (d + 2, ...)."""
    if len(slots) == 2 * d + 2:
        return slots
    out = xp.empty((2 * d + 2,) + slots.shape[1:], slots.dtype)
    out[0], out[-1] = slots[0], 2.0 * slots[-1]
    out[1 : 1 + d], out[1 + d : -1] = slots[1:-1], -slots[1:-1]
    return out


def all_slots(xp, slots, n: int, d: int):
    """The slots (n d + 2, W, pairs, ...) of all coordinates, from those of pairs or
    displacements.
    """
    slots = pair_slots(xp, slots, d)
    out = xp.zeros((n * d + 2,) + slots.shape[1:], slots.dtype)
    out[0], out[-1] = slots[0], slots[-1]
    own, (i, j, pair) = out[1:-1].reshape(n, d, *slots.shape[1:]), _pairs(xp, n)
    own[i, :, :, pair] = xp.moveaxis(slots[1 : 1 + d], 2, 0)
    own[j, :, :, pair] = xp.moveaxis(slots[1 + d : -1], 2, 0)
    return out


def own_slots(xp, slots, particles, n: int, d: int):
    """The slots (n d + 2, W, m, ...) of all coordinates, from those (d + 2, ...) of m particles, a
    tuple or range.
    """
    out = xp.zeros((n * d + 2,) + slots.shape[1:], slots.dtype)
    out[0], out[-1] = slots[0], slots[-1]
    own, m = out[1:-1].reshape(n, d, *slots.shape[1:]), slots.shape[2]
    own[_integers(xp, particles), :, :, _integers(xp, range(m))] = xp.moveaxis(slots[1:-1], 2, 0)
    return out


def collect(xp, first, second, i, j, n: int, d: int):
    """Slots (n d + 2, W, n, ...) of pairs summed onto particles, from slots (S, W, P, ...) of pairs
    or displacements.
    """
    p, q = (pair_slots(xp, x, d) for x in (first, second))
    out = xp.zeros((n * d + 2, p.shape[1], n, *p.shape[3:]), xp.result_type(p, q))
    out[:: len(out) - 1] = xp.moveaxis(
        scatter_pairs(xp, p[:: len(p) - 1], q[:: len(p) - 1], i, j, n), 0, 2
    )
    slots = out[1:-1].reshape(n, d, *out.shape[1:])
    every = _integers(xp, range(n))
    slots[every, :, :, every] = scatter_pairs(xp, p[1 : 1 + d], q[1 + d : -1], i, j, n)
    slots[j, :, :, i] = xp.moveaxis(p[1 + d : -1], 2, 0)
    slots[i, :, :, j] = xp.moveaxis(q[1 : 1 + d], 2, 0)
    return out


def messages(xp, e, g, v, i, j, d: int):
    """Slots (n d + 2, W, n, F) of m_i = sum_j e_ij v_j: e, g (S, W, P, F) of pairs or
    displacements, v of all coordinates or, with d + 2 slots, of its own particle's.
    """
    n = v.shape[2]
    if len(v) != n * d + 2:
        v = own_slots(xp, v, range(n), n, d)
    first, second = (product(xp, all_slots(xp, x, n, d), v[:, :, k]) for x, k in ((e, j), (g, i)))
    return xp.moveaxis(scatter_pairs(xp, first, second, i, j, n), 0, -2)


def message_values(xp, e, g, v, i, j):
    """m_i = sum_j e_ij v_j (W, n, F); e, g (W, P, F)."""
    n = v.shape[1]
    return xp.moveaxis(scatter_pairs(xp, e * v[:, j], g * v[:, i], i, j, n), 0, -2)


def chosen_messages(xp, e, g, v, index, walkers: int, i, j):
    """m_i = sum_j e_ij v_j (W C, n, F) of C configurations a walker: e, g (W V, P, F) of V
    variants, of which index (W C, P) says the one to take; v (W, n, F), (W C, n, F) or None: 1.
    """
    configurations, variants = len(index) // walkers, len(e) // walkers
    first = xp.repeat(variants * xp.arange(walkers), configurations)[:, None]
    pairs = xp.arange(index.shape[1])[None]
    e, g = (x[first + index, pairs] for x in (e, g))
    if v is None:
        n = int(j[-1]) + 1
        return xp.moveaxis(scatter_pairs(xp, e, g, i, j, n), 0, -2)
    return message_values(xp, e, g, xp.repeat(v, len(e) // len(v), axis=0), i, j)


def message_adjoints(xp, adjoint, e, g, v, i, j):
    """The adjoints of e, g and v."""
    to_i, to_j, n = adjoint[:, i], adjoint[:, j], v.shape[1]
    dv = scatter_pairs(xp, to_j * g, to_i * e, i, j, n)
    return to_i * v[:, j], to_j * v[:, i], xp.moveaxis(dv, 0, 1)


def moved(xp, thresholds, log, trial_log, ratio, r, trial, accepted, bad):
    """Decide a Metropolis step: log (W,), real, and r (W, ...) become those of the trial where that
    is accepted, (W,) bool; counts are added. ratio (W,) or a number.
    """
    exponent = 2.0 * (trial_log - log) + ratio
    exponent = xp.where(trial_log == -np.inf, -np.inf, exponent)
    accept = thresholds < exponent
    bad += xp.isnan(exponent)
    accepted += accept
    r[...] = xp.where(accept.reshape((-1,) + (1,) * (r.ndim - 1)), trial, r)
    log[...] = xp.where(accept, trial_log, log)
    return accept


def uniforms(xp, words, dtype):
    """(word >> 11 + 1/2) 2^-53, in (0, 1), made in float64."""
    return (((words >> np.uint64(11)) + 0.5) * 2.0**-53).astype(dtype, copy=False)


def normals(xp, words, dtype):
    """Standard normals (..., 2h) of 2h words by Box and Muller: sqrt(-2 log u) (cos 2 pi v, sin 2
    pi v), made in float64.
    """
    u = uniforms(xp, words, np.float64)
    half = u.shape[-1] // 2
    radius, angle = xp.sqrt(-2.0 * xp.log(u[..., :half])), 2.0 * np.pi * u[..., half:]
    out = xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)], axis=-1)
    return out.astype(dtype, copy=False)


def applied(xp, x, y, first, second):
    """Slots (S, ..., K) of K functions, from x (S, ..., d), their values (..., K), first (d, ...,
    K) and second derivatives (d (d + 1)/2, ..., K).
    """
    d, ab = len(first), 0
    out = sum(first[a] * x[..., a, None] for a in range(d))
    for a in range(d):
        for b in range(a, d):
            metric = (x[1:-1, ..., a] * x[1:-1, ..., b]).sum(axis=0)
            out[-1] += second[ab] * ((1.0 if a == b else 2.0) * metric)[..., None]
            ab += 1
    out[0] = y
    return out
