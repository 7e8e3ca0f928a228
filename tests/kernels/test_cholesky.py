"""Positive definite systems: accuracy of float64 whatever the condition, by our own loops and by
LAPACK.
"""

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from vmcnet.kernels import numba_cholesky, numba_product, plain_cholesky
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parallel.dealt_cholesky import Cholesky
from vmcnet.parallel.dealt_matrix import DealtMatrix

SIZES = [1, 2, 5, 31, 64, 150, 300]
compiled_only = pytest.mark.skipif(
    numba_product.REGISTERS is None, reason="this processor has no fused multiply and add"
)


def matrix(size, condition, scales=0.0, seed=1):
    """Eigenvalues 1 to 1 / condition, rows and columns scaled by exp(scales x normal numbers)."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(size, size)))
    full = (q * np.geomspace(1, 1 / condition, size)) @ q.T
    scale = np.exp(scales * rng.normal(size=size))
    return 0.5 * (full + full.T) * scale * scale[:, None]


def lower(full):
    """What a solver gets: nothing above the diagonal may be read."""
    return np.tril(full) + np.triu(np.full(full.shape, np.nan), 1)


def cholesky(full):
    """The solver of a matrix whose lower triangle alone is given."""
    matrix = DealtMatrix(SerialCommunicator(), len(full))
    for t in matrix.own:
        span = matrix.span(t)
        matrix.rows[t] = lower(full)[span, : span.stop].copy()
    matrix.shift(0.0)
    return Cholesky(matrix)


def backward_error(full, x, right):
    """Of the matrix with ones on its diagonal, in units of eps times its norm."""
    c = 1 / np.sqrt(np.diag(full))
    size = np.linalg.norm(full * c * c[:, None]) * np.linalg.norm(x / c)
    return np.linalg.norm(c * (right - full @ x)) / (np.finfo(float).eps * size)


@pytest.fixture(params=["own", "blas"])
def products(request, monkeypatch):
    monkeypatch.setenv("VMCNET_PRODUCTS", request.param)


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("scales", [0.0, 5.0])
@pytest.mark.parametrize("condition", [1e1, 1e5, 1e8, 1e12])
def test_as_accurate_as_float64(condition, scales):
    """A backward error of at most 1.5 units, and where rows are many enough for statistics at most
    three times that of LAPACK in float64.
    """
    for size in SIZES:
        full = matrix(size, condition, scales)
        right = np.random.default_rng(7).normal(size=size)
        error = backward_error(full, cholesky(full).solve(right), right)
        known = backward_error(full, cho_solve(cho_factor(full), right), right)
        assert error < (max(3 * known, 0.3) if size > 30 else 1.5), (size, error, known)


@pytest.mark.parametrize(("condition", "precisions"), [(1e4, 1), (1e12, 2)])
def test_float64_factorises_where_float32_cannot(condition, precisions):
    solver = cholesky(matrix(100, condition))
    first = solver.solve(np.ones(100))
    assert len(solver._factors) == precisions
    np.testing.assert_array_equal(solver.solve(np.ones(100)), first)


@pytest.mark.usefixtures("products")
def test_one_call_gives_the_bits_of_many(monkeypatch):
    full = matrix(4 * SIDE + 7, 1e3)
    alone = cholesky(full).solve(full[0])
    monkeypatch.setattr(Cholesky, "ALONE", False)
    np.testing.assert_array_equal(cholesky(full).solve(full[0]), alone)


def test_right_sides_of_any_size():
    full = matrix(70, 1e3)
    right = np.random.default_rng(7).normal(size=70)
    solver = cholesky(full)
    for size in (1e-200, 1e-30, 1e30, 1e150):
        np.testing.assert_allclose(
            solver.solve(size * right) / size, solver.solve(right), rtol=1e-10
        )
        np.testing.assert_allclose(
            cholesky(size * full).solve(right) * size, solver.solve(right), rtol=1e-10
        )
    np.testing.assert_array_equal(solver.solve(np.zeros(70)), np.zeros(70))


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf])
@pytest.mark.parametrize("size", [1, 40, 130])
def test_no_solution_of_what_is_not_positive_definite(size, value):
    """One eigenvalue -1/4; or an element that is no number of such a matrix."""
    full = matrix(size, 10.0)
    if value == -1.0:
        v = np.ones(size) / np.sqrt(size)
        full = full - (v @ full @ v + 0.25) * np.outer(v, v)
    else:
        full[-1, -1] = value
    assert cholesky(full).solve(np.ones(size)) is None


def factors(full, dtype, loops):
    """L (N, N) and the parts of its tiles; the rows of a tile are made from parts alone."""
    tiles, size = -(-len(full) // SIDE), len(full)
    out, parts = [], []
    for t in range(tiles):
        rows = full[SIDE * t : SIDE * (t + 1), : min(SIDE * (t + 1), size)]
        out.append(np.empty((SIDE, SIDE * (t + 1)), dtype))
        squares = numba_cholesky.scaled(np.ascontiguousarray(rows), SIDE * t, np.ones(size), out[t])
        left, own = rows[:, : SIDE * t], rows[:, SIDE * t :]
        known = 2 * (np.tril(own, -1) ** 2).sum() + 2 * (left**2).sum()
        assert squares == pytest.approx(known + (np.diag(own) ** 2).sum(), rel=1e-5)
        c, count = out[t].reshape(-1), len(rows)
        here = np.array([0]), np.array([t]), np.array([count])
        for k in range(t):
            if len(parts[k][0]):
                loops.begin_below(c, *here, k, parts[k][0])
            loops.finish_below(c, *here, k, parts[k][1])
        early, late = (np.empty(n, dtype) for n in loops.sizes(t, count, dtype))
        if len(early):
            loops.begin(c, 0, t, count, early)
        loops.finish(c, 0, t, count, late)
        parts.append((early, late))
    whole = np.zeros((SIDE * tiles, SIDE * tiles), dtype)
    for t in range(tiles):
        whole[SIDE * t : SIDE * (t + 1), : SIDE * (t + 1)] = out[t]
    return np.tril(whole)[:size, :size], parts


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "loops", [pytest.param(numba_cholesky, marks=compiled_only), plain_cholesky]
)
def test_factors(dtype, loops):
    """Against LAPACK, with substitutions; of our own loops those of a matrix are the first ones of
    any larger matrix, to the bit.
    """
    full = matrix(3 * SIDE + 50, 100.0).astype(dtype)
    eps, size = np.finfo(dtype).eps, len(full)
    found, parts = factors(full, dtype, loops)
    known = np.linalg.cholesky(full.astype(float))
    if loops is numba_cholesky:
        np.testing.assert_allclose(found, known, rtol=0, atol=30 * eps)
        for part in (SIDE, 2 * SIDE + 40):
            first = factors(full[:part, :part], dtype, loops)[0]
            np.testing.assert_array_equal(first, found[:part, :part])
    x = np.zeros(SIDE * len(parts), dtype)
    x[:size] = 1
    starts = np.cumsum([0, *(len(early) + len(late) for early, late in parts[:-1])])
    loops.substitute(np.concatenate([p for pair in parts for p in pair]), starts, size, x)
    residual = full.astype(float) @ x[:size] - 1
    assert np.abs(residual).max() < 100 * eps * np.abs(x).max()
    indefinite = np.diag(np.r_[np.ones(SIDE), -np.ones(20)]).astype(dtype)
    assert np.isnan(factors(indefinite, dtype, loops)[1][1][1][-1])
