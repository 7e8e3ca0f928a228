"""Signs beside logarithms: determinants and their signed sums against plain linear algebra;
antisymmetry; singular matrices.
"""

import numpy as np
import pytest

from vmcnet.calculus.determinant import slogdet
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values

RNG = np.random.default_rng(4)
R, MATRICES = RNG.normal(size=(6, 3, 3)), RNG.normal(size=(4, 6, 3, 3))
READINGS = [lambda: Values(np), lambda: Jets(np, 3, 3), lambda: Tape(np, coordinates_wanted=True)]


@pytest.fixture(params=READINGS, ids=["values", "jets", "tape"])
def ops(request):
    made = request.param()
    made.coordinates(R)
    return made


def test_sum_of_determinants(ops):
    """sum_k a_k det A_k with weights of both signs."""
    signs, logs = zip(*(ops.logdet(ops.constant(a)) for a in MATRICES), strict=True)
    assert (
        all(set(np.unique(s)) <= {-1.0, 1.0} for s in signs)
        and len(set(np.concatenate(signs))) == 2
    )
    a = np.array([0.7, -1.2, 0.4, 2.0])
    phase, log = ops.logsumexp(
        ops.concatenate([ops.expand(x, -1) for x in logs]),
        np.stack(signs, axis=1),
        ops.parameter(a),
    )
    np.testing.assert_allclose(
        phase * np.exp(ops.peek(log)), a @ np.linalg.det(MATRICES), rtol=1e-12
    )


def test_complex(ops):
    matrices = MATRICES[:2] + 1j * MATRICES[2:]
    logs = []
    for m in matrices:
        phase, log = ops.logdet(
            ops.complex(ops.constant(m.real.copy()), ops.constant(m.imag.copy()))
        )
        assert phase is None
        np.testing.assert_allclose(np.exp(ops.peek(log)), np.linalg.det(m), rtol=1e-12)
        logs.append(ops.expand(log, -1))
    phase, log = ops.logsumexp(ops.concatenate(logs))
    assert phase is None
    np.testing.assert_allclose(
        np.exp(ops.peek(log)), np.linalg.det(matrices).sum(axis=0), rtol=1e-12
    )


def test_exchange_turns_the_sign():
    """A Slater determinant: two particles exchanged, the sign turns and the logarithm stays."""

    def read(r):
        ops = Values(np)
        sign, log = ops.logdet(ops.tanh(ops.coordinates(r)))
        return sign, log.data

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
    sign, log = ops.logdet(ops.coordinates(r))
    value, derivatives, laplacian = ops.read(log)
    assert (
        value[2] == -np.inf
        and sign[2] == 0
        and np.isnan(derivatives[:, 2]).all()
        and np.isnan(laplacian[2])
    )
    others = [0, 1, 3, 4, 5]
    assert np.isfinite(derivatives[:, others]).all() and np.isfinite(laplacian[others]).all()


def test_extended_precision():
    """The elimination behind the tests' differences, against LAPACK; pivots are needed."""
    a = np.concatenate([MATRICES[0], [[[0, 1, 2], [1, 0, 3], [4, -3, 8]]]]).astype(np.longdouble)
    for m in (a, a + 1j * a[::-1].astype(np.clongdouble)):
        sign, log = slogdet(np, m)
        assert log.dtype == np.longdouble
        known = np.linalg.slogdet(m.astype(np.complex128 if np.iscomplexobj(m) else np.float64))
        np.testing.assert_allclose(sign.astype(known[0].dtype), known[0], rtol=1e-12)
        np.testing.assert_allclose(log.astype(float), known[1], rtol=1e-12)
