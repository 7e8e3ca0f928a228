"""Do the printed error bars hold the truth as often as they say? Many short evaluations of a frozen
state of known energy. (In `make test`: many at once, tests/exact/test_error_bars.py.)
"""

import numpy as np
import pytest

from vmcnet.engine.evaluation import evaluate
from vmcnet.engine.population import Population
from vmcnet.engine.training import TrainingResult, TrainingState
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.systems import TrappedBosons
from vmcnet.wavefunctions import GaussianEnvelope

ALPHA, STEPS, WALKERS = 0.8, 260, 128
EXACT = ALPHA / 2 + 1 / (8 * ALPHA)  # one particle in one dimension


def deviations(runs):
    """(E - exact)/error of independent evaluations, and the largest autocorrelation time met."""
    system = TrappedBosons(1, 1.0, 1)
    psi = GaussianEnvelope(system)
    population = Population(system, psi, Gaussian(), SerialCommunicator(), 11, WALKERS, WALKERS)
    population.start()
    result = TrainingResult(TrainingState(np.array([np.log(ALPHA)]), {}, 1.9), population)
    found = [evaluate(result, steps=STEPS, interval=8, warmup=5, number=k) for k in range(runs)]
    return np.array([(f.energy - EXACT) / f.error for f in found]), np.mean(
        [f.autocorrelation for f in found]
    )


def check(runs, widths):
    z, tau = deviations(runs)
    assert 200 * tau <= STEPS, tau
    for inside, probability in ((1.0, 0.6827), (1.96, 0.95)):
        covered = (np.abs(z) < inside).mean()
        assert abs(covered - probability) < widths * np.sqrt(
            probability * (1 - probability) / runs
        ), (inside, covered)
    assert abs(z.mean()) < 4 / np.sqrt(runs) and abs(z.std() - 1) < 4 / np.sqrt(2 * runs)


@pytest.mark.verify
def test_2000_evaluations():
    check(2000, 3.0)
