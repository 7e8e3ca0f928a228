"""Compiled passes on the host, under the names of plain.py, whose array code they must equal to
rounding.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from vmcnet.kernels import (
    activations,
    numba_activations,
    numba_ewald,
    numba_jets,
    numba_messages,
    numba_moves,
    numba_normals,
    numba_pairs,
    numba_philox,
    numba_product,
    numba_reverse,
    numba_rows,
    numba_waves,
    plain,
)

# rows of a product from which its large blocks serve; none where BLAS multiplies
LEAST = numba_product.LEAST if numba_product.chosen() == numba_product.OWN else math.inf
LOOPS = vars(numba_activations)
LARGE = 2**17  # elements of the smaller matrix of a product from which BLAS is as fast
ACTIVATIONS, LAYERS, LAYER_SLOPES = (
    {n: LOOPS[n + kind] for n in activations.NAMES if n + kind in LOOPS}
    for kind in ("", "_layer", "_layer_slope")
)


def matrix_product(a, b, transposed_a: bool, transposed_b: bool):
    """a b, or of their transposes, all (rows, columns) of one type, by compiled loops where they
    fit: no bits of theirs depend on the number of rows.

    BLAS serves large matrices and other processors.
    """
    m, n = a.shape[1 if transposed_a else 0], b.shape[0 if transposed_b else 1]
    terms = a.shape[0 if transposed_a else 1]
    if not (m and _fits(terms, min(m, n) if transposed_a else n)):
        return plain.matrix_product(np, a, b, transposed_a, transposed_b)
    out = np.empty((m, n), a.dtype)
    if n == 1 and transposed_a:
        return block_products(a, b, 1)[0]
    if n == 1 and b.nbytes % numba_product.CHAIN == 0:
        numba_rows.onto_column(np.ascontiguousarray(a), b.ravel(), out.ravel())
        return out
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    _multiply(m, out)(a, b, out, 1, transposed_a, transposed_b)
    return out


def block_products(x, y, blocks: int):
    """x^T y of every block (blocks, F, H), x (blocks M, F) and y (blocks M, H): for each what
    matrix_product gives.
    """
    blocks = int(blocks)  # numba looks up the type of a subclass anew at every call
    rows, f, h = len(x) // blocks, x.shape[1], y.shape[1]
    if not _fits(rows, min(f, h)):
        return plain.block_products(np, x, y, blocks)
    out = np.empty((blocks * f, h), x.dtype)
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    if h == 1 and f * x.itemsize >= numba_rows.LONG * numba_product.BITS // 8:
        numba_rows.column_products(x, y, out, blocks)
    else:
        _multiply(f, out)(x, y, out, blocks, True, False)
    return out.reshape(blocks, f, h)


def _multiply(m: int, out):
    """The loops for products of m rows: large blocks where they serve."""
    wide = m >= LEAST and out.strides[0] >= numba_product.WIDTH
    return (numba_product if wide else numba_rows).multiply


def _fits(terms: int, n: int) -> bool:
    """Whether the compiled loops multiply by a matrix (terms, n): the weight, or in x^T y the
    smaller matrix.
    """
    return 0 < terms * n <= LARGE and math.inf > LEAST


def row_sums(x):
    """The sums over the last axis, (..., F) -> (...)."""
    out = np.empty(x.shape[:-1], x.dtype)
    numba_rows.row_sums(np.ascontiguousarray(x).reshape(-1, x.shape[-1]), out.reshape(-1))
    return out


def fits_layer(terms: int, width: int, itemsize: int) -> bool:
    """Whether layer_onto takes W (terms, width)."""
    return (
        not math.isinf(LEAST)
        and width * itemsize % numba_product.WIDTH == 0
        and 0 < terms * width <= LARGE
    )


def layer_onto(x, weight, y, slope, curvature, column):
    """Slots (S, ..., 1) of y v, y = f(x W + b) (..., H), v a column (H, 1), from f' and f'' (...,
    H), all of one type.

    x: the slots (S, ..., F); or (x', x'', J), where x has the derivatives x' J_c and the Laplacian
    x'' sum_c J_c^2, J (S - 2, 1, F).
    """
    (terms, width), lead = weight.shape, y.shape[:-1]
    y, slope, curvature = (a.reshape(-1, width) for a in (y, slope, curvature))
    if isinstance(x, tuple):
        jacobian = x[2][:, 0]
        x, second = (_filled(a.reshape(-1, terms)) for a in x[:2])
        rows = np.concatenate([jacobian, (jacobian * jacobian).sum(axis=0)[None]])
        slots = len(rows) + 1
    else:
        x, slots = _filled(x.reshape(len(x), -1, terms)), len(x)
        second, rows = np.empty(0, y.dtype), np.empty((0, terms), y.dtype)
    count, (slope, curvature) = len(y), (_filled(a) for a in (slope, curvature))
    out = np.empty((slots, len(slope)), y.dtype)
    numba_product.layer_onto(
        x.reshape(-1),
        second.reshape(-1),
        rows,
        np.ascontiguousarray(weight),
        slope,
        curvature,
        np.ascontiguousarray(column).reshape(-1),
        out,
    )
    out = out[:, :count]
    out[0] = matrix_product(y, column, False, False)[:, 0]
    return out.reshape(slots, *lead, 1)


def _filled(x):
    """x (..., rows, F), contiguous, with rows of zeros up to those of a block."""
    missing = numba_product.ROWS - x.shape[-2]
    if missing <= 0:
        return np.ascontiguousarray(x)
    return np.concatenate([x, np.zeros((*x.shape[:-2], missing, x.shape[-1]), x.dtype)], axis=-2)


def philox_words(key, counter, first: int, count: int):
    """Words first .. first + count - 1 of numpy.random.Philox(key, counter), or counters (B, 4)."""
    start, stop = first // 4, -(-(first + count) // 4)
    counters = np.atleast_2d(np.array(counter, np.uint64))
    out = np.empty((len(counters), 4 * (stop - start)), np.uint64)
    numba_philox.words(np.array(key, np.uint64), counters, np.uint64(start), out)
    words = out[:, first - 4 * start :][:, :count]
    return words[0] if isinstance(counter, tuple) else words


def uniforms(words, dtype):
    """(word >> 11 + 1/2) 2^-53 of words, made in float64."""
    out = np.empty(words.shape, dtype)
    numba_normals.uniforms(words.reshape(-1), out.reshape(-1))
    return out


def normals(words, dtype):
    """Standard normals (2h,) or (B, 2h) of 2h words each, made in float64."""
    out = np.empty(words.shape, dtype)
    for row, to in zip(np.atleast_2d(words), np.atleast_2d(out), strict=True):
        numba_normals.normals(row, to)
    return out


def moved(thresholds, log, trial_log, ratio, r, trial, accepted, bad):
    """Decide a Metropolis step: log (W,), real, and r (W, ...) become those of the trial where that
    is accepted (W,) bool; counts are added.
    """
    accept = np.empty(len(log), np.bool_)
    ratio = _numbers((ratio,), log.dtype, len(log)) if np.isscalar(ratio) else ratio
    numba_moves.moved(
        thresholds,
        log,
        trial_log,
        ratio,
        r.reshape(len(r), -1),
        trial.reshape(len(r), -1),
        accepted,
        bad,
        accept,
    )
    return accept


def activation(name: str, x):
    """f(x), f'(x), f''(x), each of x's shape."""
    shape, x = np.shape(x), np.ascontiguousarray(x).reshape(-1)
    y, slope, curvature = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    ACTIVATIONS[name](x, y, slope, curvature)
    return y.reshape(shape), slope.reshape(shape), curvature.reshape(shape)


def activation_value(name: str, x):
    """f(x)."""
    return activation(name, x)[0]


def activation_slope(name: str, x, y):
    """f'(x), y = f(x)."""
    return activation(name, x)[1]


def sine_cosine(x):
    """sin x and cos x."""
    if x.dtype == np.float64:
        x = np.ascontiguousarray(x)
        sine, cosine = np.empty(x.shape), np.empty(x.shape)
        if numba_waves.sine_cosine(x.reshape(-1), sine.reshape(-1), cosine.reshape(-1)):
            return sine, cosine
    return plain.sine_cosine(np, x)


def layer(name: str, z, bias):
    """f(z + b), z (..., F) contiguous and overwritten, b (F,)."""
    LAYERS[name](z.reshape(-1, z.shape[-1]), bias)
    return z


def layer_slope(name: str, z, bias):
    """The same, and f'(z + b) of z's shape; f none that tells its slope."""
    slope = np.empty_like(z)
    LAYER_SLOPES[name](z.reshape(-1, z.shape[-1]), bias, slope.reshape(-1, z.shape[-1]))
    return z, slope


def layer_reverse(adjoint, left, y, form, overwrite: bool, blocks: int):
    """adjoint f' (W, ..., F), and its sums over all axes but the last of every block of walkers
    (blocks, F), f' = c_0 + y (c_1 + c_2 y) with `form` c. The adjoint (W, ..., F), or left adjoint
    of (W, 1) and (1, F); y may be overwritten if `overwrite` says so.
    """
    width = y.shape[-1]
    overwrite = overwrite and numba_reverse.in_place(width, y.itemsize)
    out = y if overwrite else np.empty(y.shape, y.dtype)
    sums = np.empty((blocks, width), y.dtype)
    one, form = _numbers((1.0,), y.dtype), _numbers(form, y.dtype)
    numba_reverse.layer_reverse(
        np.ascontiguousarray(adjoint).reshape(-1, width),
        one if left is None else np.ascontiguousarray(left).reshape(-1),
        y.reshape(-1, width),
        form,
        out.reshape(-1, width),
        sums,
    )
    return out, sums


@lru_cache(maxsize=64)
def _numbers(numbers: tuple, dtype, times: int = 1) -> np.ndarray:
    return np.array(numbers * times, dtype)


def chain(slots, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots (S, ...) by those of f: y, f' j, and f'' sum_c j_c^2 on top in
    the Laplacian.
    """
    numba_jets.chain(
        slots.reshape(len(slots), -1), y.reshape(-1), slope.reshape(-1), curvature.reshape(-1)
    )


def product(p, q):
    """Slots (S, ...) of the product of two jets: p0 q0, p0 q_c + q0 p_c, and 2 sum_c p_c q_c on top
    in the Laplacian.
    """
    if p.shape != q.shape:
        return plain.product(np, p, q)
    p, q = np.ascontiguousarray(p), np.ascontiguousarray(q)
    out = np.empty_like(p)
    numba_jets.product(p.reshape(len(p), -1), q.reshape(len(p), -1), out.reshape(len(p), -1))
    return out


def scatter_pairs(first, second, i, j, n: int):
    """Sum over pairs onto their particles: first, second (..., pairs, F), particles i, j (pairs,)
    -> (n, ..., F).
    """
    lead, (pairs, features) = first.shape[:-2], first.shape[-2:]
    out = np.empty((n, *lead, features), first.dtype)
    first, second = (np.ascontiguousarray(a).reshape(-1, pairs, features) for a in (first, second))
    numba_jets.scatter_pairs(first, second, i, j, out.reshape(n, -1, features))
    return out


def collect(first, second, i, j, n: int, d: int):
    """Slots (n d + 2, W, n, F) of pairs summed onto particles, from slots (S, W, P, F) of pairs or
    displacements.
    """
    if first.ndim != 4:
        return plain.collect(np, first, second, i, j, n, d)
    slots, walkers, pairs, features = first.shape
    out = np.empty((n * d + 2, walkers, n, features), first.dtype)
    shape = slots, walkers, pairs, n, features
    numba_pairs.collect(_flat(first), _flat(second), i, j, d, shape, out.reshape(-1))
    return out


def messages(e, g, v, i, j, d: int):
    """Slots (n d + 2, W, n, F) of m_i = sum_j e_ij v_j: e, g (S, W, P, F) of pairs or
    displacements, v of all coordinates or, with d + 2 slots, of its own particle's.
    """
    slots, walkers, pairs, features = e.shape
    n = v.shape[2]
    out = np.empty((n * d + 2, walkers, n, features), v.dtype)
    if len(v) == len(out):
        numba_pairs.messages(*(np.ascontiguousarray(a) for a in (e, g, v)), i, j, d, out)
    else:
        shape = slots, walkers, pairs, n, features
        numba_pairs.own_messages(*map(_flat, (e, g, v)), i, j, d, shape, out.reshape(-1))
    return out


def message_values(e, g, v, i, j):
    """m_i = sum_j e_ij v_j (W, n, F); e, g (W, P, F)."""
    if e.shape != g.shape or len(e) != len(v):  # one walker's constants
        return plain.message_values(np, e, g, v, i, j)
    out = np.empty(v.shape, v.dtype)
    shape = *e.shape[:2], *v.shape[1:]
    numba_messages.message_values(*map(_flat, (e, g, v)), i, j, shape, out.reshape(-1))
    return out


def chosen_messages(e, g, v, index, walkers: int, i, j):
    """m_i = sum_j e_ij v_j (W C, n, F) of C configurations a walker: e, g (W V, P, F) of V
    variants, of which index (W C, P) says the one to take; v (W, n, F), (W C, n, F) or None: 1.
    """
    rows, n, features = len(index), int(j[-1]) + 1, e.shape[-1]
    if e.ndim != 3 or e.shape != g.shape or len(e) % walkers:
        return plain.chosen_messages(np, e, g, v, index, walkers, i, j)
    out = np.empty((rows, n, features), e.dtype)
    v = np.empty((0, n, features), e.dtype) if v is None else v
    apart = rows // len(v) if len(v) else 0  # configurations that share a row of v
    shape = rows // walkers, len(e) // walkers, e.shape[1], n, features, apart
    numba_messages.chosen_messages(*map(_flat, (e, g, v)), index, i, j, shape, out.reshape(-1))
    return out


def message_adjoints(adjoint, e, g, v, i, j):
    """The adjoints of e, g and v."""
    out = np.empty(e.shape, e.dtype), np.empty(g.shape, g.dtype), np.empty(v.shape, v.dtype)
    numba_messages.message_adjoints(
        *map(_flat, (adjoint, e, g, v)),
        i,
        j,
        (*e.shape[:2], *v.shape[1:]),
        *(x.reshape(-1) for x in out),
    )
    return out


def _flat(array):
    return np.ascontiguousarray(array).reshape(-1)


def residual(z, t, h, y, slope, curvature) -> None:
    """Overwrite contiguous jet slots z (S, ...) by those of h + f, where f has the argument z + t
    (z where t is None) above the value.
    """
    z, h = (a.reshape(len(z), -1) for a in (z, h))
    t = z[:0] if t is None else t.reshape(z.shape)
    numba_jets.residual(z, t, h, *(a.reshape(-1) for a in (y, slope, curvature)))


def chain_linear(jacobian, y, slope, curvature):
    """Slots (C + 2, W, F) of f where every walker has the derivatives jacobian (C, 1, F) and the
    Laplacian 0.
    """
    if y.ndim != 2:
        return plain.chain_linear(np, jacobian, y, slope, curvature)
    rows = jacobian[:, 0]
    out = np.empty((len(rows) + 2, *y.shape), y.dtype)
    numba_jets.chain_linear(rows, y, slope, curvature, np.zeros(rows.shape[1], y.dtype), out)
    return out


def ewald(r, lengths, charges, kappa: float, top: int, integers, weight):
    """Short-range sum and half the sum over wave vectors (W,) float64, of numba_ewald.py; r (W, n,
    d), integers (G, d) in lexicographic order.
    """
    starts = np.flatnonzero((np.diff(integers[:, :-1], axis=0) != 0).any(axis=1)) + 1
    starts = np.concatenate([[0], starts, [len(integers)]])
    out = np.empty(len(r))
    numba_ewald.ewald(
        np.ascontiguousarray(r, np.float64),
        lengths,
        charges,
        kappa,
        top,
        np.ascontiguousarray(integers[starts[:-1], :-1]),
        starts,
        np.ascontiguousarray(integers[:, -1]),
        weight,
        out,
    )
    return out


def applied(x, y, first, second):
    """Slots (S, ..., K) of K functions, from x (S, ..., d), their values (..., K), first (d, ...,
    K) and second derivatives (d (d + 1)/2, ..., K).
    """
    functions = y.shape[-1]
    out = np.empty((len(x), *y.shape), y.dtype)
    x, y, first, second = (np.ascontiguousarray(a) for a in (x, y, first, second))
    numba_jets.applied(
        x.reshape(len(x), -1, x.shape[-1]),
        y.reshape(-1, functions),
        first.reshape(len(first), -1, functions),
        second.reshape(len(second), -1, functions),
        out.reshape(len(x), -1, functions),
    )
    return out
