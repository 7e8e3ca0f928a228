"""Interacting fermions whose energy is known: the message-passing determinant finds it."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals

# particles, dimensions, energy of the filled shells in units of omega, iterations, error wanted
CASES = [
    (6, 2, 10, 200, 1e-4),
    (8, 3, 18, 250, 1e-4),
    (12, 2, 28, 250, 5e-4),
    (20, 2, 60, 250, 1e-3),
    (20, 3, 60, 250, 1e-3),
]


@pytest.mark.verify
@pytest.mark.parametrize(("n", "d", "shells", "iterations", "error"), CASES)
def test_fermions_with_harmonic_pair_forces(n, d, shells, iterations, error):
    """omega = 1 and (kappa/2) sum_{i<j} r_ij^2, kappa = 3/N: relative motion in a trap of Omega =
    sqrt(omega^2 + N kappa) = 2, the centre of mass in its own; E = (E_shell - d/2) Omega + d/2
    omega. The orbitals of the width omega know nothing of that.
    """

    def trap(r):
        return 0.5 * (r**2).sum(axis=(1, 2))

    def pairs(r):  # sum_{i<j} r_ij^2 = N sum_i r_i^2 - (sum_i r_i)^2
        return 0.5 * (3 / n) * (n * (r**2).sum(axis=(1, 2)) - (r.sum(axis=1) ** 2).sum(axis=1))

    half = n // 2
    system = vmc.systems.Particles(
        n, d, {"trap": trap, "pairs": pairs}, spins=[1] * half + [-1] * half
    )
    w = vmc.wavefunctions
    orbitals = HarmonicOrbitals.holding(half, d, 1.0)
    psi = w.Slater(system, orbitals=orbitals, network=w.MessagePassing())
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.1, schedule=vmc.optimizers.InverseDecay(100)),
        natural_gradient=vmc.optimizers.SPRING(momentum=0.95, max_norm=5.0),
        iterations=iterations,
        walkers=512,
        step_size=0.3,
        clip=5.0,
        seed=4,
    )
    exact = (shells - d / 2) * 2.0 + d / 2
    first = np.mean(result.series["energy"][:2])
    energy = vmc.evaluate(result, steps=100, interval=10, warmup=20)
    assert first > exact + 0.05 and energy.error < error
    assert abs(energy.energy - exact) < 3 * energy.error
