"""Compiled determinants, inverses, Pfaffians and traces against LAPACK and plain array code."""

import numpy as np
import pytest

from vmcnet.kernels import linalg, of, plain_linalg

TYPES = [np.float64, np.float32, np.complex128, np.complex64]
SIZES = [1, 2, 3, 7, 14, 32]


def matrices(dtype, m, count=40):
    rng = np.random.default_rng(m)
    a = rng.normal(size=(count, m, m)) + 1j * rng.normal(size=(count, m, m))
    size = 1e30 if np.dtype(dtype).char in "dD" else 1e10
    a[0] *= size  # products of pivots beyond the exponents
    a[1] /= size
    return (a if np.dtype(dtype).kind == "c" else a.real).astype(dtype)


def wide(a):
    return a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("m", SIZES)
def test_against_lapack(dtype, m):
    a = matrices(dtype, m)
    before = a.copy()
    eps, condition = float(np.finfo(dtype).eps), np.linalg.cond(wide(a))
    sign, log = linalg.slogdet(a)
    known_sign, known_log = np.linalg.slogdet(wide(a))
    allowed = 20 * m * eps * condition
    assert (abs(sign - known_sign) <= allowed).all()
    assert (abs(log - known_log) <= allowed + eps * abs(known_log)).all()
    back, same, log_too = linalg.inverse(a)
    assert (abs(sign - same) <= allowed).all() and (abs(log - log_too) <= allowed).all()
    known = np.linalg.inv(wide(a))
    size = abs(known).max(axis=(1, 2))
    assert (abs(back - known).max(axis=(1, 2)) <= allowed * size).all()
    assert np.array_equal(a, before) and sign.dtype == back.dtype == a.dtype
    assert log.dtype == a.real.dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_bits_do_not_depend_on_the_number_of_matrices(dtype):
    a = matrices(dtype, 6)
    slots = matrices(dtype, 6, 120).reshape(3, 40, 6, 6)
    back, sign, log = linalg.inverse(a)
    traces = linalg.traces(back, slots)
    for k in (0, 7, 39):
        one = slice(k, k + 1)
        for whole, part in zip((back, sign, log), linalg.inverse(a[one]), strict=True):
            assert np.array_equal(whole[one], part)
        assert np.array_equal(linalg.slogdet(a[one])[1], log[one])
        assert np.array_equal(linalg.traces(back[one], slots[:, one])[1:], traces[1:, one])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("m", [2, 4, 6, 14])
def test_pfaffian_against_plain_code(dtype, m):
    a = matrices(dtype, m)
    a = a - np.swapaxes(a, 1, 2)
    a[3, 0, 1] = a[3, 1, 0] = 0  # a zero where the first pivot is looked for
    a[4] = 0
    sign, log = linalg.slogpf(a)
    with np.errstate(divide="ignore"):
        plain_sign, plain_log = plain_linalg.slogpf(np, a)
    others = np.delete(np.arange(len(a)), [4] if m > 2 else [3, 4])
    allowed = 20 * m * float(np.finfo(dtype).eps) * np.linalg.cond(wide(a[others]))
    assert (abs(sign - plain_sign)[others] <= allowed).all()
    assert (abs(log[others] - plain_log[others]) <= allowed + 1e-6 * abs(log[others])).all()
    assert sign[4] == plain_sign[4] == 0 and log[4] == plain_log[4] == -np.inf
    known = np.linalg.slogdet(wide(a[others]))[1]
    assert (abs(2 * log[others] - known) <= 2 * allowed + 1e-6 * abs(known)).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_traces_against_plain_code(dtype):
    back, slots = matrices(dtype, 5, 12), matrices(dtype, 5, 96).reshape(8, 12, 5, 5)
    back[:2], slots[0, :2] = 1, 1
    out = linalg.traces(back, slots)
    plain = plain_linalg.traces(np, back, slots)
    np.testing.assert_allclose(
        out[1:], plain[1:], rtol=2e3 * np.finfo(dtype).eps, atol=2e3 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", TYPES)
def test_singular_and_not_finite(dtype):
    """Singular: sign 0, log -inf, inverse NaN; a NaN inside: NaN; the others as without them."""
    a = matrices(dtype, 5)
    known = linalg.inverse(a)
    b = a.copy()
    b[3, :, 2] = 0
    b[4, 1, 3] = np.nan
    b[5] = 0
    back, sign, log = linalg.inverse(b)
    for part in (sign, linalg.slogdet(b)[0]):
        assert part[3] == part[5] == 0 and np.isnan(part[4])
    for part in (log, linalg.slogdet(b)[1]):
        assert part[3] == part[5] == -np.inf and np.isnan(part[4])
    assert np.isnan(back[[3, 4, 5]]).all(axis=(1, 2)).all()
    others = np.delete(np.arange(40), [3, 4, 5])
    for part, before in zip((back, sign, log), known, strict=True):
        assert np.array_equal(part[others], before[others])


def test_what_is_left_to_lapack():
    for dtype in TYPES:
        assert of(np, np.dtype(dtype)).slogdet is linalg.slogdet
    assert of(np, np.dtype(np.longdouble)).slogdet is not linalg.slogdet
    assert linalg.fits(np.ones((2, 32, 32))) and not linalg.fits(np.ones((2, 33, 33)))
    a = np.random.default_rng(1).normal(size=(3, 40, 40))
    a[1, 4] = 0
    back, sign, log = linalg.inverse(a)
    assert np.isnan(back[1]).all() and sign[1] == 0 and log[1] == -np.inf
    np.testing.assert_allclose(back[0] @ a[0], np.eye(40), atol=1e-10)
