"""Fermions of equal spin whose energies are known to five digits or more: what trained states
give.
"""

import pytest

import vmcnet as vmc


def energy(system, psi, iterations, clip=5.0):
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.1, schedule=vmc.optimizers.InverseDecay(100)),
        natural_gradient=vmc.optimizers.SPRING(momentum=0.95, max_norm=5.0),
        iterations=iterations,
        walkers=512,
        step_size=0.3,
        clip=clip,
        seed=11,
    )
    return vmc.evaluate(result, steps=200, interval=10, warmup=50)


@pytest.mark.verify
@pytest.mark.parametrize(
    ("dimensions", "omega", "exact"), [(2, 1.0, 3.5964988843), (3, 0.5, 2.3596570594)]
)
def test_two_electrons_of_equal_spin(dimensions, omega, exact):
    dot = vmc.systems.QuantumDot(2, omega=omega, dimensions=dimensions, spin_projection=1)
    w = vmc.wavefunctions
    found = energy(dot, w.Slater(dot, network=w.MessagePassing()) * w.PadeJastrow(dot), 150)
    assert found.error < 1e-4 and abs(found.energy - exact) < 3 * found.error + 1e-5


@pytest.mark.verify
@pytest.mark.parametrize(
    ("particles", "strength", "exact", "bound"),
    [(2, 20.0, 2.60563945, 1e-4), (2, -10.0, 0.59590593, 1e-3), (4, 20.0, 12.33972, 1e-3)],
)
def test_fermions_on_a_line(particles, strength, exact, bound):
    """In one dimension the determinant's nodes are exact: a symmetric factor finds the rest. Two by
    the relative motion; four by diagonalisation in 32 oscillator states of length 1/1.3, 12.339726
    at most and 5e-7 below that of 28.
    """
    line = vmc.systems.Fermions1D(particles, strength=strength)
    w = vmc.wavefunctions
    psi = w.Slater(line, network=w.MessagePassing(), heads=["jastrow"])
    found = energy(line, psi, 300, clip=50.0)
    assert abs(found.energy - exact) < bound and found.error < bound
