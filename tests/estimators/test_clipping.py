"""Clipping: in the gradient only, centred again, from the rows of all blocks, the same on any
number of ranks.
"""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import Population
from vmcnet.estimators.energy import LocalEnergies, clipped
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling import Gaussian
from vmcnet.systems import QuantumDot
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM


@pytest.fixture
def people():
    """Two electrons without a cusp: local energies with a long tail."""
    system = QuantumDot(2)
    psi = GaussianRBM(system, 2, spread=0.3)
    made = Population(system, psi, Gaussian(), SerialCommunicator(), 5, 256, 32)
    made.start()
    theta = psi.start(Stream(5, 3, 0, 0))
    summary, energies = made.advance(theta, 2, 0, 8, 0.8)
    return made, theta, summary, energies


def test_window(people):
    """Median of block medians +- k times the mean of the blocks' mean absolute deviations."""
    made, _, _summary, energies = people
    blocks = [e.total for e in energies.values()]
    medians = [np.median(b) for b in blocks]
    deviation = np.mean([np.abs(b - m).mean() for b, m in zip(blocks, medians, strict=True)])
    np.testing.assert_allclose(
        made.window(energies, 3.0), (np.median(medians), 3.0 * deviation), rtol=1e-14
    )


def test_weights_are_clipped_and_centred_again(people):
    made, _theta, summary, energies = people
    centre, width = made.window(energies, 2.0)
    everyone = np.concatenate([e.total for e in energies.values()])
    exact = np.clip(everyone, centre - width, centre + width)
    assert 4 < (exact != everyone).sum() < 100
    found = np.concatenate(list(made.weights(summary, energies, 2.0).values()))
    np.testing.assert_allclose(found, exact - exact.mean(), rtol=1e-12, atol=1e-12)
    assert abs(exact.mean() - everyone.mean()) > 1e-3, (
        "without centring again the weights would not add up to 0"
    )
    assert abs(found.mean()) < 1e-13


def test_gradient_is_the_covariance_with_the_clipped_energy(people):
    made, theta, summary, energies = people
    gradient = made.gradient(theta, made.weights(summary, energies, 2.0))
    bound = made.wavefunction.bind(theta)
    o = np.concatenate([bound.log_derivatives(w) for w in made.members.values()])
    centre, width = made.window(energies, 2.0)
    e = np.clip(
        np.concatenate([x.total for x in energies.values()]), centre - width, centre + width
    )
    np.testing.assert_allclose(
        gradient,
        2 * ((o * e[:, None]).mean(axis=0) - o.mean(axis=0) * e.mean()),
        rtol=1e-9,
        atol=1e-11,
    )


def test_a_wide_window_changes_nothing_and_reports_stay(people):
    made, theta, summary, energies = people
    plain = made.gradient(theta, made.weights(summary, energies))
    np.testing.assert_allclose(
        made.gradient(theta, made.weights(summary, energies, 1e6)), plain, rtol=1e-10, atol=1e-12
    )
    assert np.abs(made.gradient(theta, made.weights(summary, energies, 1.0)) - plain).max() > 1e-3
    assert summary.energy == pytest.approx(
        np.concatenate([e.total for e in energies.values()]).mean(), rel=1e-13
    )


def test_complex_energies():
    """The imaginary part is limited around 0."""
    energies = LocalEnergies(np.array([1 + 5j, 9 - 0.5j, -7 - 9j]), {})
    np.testing.assert_array_equal(clipped(energies.total, 1.0, 2.0), [1 + 2j, 3 - 0.5j, -1 - 2j])


def test_training_with_clipping_takes_two_more_collectives():
    from tests.mpi.test_collectives import Counting, nothing
    from vmcnet.engine.training import initial_state, run_training
    from vmcnet.optimizers import SGD

    calls = {}
    for clip in (None, 5.0):
        system = QuantumDot(2)
        made = Population(system, GaussianEnvelope(system), Gaussian(), Counting(), 1, 32, 8)
        made.start()
        run_training(
            made,
            SGD(0.01),
            initial_state(made.wavefunction, SGD(0.01), 1, 1.0),
            iterations=2,
            steps=2,
            warmup=0,
            record=nothing,
            save=nothing,
            poll=nothing,
            clip=clip,
        )
        calls[clip] = made.comm.calls
    further = [call for call in calls[5.0] if call not in calls[None]]
    assert further == 2 * [("allgather", (4, 2)), ("merged", (4, 3))]
