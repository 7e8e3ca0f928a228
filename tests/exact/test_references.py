"""Exact references carry two resolutions or routes that agree; otherwise none, and a word."""

import numpy as np
import pytest

from vmcnet.exact import transfer
from vmcnet.exact.finite_elements import breakpoints, radial_energy
from vmcnet.exact.torus import HOT, torus_thermodynamics
from vmcnet.systems import (
    ClassicalIsing,
    DoubleWell,
    Heisenberg,
    Potts,
    QuantumDot,
    TransverseIsing,
    TrappedBosons,
)

SOFT = {  # by finite elements graded as r^3 and r^4, which agree to 1e-6
    (1, 0.01): 2.658026,
    (1, 0.001): 2.685778,
    (1, 0.0001): 2.698125,
    (2, 0.001): 2.9998165,
    (2, 0.0001): 2.9999821,
    (2, 1e-8): 3.0 - 2e-9,
}


NU = {  # diameter in lengths of the oscillator -> nu, D_nu(diameter) = 0
    0.01: 1.007998388,
    0.5: 1.448686775,
    1.0: 2.0,
    2.0: 3.424815709,
    5.0: 10.421509475,
}
# in two dimensions, energy over omega, by finite differences extrapolated
FLAT = {0.5: 2.859078585, 1.0: 3.447773628, 2.0: 4.899672535, 5.0: 11.914594451}


@pytest.mark.parametrize(("dimensions", "softening"), SOFT)
def test_short_softening(dimensions, softening):
    dot = QuantumDot(2, 1.0, dimensions, "soft_coulomb", softening)
    assert dot.reference[0] == pytest.approx(SOFT[dimensions, softening], abs=2e-6)
    assert "exact" in dot.reference[1] and not dot.notes


@pytest.mark.parametrize("omega", [1e-8, 1e-3, 1.0, 100.0])
def test_scales(omega):
    """The soft repulsion of no length is the bare one; energies scale with units."""
    bare, soft = QuantumDot(2, omega), QuantumDot(2, omega, 2, "soft_coulomb", 1e-7 / omega**0.5)
    assert soft.reference[0] == pytest.approx(bare.reference[0], rel=1e-5)


def test_no_reference_and_a_word():
    for system in (
        QuantumDot(2, 1e-20),
        QuantumDot(2, 1.0, 1, "soft_coulomb", 1e-30),
        DoubleWell(1, barrier=1e12, half_distance=50.0),
    ):
        assert system.reference is None and system.notes[0].startswith("no exact reference")


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_finite_elements_on_the_oscillator(dimensions):
    points = breakpoints(0.1, 1.0, 12.0)
    found = radial_energy(lambda r: 0.25 * r**2, points, dimensions)
    assert found == pytest.approx(0.5 * dimensions, rel=1e-9)


@pytest.mark.parametrize("extent", [(2, 2), (2, 3), (2, 4), (3, 3), (3, 4), (4, 4), (5, 6)])
def test_torus_when_hot(extent):
    """Both routes at their border, and - sum of squared bonds / T far above it."""
    below, above = (torus_thermodynamics(*extent, HOT * (1 + x)) for x in (-1e-9, 1e-9))
    np.testing.assert_allclose(below, above, rtol=2e-7)
    sites = extent[0] * extent[1]
    for temperature in (1e6, 1e8, 1e20, 1e45):
        energy = ClassicalIsing(list(extent), temperature=temperature).reference[0]
        squares = sites * sum(2.0 if n == 2 else 1.0 for n in extent)  # a period of 2: bonds of 2
        assert energy == pytest.approx(-squares / temperature, rel=2e-6)


@pytest.mark.parametrize("temperature", [1.5, 50.0, 2000.0])
def test_torus_by_enumeration(temperature):
    system = ClassicalIsing([3, 3], temperature=temperature)
    s, p = system.enumerated()
    energy = system.energy(s)
    mean = (p * energy).sum()
    assert system.reference[0] == pytest.approx(mean, rel=1e-8, abs=1e-11)
    heat = (p * (energy - mean) ** 2).sum() / temperature**2
    assert torus_thermodynamics(3, 3, temperature)[1] == pytest.approx(heat, rel=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("extent", [[5], [2], [2, 2], [2, 3], [3, 2], [3, 3], [4, 2]])
def test_transfer_matrices_by_enumeration(extent, periodic):
    """Chains, strips and small rectangles, of either sign, with a field, cold and hot."""
    for system in (
        Potts(extent, 3, 0.8, periodic=periodic),
        Potts(extent, 2, 50.0, -1.0, periodic=periodic),
        ClassicalIsing(extent, 1.3, field=0.4, periodic=periodic),
        ClassicalIsing(extent, 1e4, 0.7, 0.2, periodic=periodic),
        ClassicalIsing(extent, 0.3, periodic=False),
    ):
        s, p = system.enumerated()
        energy, source = system.reference_of(None)
        assert energy == pytest.approx((p * system.energy(s)).sum(), rel=1e-8), source
        assert source.startswith("exact")


def test_transfer_matrices_of_strips():
    """Potts with two states is Ising at half the coupling: a square torus and a long strip, by
    Kaufman; where rows are too long there is no reference.
    """
    for extent in ([4, 4], [3, 40]):
        potts = Potts(extent, 2, 1.0).reference_of(None)[0]
        ising = ClassicalIsing(extent, 2.0).reference[0]  # delta = (1 + s s')/2
        bonds = 2 * extent[0] * extent[1]
        assert potts == pytest.approx(0.5 * ising - 0.5 * bonds, rel=1e-9)
    assert Potts([6, 6]).reference_of(None) is None
    assert Potts([3, 3, 3]).reference_of(None) is None
    one, other = transfer.mean_energies(3, 5, -np.eye(3), np.zeros(3), 0.9, True)
    assert abs(one - other) < 1e-9 * abs(one)


@pytest.mark.parametrize(("omega", "dimensions"), [(1.0, 1), (1.0, 2), (0.01, 3)])
def test_two_hard_spheres(omega, dimensions):
    """u = D_nu(sqrt(omega) r) of the relative motion in 1 and 3 dimensions, nu where it is 0 at the
    diameter; in 2 dimensions by finite differences.
    """
    for diameter, nu in NU.items():
        system = TrappedBosons(2, omega, dimensions, diameter=diameter / omega**0.5)
        if dimensions == 2:
            if diameter not in FLAT:
                continue
            found = FLAT[diameter]
        else:
            found = nu + 0.5 + 0.5 * dimensions
        assert system.reference[0] / omega == pytest.approx(found, rel=1e-6)
        assert system.reference[1].startswith("exact: two hard spheres")
    assert TrappedBosons(2, 1.0, 3, omega_z=2.0, diameter=0.1).reference is None
    assert TrappedBosons(3, diameter=0.1).reference is None


def test_small_lattices_are_diagonalised():
    energy, source = TransverseIsing([2, 2], field=0.5, periodic=False).reference_of(None)
    assert energy == pytest.approx(-4.2715584, abs=1e-6) and source == "exact diagonalisation"
    assert Heisenberg([7]).reference_of(None)[0] == pytest.approx(-2.8552, abs=1e-4)
    assert Heisenberg([13]).reference_of(None) is None
    assert TransverseIsing([6]).reference_of(None)[1] == "exact: free fermions"
