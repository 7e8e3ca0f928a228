"""Interacting fermions whose energy is known: the message-passing determinant finds it."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals


@pytest.mark.verify
def test_six_fermions_with_harmonic_pair_forces():
    """omega = 1 and (kappa/2) sum_{i<j} r_ij^2, kappa = 3/N: relative motion in a trap of Omega =
    sqrt(omega^2 + N kappa) = 2, the centre of mass in its own; E = (E_shell - d/2) Omega + d/2
    omega = (10 - 1) 2 + 1 = 19. The orbitals of the width omega know nothing of that.
    """
    n = 6

    def trap(r):
        return 0.5 * (r**2).sum(axis=(1, 2))

    def pairs(r):  # sum_{i<j} r_ij^2 = N sum_i r_i^2 - (sum_i r_i)^2
        return 0.5 * (3 / n) * (n * (r**2).sum(axis=(1, 2)) - (r.sum(axis=1) ** 2).sum(axis=1))

    system = vmc.systems.Particles(
        n, 2, {"trap": trap, "pairs": pairs}, spins=[1, 1, 1, -1, -1, -1]
    )
    w = vmc.wavefunctions
    orbitals = HarmonicOrbitals.holding(3, 2, 1.0)
    psi = w.Slater(system, orbitals=orbitals, network=w.MessagePassing())
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.1, schedule=vmc.optimizers.InverseDecay(100)),
        natural_gradient=vmc.optimizers.SPRING(momentum=0.95, max_norm=5.0),
        iterations=200,
        walkers=512,
        step_size=0.3,
        clip=5.0,
        seed=4,
    )
    first = np.mean(result.series["energy"][:2])
    energy = vmc.evaluate(result, steps=100, interval=10, warmup=20)
    assert first > 19.05 and energy.error < 1e-4
    assert abs(energy.energy - 19.0) < 3 * energy.error
