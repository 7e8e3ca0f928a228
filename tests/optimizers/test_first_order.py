"""Optimizers against their published formulas, written out by hand."""

import numpy as np
import pytest

from vmcnet.optimizers import SGD, Adam

GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


def run(optimizer):
    theta, state = np.zeros(3), optimizer.start(3)
    for k, g in enumerate(GRADIENTS):
        step, state = optimizer.update(g, state, k)
        theta = theta + step
    return theta, state


def test_sgd():
    np.testing.assert_allclose(run(SGD(0.1))[0], -0.1 * GRADIENTS.sum(axis=0), rtol=1e-14)


def test_adam():
    """Kingma and Ba, algorithm 1."""
    theta, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = 0.8 * m + 0.2 * g, 0.99 * v + 0.01 * g**2
        theta -= 0.05 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-6)
    found, state = run(Adam(0.05, 0.8, 0.99, 1e-6))
    np.testing.assert_allclose(found, theta, rtol=1e-13)
    assert set(state) == {"m", "v"}


def test_first_step_of_adam_is_the_learning_rate():
    step, _ = Adam(0.01).update(np.array([1e-3, -40.0]), Adam(0.01).start(2), 0)
    np.testing.assert_allclose(step, [-0.01, 0.01], rtol=2e-5)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: SGD(0.0), "learning_rate"), (lambda: Adam(-1.0), "learning_rate"), (lambda: Adam(0.1, beta1=1.0), "beta1"),
    (lambda: Adam(0.1, beta2=-0.1), "beta2"), (lambda: Adam(0.1, epsilon=0.0), "epsilon"), (lambda: SGD(float("nan")), "learning_rate"),
])
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
