"""What a wavefunction may write with plain Python is right in all three readings; what would be
silently wrong is refused.
"""

import numpy as np
import pytest

from tests.calculus.differences import check_jet
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import Wavefunction

R = np.random.default_rng(3).uniform(0.5, 1.5, (4, 2, 2))
S = np.ones((4, 2), np.int8)


def augmented(x):
    y = x * 2.0
    y *= 0.5
    y += 1
    y -= 1
    y /= 1
    return y


RIGHT = {
    "x**2": (lambda ops, x: x**2, lambda x: x**2),
    "1 + x": (lambda ops, x: 1 + x, lambda x: 1 + x),
    "1 - x": (lambda ops, x: 1 - x, lambda x: 1 - x),
    "2 / x": (lambda ops, x: 2 / x, lambda x: 2 / x),
    "-x * 0.5": (lambda ops, x: -x * 0.5, lambda x: -x * 0.5),
    "np.float64 on the left": (
        lambda ops, x: np.float64(0.5) * x + np.float64(1),
        lambda x: 0.5 * x + 1,
    ),
    "y *= .5 and the like": (lambda ops, x: augmented(x) ** 3, lambda x: x**3),
    "x @ x": (lambda ops, x: x @ x, lambda x: x @ x),
    "abs(x)": (lambda ops, x: abs(x - 5.0), lambda x: abs(x - 5)),
    "x * x, twice the same handle": (lambda ops, x: x * x + x, lambda x: x * x + x),
}


class Sample(Wavefunction):
    """sum_i f(x_i) scale."""

    particles, dimensions = 2, 2

    def __init__(self, function):
        self._function, self.layout = function, Layout().add("scale", ())

    def log_psi(self, ops, theta, walkers):
        return None, ops.sum(ops.flatten(self._function(ops, walkers.r)), axis=-1) * theta["scale"]


@pytest.mark.parametrize("name", RIGHT)
def test_plain_python_is_right(name):
    written, meant = RIGHT[name]
    psi, before = Sample(written).bind(np.array([0.7])), R.copy()
    walkers = Walkers(R, S)

    def log(r):
        return np.longdouble(0.7) * meant(r).sum(axis=(1, 2))

    np.testing.assert_allclose(psi.log(R, S), log(R).astype(float), rtol=1e-14)
    check_jet(log, R, *psi.jet(walkers))
    np.testing.assert_allclose(psi.drift(R, S).reshape(4, -1).T, psi.jet(walkers)[1], rtol=1e-13)
    np.testing.assert_allclose(psi.log_derivatives(walkers)[:, 0], psi.log(R, S) / 0.7, rtol=1e-14)
    assert np.array_equal(R, before), "a rule changed the walkers"


REFUSED = {
    "np.tanh(x)": lambda ops, x: np.tanh(x),
    "np.add(x, 1)": lambda ops, x: np.add(x, 1.0),
    "np.sum(x)": lambda ops, x: np.sum(x),
    "array + x": lambda ops, x: np.ones((4, 2, 2)) + x,
    "x * array": lambda ops, x: x * np.ones((4, 2, 2)),
    "array @ x": lambda ops, x: np.ones((2, 2)) @ x,
    "x[0]": lambda ops, x: x[0],
    "x > 0": lambda ops, x: x > 0,
    "if x": lambda ops, x: 1.0 if x else x,
    "x**x": lambda ops, x: x**x,
    "for y in x": lambda ops, x: list(x),
    "np.asarray(x)": lambda ops, x: np.asarray(x),
    "float(x)": lambda ops, x: float(x),
}


@pytest.mark.parametrize("reading", ["log", "jet", "drift", "log_derivatives", "contracted"])
@pytest.mark.parametrize("name", REFUSED)
def test_silent_mistakes_are_refused(name, reading):
    psi = Sample(REFUSED[name]).bind(np.array([0.7]))
    arguments = {"log": (R, S), "drift": (R, S), "contracted": (Walkers(R, S), np.ones(4))}.get(
        reading, (Walkers(R, S),)
    )
    with pytest.raises((TypeError, ValueError)):
        getattr(psi, reading)(*arguments)


class FlatParameters(Sample):
    def log_psi(self, ops, theta, walkers):
        return None, ops.total(walkers.r) * ops.flatten(theta["scale"])


class NoPhase(Sample):
    def log_psi(self, ops, theta, walkers):
        return ops.total(walkers.r) * theta["scale"]


class NotOneNumber(Sample):
    def log_psi(self, ops, theta, walkers):
        return None, walkers.r * theta["scale"]


class UnknownParameter(Sample):
    def log_psi(self, ops, theta, walkers):
        return None, ops.sum(ops.flatten(walkers.r), axis=-1) * theta["scales"]


@pytest.mark.parametrize(
    ("wavefunction", "error", "words"),
    [
        (Sample(lambda ops, x: x + np.ones((4, 2, 2))), TypeError, "ops.constant"),
        (Sample(lambda ops, x: x * np.float64(2) + np.ones((4, 2, 2))), TypeError, "ops.constant"),
        (Sample(lambda ops, x: np.tanh(x)), TypeError, "np.tanh.*ops.tanh"),
        (Sample(lambda ops, x: x[:, 0, 0]), TypeError, r"ops.component\(r, k\).*ops.take"),
        (Sample(lambda ops, x: list(x)), TypeError, r"ops.component\(r, k\).*ops.take"),
        (Sample(lambda ops, x: ops.take(x, [2])), ValueError, r"\[2\] along axis 1.*below 2"),
        (Sample(lambda ops, x: ops.take(x, [0.0])), TypeError, "fixed integers"),
        (Sample(lambda ops, x: ops.reshape(x, 3)), ValueError, "expected 4 numbers a walker"),
        (Sample(lambda ops, x: ops.matmul(x, ops.reshape(x, 1, 4))), ValueError, "matmul of shap"),
        (Sample(lambda ops, x: ops.slogdet(ops.pairs(x)[0])[1]), ValueError, "slogdet needs"),
        (Sample(lambda ops, x: ops.slogdet(x, count=2)[1]), ValueError, r"\(walkers, m, 2 m\)"),
        (Sample(lambda ops, x: ops.log_pfaffian(ops.pairs(x)[0])[1]), ValueError, "m even"),
        (Sample(lambda ops, x: ops.abs(x * 1j)), TypeError, "abs of a complex"),
        (Sample(lambda ops, x: ops.maximum(x, 1j * x)), TypeError, "maximum of a complex"),
        (FlatParameters(None), TypeError, "flatten of parameters alone"),
        (NoPhase(None), TypeError, r"returns Value; expected \(phase, log\)"),
        (NotOneNumber(None), ValueError, "one number a walker"),
        (UnknownParameter(None), KeyError, r"'scales'.*\['scale'\]"),
    ],
)
def test_a_refusal_says_what_to_write(wavefunction, error, words):
    with pytest.raises(error, match=words):
        wavefunction.bind(np.array([0.7])).log(R, S)
