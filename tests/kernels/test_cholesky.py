"""Positive definite systems: accuracy of float64 whatever the condition, by our own loops and by
LAPACK.
"""

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from vmcnet.kernels import numba_cholesky, numba_product
from vmcnet.kernels.cholesky import Cholesky

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
        given = lower(full)
        error = backward_error(full, Cholesky(given).solve(right), right)
        known = backward_error(full, cho_solve(cho_factor(full), right), right)
        assert error < (max(3 * known, 0.3) if size > 30 else 1.5), (size, error, known)
        np.testing.assert_array_equal(given, lower(full))


@pytest.mark.parametrize(("condition", "precisions"), [(1e4, 1), (1e12, 2)])
def test_float64_factorises_where_float32_cannot(condition, precisions):
    solver = Cholesky(lower(matrix(100, condition)))
    first = solver.solve(np.ones(100))
    assert len(solver._factors) == precisions
    np.testing.assert_array_equal(solver.solve(np.ones(100)), first)


def test_right_sides_of_any_size():
    full = matrix(70, 1e3)
    right = np.random.default_rng(7).normal(size=70)
    solver = Cholesky(full)
    for size in (1e-200, 1e-30, 1e30, 1e150):
        np.testing.assert_allclose(
            solver.solve(size * right) / size, solver.solve(right), rtol=1e-10
        )
        np.testing.assert_allclose(
            Cholesky(size * full).solve(right) * size, solver.solve(right), rtol=1e-10
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
    assert Cholesky(full).solve(np.ones(size)) is None


@compiled_only
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_factors(dtype):
    """Against LAPACK; those of a matrix are the first ones of any larger matrix, to the bit."""
    wide = numba_cholesky.WIDE // np.dtype(dtype).itemsize
    full = matrix(12 * wide, 100.0).astype(dtype)
    factor, eps = lower(full), np.finfo(dtype).eps
    assert numba_cholesky.factorise(factor)
    known = np.linalg.cholesky(full.astype(float))
    np.testing.assert_allclose(np.tril(factor), known, rtol=0, atol=30 * eps)
    for size in (wide, 5 * wide, 9 * wide):
        part = lower(full[:size, :size])
        assert numba_cholesky.factorise(part)
        np.testing.assert_array_equal(np.tril(part), np.tril(factor[:size, :size]))
    indefinite = np.diag(np.r_[np.ones(wide), -np.ones(wide)]).astype(dtype)
    assert not numba_cholesky.factorise(indefinite)
