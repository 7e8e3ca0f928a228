"""The Gram matrix of outer products: kept or made where it is wanted, of numbers or of signs."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.optimizers.test_natural_gradient import direct, tangents, whole
from vmcnet.calculus.outer import Outer
from vmcnet.engine.gram import Factors, ProductGram
from vmcnet.estimators.log_derivatives import outer_gram, stacked
from vmcnet.kernels.numba_cholesky import SIDE
from vmcnet.kernels.numba_gram import packed
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parallel.dealt_matrix import DealtMatrix


def test_signs_give_the_bits_of_their_numbers(monkeypatch):
    """The Gram matrix of a machine, whose left factors are spins."""
    found = whole(tangents("machine")[1].gram())
    monkeypatch.setattr("vmcnet.wavefunctions.binary_rbm.Outer", lambda a, b, signs: Outer(a, b))
    np.testing.assert_array_equal(whole(tangents("machine")[1].gram()), found)


@pytest.mark.parametrize(("shift", "precisions"), [(1e-2, 1), (1e-10, 2)])
def test_a_gram_matrix_that_is_not_kept(monkeypatch, shift, precisions):
    """Tiles in the precision of the factorisation and products with X solve as the matrix does."""
    made, x, f = direct("machine", blocks=30)
    full = x @ x.T + shift * np.eye(len(x))
    c = 1 / np.sqrt(np.diag(full))
    norm = np.finfo(float).eps * np.linalg.norm(full * c * c[:, None])
    for cheap, kind in ((6, ProductGram), (0, DealtMatrix)):
        monkeypatch.setattr("vmcnet.engine.tangents.CHEAP", cheap)
        solver = made.gram_factors(None, shift)
        found = solver.solve(f)
        assert type(solver._matrix) is kind and len(solver._factors) == precisions
        residual = np.linalg.norm(c * (f - full @ found))
        assert residual < (0.5 if precisions == 1 else 1.5) * norm * np.linalg.norm(found / c)
        np.testing.assert_allclose(solver._matrix.diagonal(), np.diag(full), rtol=1e-13)
    np.testing.assert_allclose(made.from_vector(found), x.T @ found, rtol=0, atol=1e-13)


@pytest.mark.parametrize("size", [1e-120, 1e-3, 1e120])
@pytest.mark.parametrize("signs", [0, 40])
def test_tiles_in_float32_of_numbers_of_any_size(signs, size):
    rng, walkers = np.random.default_rng(signs), 2 * SIDE + 31
    left = np.sign(rng.normal(size=(walkers, 40)) + 0.3)
    right = size * rng.normal(size=(walkers, 7))
    mean = left.T @ right / walkers
    o = ((left[:, :, None] * right[:, None]) - mean).reshape(walkers, -1)
    off = np.einsum("wf,fh,wh->w", left, mean, right) / walkers
    given = packed(left) if signs else left
    layer = Factors(given, right, off, (mean * mean).sum() / walkers, signs)
    known = o @ o.T / walkers + 0.1 * size**2 * np.eye(walkers)
    tangents = SimpleNamespace(comm=SerialCommunicator(), walkers=walkers)
    made = ProductGram(tangents, [layer, layer])
    made.shift(0.2 * size**2)
    scale = 1 / np.sqrt(made.diagonal())
    known = np.tril(2 * known * scale * scale[:, None])
    places = SIDE * SIDE * np.array([0, 1, 3])
    for dtype in (np.float32, np.float64):
        c, eps = np.full(6 * SIDE * SIDE, np.nan, dtype), float(np.finfo(dtype).eps)
        squares = made.scaled(scale, c, places)
        expected = 2 * (known**2).sum() - (np.diag(known) ** 2).sum()
        assert squares.sum() == pytest.approx(expected, rel=100 * eps)
        for t, at in enumerate(places):
            tile = c[at : at + SIDE * SIDE * (t + 1)].reshape(SIDE, -1)
            here = known[SIDE * t : SIDE * (t + 1), : SIDE * (t + 1)]
            np.testing.assert_allclose(tile[: len(here), : here.shape[1]], here, atol=40 * eps)
            beyond = np.eye(SIDE, SIDE * (t + 1), SIDE * t)[len(here) :]
            np.testing.assert_array_equal(tile[len(here) :], beyond)


def test_product_of_outer_products():
    rng = np.random.default_rng(3)

    def draw(*shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    for left, left2 in ((draw(4, 3), draw(5, 3)), (draw(4, 3).real, draw(5, 3).real)):
        right, right2 = draw(4, 2), draw(5, 2)
        o, o2 = (
            stacked((a[:, :, None] * b[:, None]).reshape(len(a), -1))
            for a, b in ((left, right), (left2, right2))
        )
        np.testing.assert_allclose(
            outer_gram(left, right, left2, right2), o @ o2.T, rtol=1e-13, atol=1e-13
        )
