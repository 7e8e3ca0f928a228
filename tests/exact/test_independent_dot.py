"""One frozen state of the message-passing determinant, by a program that shares nothing with the
engine: log psi, local energies, and the energy of its own walk.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.exact.independent_dot import Dot
from vmcnet.walkers import Walkers


def state(iterations, walkers, omega=1.0):
    system = vmc.systems.QuantumDot(6, omega)
    w = vmc.wavefunctions
    psi = w.Slater(system, network=w.MessagePassing()) * w.PadeJastrow(system, beta=0.4)
    return system, vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.1, schedule=vmc.optimizers.InverseDecay(100)),
        natural_gradient=vmc.optimizers.SPRING(momentum=0.95, max_norm=5.0),
        iterations=iterations,
        walkers=walkers,
        block=64,
        step_size=0.3,
        clip=5.0,
        seed=3,
    )


def local_energies(system, result, r):
    walkers = Walkers(r, np.broadcast_to(system.spins, r.shape[:2]).copy())
    bound = result.population.wavefunction.bind(result.state.theta)
    energy = sum(term.local(walkers, bound) for term in system.terms.values())
    return bound.log(walkers.r, walkers.s), energy


@pytest.mark.parametrize("omega", [1.0, 0.1])
def test_the_same_function(omega):
    """log psi up to a constant, and local energies, of a few walkers after a few iterations."""
    system, result = state(3, 64, omega)
    r = np.random.default_rng(1).standard_normal((32, 6, 2)) / np.sqrt(omega)
    log, energy = local_energies(system, result, r)
    other = Dot(6, omega, result.parameters)
    difference = other.log(r) - log
    np.testing.assert_allclose(difference, difference[0], rtol=0, atol=1e-11)
    # differences are exact but for h^4, which grows near nodes and where electrons meet
    away = np.abs(other.local_energy(r, step=5e-4) - energy) / omega
    assert np.median(away) < 1e-6 and (away < 1e-3).mean() > 0.8


@pytest.mark.verify
def test_the_same_energy():
    """A trained state: fixed-node diffusion Monte Carlo lies at 20.15932(8), above both."""
    _, result = state(80, 256)
    found = vmc.evaluate(result, steps=100, interval=10, warmup=20)
    energy, error = Dot(6, 1.0, result.parameters).energy(400, 20)
    assert error < 3e-3 and found.error < 2e-3
    assert abs(energy - found.energy) < 4 * np.hypot(error, found.error)
    assert 20.14 < found.energy < 20.17 and 20.14 < energy < 20.175
