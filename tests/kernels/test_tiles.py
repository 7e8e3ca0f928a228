"""Passes over tiles of rows of a symmetric matrix, beside the formulas."""

import numpy as np
import pytest

from vmcnet.kernels.numba_gram import WIDE as BYTES
from vmcnet.kernels.numba_gram import outer_products, packed, turned
from vmcnet.kernels.numba_product import REGISTERS, ROWS
from vmcnet.kernels.numba_tiles import SQUARE, mirror, off_diagonal
from vmcnet.kernels.numba_turn import turn

WIDE = BYTES // 8  # columns of a block in float64
pytestmark = pytest.mark.skipif(
    REGISTERS is None, reason="this processor has no fused multiply and add"
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(16, 16), (32, 48), (3, 5), (17, 41), (1, 70)])
def test_transposes(shape, dtype):
    rows, terms = shape
    given = np.random.default_rng(1).normal(size=(rows, terms + 3)).astype(dtype)
    out = np.zeros((terms, rows + 2), dtype)
    turn(given.reshape(-1), 2, terms + 3, rows, terms, out.reshape(-1), 1, rows + 2)
    np.testing.assert_array_equal(out[:, 1 : rows + 1], given[:, 2 : terms + 2].T)
    assert not out[:, 0].any() and not out[:, -1].any()


@pytest.mark.parametrize(("count", "width"), [(1, 1), (24, 96), (50, 146), (96, 96), (31, 200)])
def test_centred_products_of_outer_products(count, width):
    """Also added to what is there, and the same bits of a walker whatever stands beside it."""
    rng = np.random.default_rng(count)
    left, right = rng.normal(size=(width, 7)), rng.normal(size=(width, 5))
    off, own = rng.normal(size=width), rng.normal(size=count)
    first = width - count
    i = slice(first, width)
    padded = [np.zeros((count + ROWS, *x.shape[1:])) for x in (left, right, own)]
    for to, x in zip(padded, (left[i], right[i], own), strict=True):
        to[:count] = x
    panels = [np.empty((-(-width // WIDE), x.shape[1], WIDE)) for x in (left, right)]
    for x, panel in zip((left, right), panels, strict=True):
        turned(x, panel)
    out, columns = np.full((count, width), np.nan), np.append(off, np.zeros(WIDE))
    outer_products(*padded[:2], *panels, padded[2], columns, out, False, 0, 1.0)
    known = (left[i] @ left.T) * (right[i] @ right.T) - own[:, None] - off
    np.testing.assert_allclose(out, known, rtol=1e-12, atol=1e-12)
    before = out.copy()
    outer_products(*padded[:2], *panels, padded[2], columns, out, True, 0, 1.0)
    np.testing.assert_allclose(out, 2 * known, rtol=1e-12, atol=1e-12)
    some = np.empty((1, width))
    alone = [np.concatenate([x[count - 1 : count], np.zeros_like(x[:ROWS])]) for x in padded]
    outer_products(*alone[:2], *panels, alone[2], columns, some, False, 0, 1.0)
    np.testing.assert_array_equal(some[0], before[-1])


@pytest.mark.parametrize("signs", [1, 41, 64, 70, 200])
def test_left_factors_of_signs_give_the_bits_of_their_numbers(signs):
    """Also where the bits of a word are those of NaN: many signs in a row alike."""
    width, walkers = 2 * WIDE + 5, 1024
    rng = np.random.default_rng(signs)
    left, right = np.sign(rng.normal(size=(width, signs)) + 1), rng.normal(size=(width, 5))
    left[::3] = 1
    own, off = rng.normal(size=ROWS), rng.normal(size=3 * WIDE)
    words, out = packed(left), np.empty((2, ROWS, width))
    if signs >= 64:
        assert np.isnan(words).any()
    for to, x, count in ((out[0], left / walkers, 0), (out[1], words, signs)):
        panels = [np.empty((3, y.shape[1], WIDE)) for y in (x, right)]
        turned(left if not count else words, panels[0])
        turned(right, panels[1])
        outer_products(x[:ROWS], right[:ROWS], *panels, own, off, to, False, count, 1 / walkers)
    np.testing.assert_array_equal(out[0], out[1])


@pytest.mark.parametrize("count", [1, 7, 8, 50, 96])
@pytest.mark.parametrize("tile", [0, 1, 3])
def test_products_with_both_sides(count, tile):
    rng = np.random.default_rng(count)
    left = SQUARE * tile
    rows = rng.normal(size=(count, left + count))
    given, shift = rows.copy(), rng.normal(size=count)
    mirror(given, shift)
    square = np.tril(rows[:, left:])
    full = square + np.tril(square, -1).T + np.diag(shift)
    np.testing.assert_array_equal(given[:, left:], full)
    np.testing.assert_array_equal(given[:, :left], rows[:, :left])
    x = rng.normal(size=left + count)
    own, above = np.full(count, np.nan), np.full(left, np.nan)
    off_diagonal(given, x, own, above)
    np.testing.assert_allclose(own, rows[:, :left] @ x[:left], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(above, x[left:] @ rows[:, :left], rtol=1e-12, atol=1e-12)
