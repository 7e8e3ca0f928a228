"""Signs beside logarithms: determinants and their signed sums against plain linear algebra;
antisymmetry; singular matrices.
"""

from itertools import permutations

import numpy as np
import pytest

from vmcnet.calculus.jets import Jets
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values
from vmcnet.kernels.plain_linalg import slogdet

RNG = np.random.default_rng(4)
R, MATRICES = RNG.normal(size=(6, 3, 3)), RNG.normal(size=(4, 6, 3, 3))
READINGS = [lambda: Values(np), lambda: Jets(np, 3, 3), lambda: Tape(np, coordinates_wanted=True)]


@pytest.fixture(params=READINGS, ids=["values", "jets", "tape"])
def ops(request):
    made = request.param()
    made.coordinates(R)
    return made


def test_sum_of_determinants(ops):
    """sum_k a_k det A_k with weights of both signs: K matrices apart, stacked, and side by side."""
    signs, logs = zip(*(ops.slogdet(ops.constant(a)) for a in MATRICES), strict=True)
    numbers = [ops.peek(s) for s in signs]
    assert set(np.unique(numbers)) == {-1.0, 1.0}
    a = np.array([0.7, -1.2, 0.4, 2.0])
    beside = np.concatenate(list(MATRICES), axis=-1)
    for phases, terms in (
        (ops.stack(signs), ops.stack(logs)),
        ops.slogdet(ops.constant(np.moveaxis(MATRICES, 0, 1).copy())),
        ops.slogdet(ops.constant(beside), count=4),
    ):
        phase, log = ops.logsumexp(terms, phases, ops.parameter(a))
        total = ops.peek(phase) * np.exp(ops.peek(log))
        np.testing.assert_allclose(total, a @ np.linalg.det(MATRICES), rtol=1e-12)


def test_complex(ops):
    matrices = MATRICES[:2] + 1j * MATRICES[2:]
    logs = []
    for m in matrices:
        phase, log = ops.slogdet(
            ops.complex(ops.constant(m.real.copy()), ops.constant(m.imag.copy()))
        )
        assert phase is None
        np.testing.assert_allclose(np.exp(ops.peek(log)), np.linalg.det(m), rtol=1e-12)
        logs.append(log)
    phase, log = ops.logsumexp(ops.stack(logs))
    assert phase is None
    np.testing.assert_allclose(
        np.exp(ops.peek(log)), np.linalg.det(matrices).sum(axis=0), rtol=1e-12
    )


def matchings(m):
    """All ways to pair m indices, with the sign of the permutation (i1 j1 i2 j2 ...)."""
    for order in permutations(range(m)):
        pairs = list(zip(order[::2], order[1::2], strict=True))
        if all(a < b for a, b in pairs) and pairs == sorted(pairs):
            inversions = sum(a > b for k, a in enumerate(order) for b in order[k + 1 :])
            yield (-1) ** inversions, pairs


@pytest.mark.parametrize("m", [2, 4, 6])
def test_pfaffian_by_enumeration(ops, m):
    """Pf A = sum over perfect matchings, of A = (x - x^T)/2; a zero first pivot on the way."""
    x = RNG.normal(size=(6, m, m))
    x[2, 0, 1] = x[2, 1, 0]
    a = 0.5 * (x - np.swapaxes(x, 1, 2))
    sign, log = ops.log_pfaffian(ops.constant(x))
    known = sum(s * np.prod([a[:, i, j] for i, j in pairs], axis=0) for s, pairs in matchings(m))
    np.testing.assert_allclose(ops.peek(sign) * np.exp(ops.peek(log)), known, rtol=1e-11)
    sign, log = ops.slogdet(ops.constant(a))
    np.testing.assert_allclose(ops.peek(sign) * np.exp(ops.peek(log)), known**2, rtol=1e-10)


def test_pfaffian_of_a_block_is_a_determinant(ops):
    """Pf [[0, B], [-B^T, 0]] = (-1)^(m (m - 1)/2) det B."""
    b = MATRICES[0]
    a = np.zeros((6, 6, 6))
    a[:, :3, 3:], a[:, 3:, :3] = b, -np.swapaxes(b, 1, 2)
    sign, log = ops.log_pfaffian(ops.constant(a))
    known, size = np.linalg.slogdet(b)
    assert np.array_equal(ops.peek(sign), -known)
    np.testing.assert_allclose(ops.peek(log), size, rtol=1e-12)


def test_exchange_turns_the_sign():
    """A Slater determinant: two particles exchanged, the sign turns and the logarithm stays."""

    def read(r):
        ops = Values(np)
        sign, log = ops.slogdet(ops.tanh(ops.coordinates(r)))
        return sign.data, log.data

    (sign, log), (turned, same) = read(R), read(R[:, [1, 0, 2]])
    assert np.array_equal(turned, -sign)
    np.testing.assert_allclose(same, log, rtol=1e-12)


def test_a_singular_walker_is_alone():
    """Two particles at one place: psi = 0 there, derivatives NaN, the other walkers as without
    it.
    """
    r = R.copy()
    r[2, 0] = r[2, 1]
    ops = Jets(np, 3, 3)
    sign, log = ops.slogdet(ops.coordinates(r))
    value, derivatives, laplacian = ops.read(log)
    assert value[2] == -np.inf and ops.peek(sign)[2] == 0
    assert np.isnan(derivatives[:, 2]).all() and np.isnan(laplacian[2])
    others = [0, 1, 3, 4, 5]
    assert np.isfinite(derivatives[:, others]).all() and np.isfinite(laplacian[others]).all()


def with_a_zero_column(ops, t, x):
    """det x + w2 det(x D), D = diag(1, 0, 1) at walker 2: one determinant is 0 there."""
    d = np.ones((6, 1, 3))
    d[2, 0, 1] = 0
    first, second = ops.slogdet(x), ops.slogdet(ops.tanh(x) * ops.constant(d))
    phases, logs = (ops.stack(pair) for pair in zip(first, second, strict=True))
    return ops.logsumexp(logs, phases, t)[1]


def test_one_determinant_of_several_is_singular():
    """What is 0 for all coordinates adds nothing to derivatives: those of the others alone."""
    weights = np.array([0.8, -1.3])
    jets = Jets(np, 3, 3)
    x = jets.coordinates(R)
    jet = jets.read(with_a_zero_column(jets, jets.parameter(weights), x))
    alone = jets.read(jets.slogdet(x)[1])
    for part in jet:
        assert np.isfinite(part).all()
    np.testing.assert_allclose(jet[0][2], alone[0][2] + np.log(0.8), rtol=1e-13)
    np.testing.assert_allclose(jet[1][:, 2], alone[1][:, 2], rtol=1e-12)
    np.testing.assert_allclose(jet[2][2], alone[2][2], rtol=1e-12)

    tape = Tape(np, coordinates_wanted=True)
    t, x = tape.parameter(weights), tape.coordinates(R)
    rows = tape.reverse(with_a_zero_column(tape, t, x), np.ones(6), per_walker=True)
    np.testing.assert_allclose(rows[x.index].reshape(6, -1).T, jet[1], rtol=1e-10)
    np.testing.assert_allclose(rows[t.index][2], [1 / 0.8, 0.0], rtol=1e-13)
    assert np.isfinite(rows[t.index]).all()


def test_all_determinants_singular():
    """A zero of the sum: -inf, sign 0, derivatives NaN."""
    r = R.copy()
    r[2, 0] = r[2, 1]
    ops = Jets(np, 3, 3)
    sign, log = ops.slogdet(ops.coordinates(r))
    phase, total = ops.logsumexp(ops.stack([log, log]), ops.stack([sign, sign]))
    value, derivatives, _ = ops.read(total)
    assert value[2] == -np.inf and ops.peek(phase)[2] == 0 and np.isnan(derivatives[:, 2]).all()
    assert np.isfinite(np.delete(derivatives, 2, axis=1)).all()


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8])
def test_near_a_node(distance):
    """Two particles of three close together: derivatives within 1e-13 x condition number of those
    by cofactors, det_c / det and det_L / det - sum_c (det_c / det)^2 (here det_L = 0).
    """
    r = R.copy()
    r[:, 1] = r[:, 0] + distance * RNG.normal(size=(6, 3))
    ops = Jets(np, 3, 3)
    value, derivatives, laplacian = ops.read(ops.slogdet(ops.coordinates(r))[1])
    x = r.astype(np.longdouble)
    cofactors = np.stack([np.cross(x[:, (i + 1) % 3], x[:, (i + 2) % 3]) for i in range(3)], axis=1)
    det = (x[:, 0] * cofactors[:, 0]).sum(axis=1)
    known = (cofactors / det[:, None, None]).reshape(6, -1).T
    allowed = 1e-13 * np.linalg.cond(r)
    assert (abs(derivatives - known).max(axis=0) <= allowed * abs(known).max(axis=0)).all()
    square = (known**2).sum(axis=0)
    assert (abs(laplacian + square) <= 2 * allowed * square).all()
    assert (abs(value - np.log(abs(det))) <= allowed).all()


def test_extended_precision():
    """The elimination behind the tests' differences, against LAPACK; pivots are needed."""
    a = np.concatenate([MATRICES[0], [[[0, 1, 2], [1, 0, 3], [4, -3, 8]]]]).astype(np.longdouble)
    for m in (a, a + 1j * a[::-1].astype(np.clongdouble)):
        sign, log = slogdet(np, m)
        assert log.dtype == np.longdouble
        known = np.linalg.slogdet(m.astype(np.complex128 if np.iscomplexobj(m) else np.float64))
        np.testing.assert_allclose(sign.astype(known[0].dtype), known[0], rtol=1e-12)
        np.testing.assert_allclose(log.astype(float), known[1], rtol=1e-12)
