"""The course's machine and its feed-forward network as symmetric factors of a determinant."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from tests.wavefunctions.test_slater import points, started
from vmcnet.wavefunctions import FeedForward, GaussianRBM, PadeJastrow, Slater

FACTORS = {
    "machine": lambda system: GaussianRBM(system, hidden=3, symmetric=True),
    "network": lambda system: FeedForward(system, layers=[8], symmetric=True),
}


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
def test_a_determinant_times_a_symmetric_correlator(factor):
    """Antisymmetric in electrons of equal spin, with the derivatives of its own log."""
    system = vmc.systems.QuantumDot(6, omega=0.8)
    psi = started(Slater(system) * PadeJastrow(system) * factor(system), spread=0.1)
    walkers = points(system, 5)
    r, s = walkers.r, walkers.s
    (phase, log), (turned, same) = (psi.amplitude(x, s) for x in (r, r[:, [1, 0, 2, 3, 4, 5]]))
    np.testing.assert_allclose(same, log, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(turned, -phase)
    across = r[:, [5, 1, 2, 3, 4, 0]]  # up with down: another configuration
    assert np.abs(psi.log(across, s) - log).min() > 1e-6
    check_jet(psi.log, r, *psi.jet(walkers), s)


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
def test_it_trains(factor):
    """Six electrons: from a correlator's start to the energy of a determinant with a Pade factor,
    20.1808(6), which lies below that of the determinant alone by 0.6.
    """
    system = vmc.systems.QuantumDot(6, omega=1.0)
    psi = Slater(system) * PadeJastrow(system) * factor(system)
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.2),
        natural_gradient=vmc.optimizers.SR(1e-4, max_norm=5.0),
        iterations=60,
        walkers=256,
        block=64,
        step_size=0.3,
        clip=5.0,
        seed=2,
    )
    found = vmc.evaluate(result, steps=60, interval=10)
    assert found.error < 0.01 and 20.155 - 3 * found.error < found.energy < 20.20 + 3 * found.error
