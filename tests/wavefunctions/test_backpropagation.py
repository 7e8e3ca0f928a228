"""Back-propagation of a three-layer network against the lecture's formulas, written out layer by
layer and walker by walker.

z^l = a^{l-1} W^l + b^l, a^l = tanh z^l, log psi = n a^3 . v. With delta^l_j = d log psi / d z^l_j:
  delta^3_j = n v_j f'(z^3_j),   delta^{l-1}_j = sum_k W^l_jk delta^l_k f'(z^{l-1}_j),
  d log psi / d b^l_j = delta^l_j,   d log psi / d W^l_ij = a^{l-1}_i delta^l_j,   d log psi / d x_i
  = sum_k W^1_ik delta^1_k.
M. Hjorth-Jensen, lecture notes on neural networks and back propagation; Nielsen, Neural Networks
and Deep Learning (2015), eqs. BP1 to BP4.
"""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.systems import QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import FeedForward

SYSTEM, LAYERS, WALKERS = QuantumDot(2, 0.64), [7, 5, 6], 9


def written_out(values, x, particles):
    """d log psi / d parameter by name, and d log psi / d x, of one walker's inputs x (n d,)."""
    weights = [values[f"weights{k}"] for k in (1, 2, 3)]
    activations = [x]
    for w, k in zip(weights, (1, 2, 3), strict=True):
        z = np.array(
            [
                sum(activations[-1][i] * w[i, j] for i in range(w.shape[0])) + values[f"bias{k}"][j]
                for j in range(w.shape[1])
            ]
        )
        activations.append(np.tanh(z))
    slopes = [1.0 - a**2 for a in activations[1:]]
    delta = particles * values["last_weights"][:, 0] * slopes[2]
    found = {"last_weights": particles * activations[3][:, None]}
    for level in (2, 1, 0):
        w = weights[level]
        found[f"bias{level + 1}"] = delta
        found[f"weights{level + 1}"] = np.array(
            [
                [activations[level][i] * delta[j] for j in range(w.shape[1])]
                for i in range(w.shape[0])
            ]
        )
        back = np.array(
            [sum(w[j, k] * delta[k] for k in range(w.shape[1])) for j in range(w.shape[0])]
        )
        delta = back * slopes[level - 1] if level else back
    return found, delta


@pytest.fixture(scope="module")
def case():
    psi = FeedForward(SYSTEM, LAYERS, spread=0.8)
    theta = psi.start(Stream(4, 0, 0, 0)) + 0.1 * Stream(5, 0, 0, 0).normal(
        (psi.layout.size,)
    )  # biases too
    walkers = Walkers(Stream(6, 0, 0, 0).normal((WALKERS, 2, 2)), SYSTEM.labels(WALKERS))
    known = [written_out(psi.layout.values(theta), r.ravel() / SYSTEM.length, 2) for r in walkers.r]
    return psi, psi.bind(theta), walkers, known


def test_parameters(case):
    psi, bound, walkers, known = case
    o = bound.log_derivatives(walkers)
    for name, entry in psi.layout.entries.items():
        np.testing.assert_allclose(
            o[:, entry.slice].reshape((WALKERS, *entry.shape)),
            [k[0][name] for k in known],
            rtol=1e-12,
            atol=1e-14,
            err_msg=name,
        )


def test_contracted(case):
    psi, bound, walkers, known = case
    weights = Stream(7, 0, 0, 0).normal((WALKERS,))
    found = bound.contracted(walkers, weights)
    for name, entry in psi.layout.entries.items():
        np.testing.assert_allclose(
            found[entry.slice].reshape(entry.shape),
            sum(w * k[0][name] for w, k in zip(weights, known, strict=True)),
            rtol=1e-11,
            atol=1e-13,
        )


def test_coordinates(case):
    _, bound, walkers, known = case
    np.testing.assert_allclose(
        bound.drift(walkers.r, walkers.s).reshape(WALKERS, -1),
        [k[1] / SYSTEM.length for k in known],
        rtol=1e-12,
        atol=1e-14,
    )
