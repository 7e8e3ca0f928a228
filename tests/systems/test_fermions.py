"""Systems of fermions: what is exact, which electrons point up, what is refused."""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.systems import Fermions1D, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import Slater


@pytest.mark.parametrize(
    ("particles", "projection", "numbers"),
    [(1, None, (1, 0)), (1, -0.5, (0, 1)), (2, 1, (2, 0)), (6, None, (3, 3)), (7, None, (4, 3))]
    + [(7, -2.5, (1, 6)), (12, 2, (8, 4))],
)
def test_spin_projection(particles, projection, numbers):
    dot = QuantumDot(particles, spin_projection=projection)
    assert (dot.up, dot.down) == numbers and len(dot.spins) == particles
    assert dot.fermions == (max(numbers) > 1)
    for spin, number in zip((1, -1), numbers, strict=True):
        assert int((dot.spins == spin).sum()) == number


@pytest.mark.parametrize(
    ("dimensions", "omega", "energy"), [(2, 1.0, 3.5964988843), (3, 0.5, 2.3596570594)]
)
def test_two_electrons_of_equal_spin(dimensions, omega, energy):
    dot = QuantumDot(2, omega=omega, dimensions=dimensions, spin_projection=1)
    assert dot.reference[0] == pytest.approx(energy, abs=1e-8)


@pytest.mark.parametrize(
    ("dimensions", "particles", "projection", "energy"),
    [(2, 2, 1, 3.0), (2, 6, 0, 10.0), (2, 5, None, 8.0), (2, 20, 0, 60.0), (2, 20, 10, 85.0)]
    + [(3, 8, 0, 18.0), (3, 20, 0, 60.0), (1, 4, 0, 4.0), (1, 4, 2, 8.0)],
)
def test_independent_electrons_fill_shells(dimensions, particles, projection, energy):
    dot = QuantumDot(particles, 1.5, dimensions, "none", spin_projection=projection)
    assert dot.reference[0] == pytest.approx(1.5 * energy, rel=1e-14)


def test_no_reference_where_none_is_exact():
    assert QuantumDot(6).reference is None and Fermions1D(4, strength=20.0).reference is None


@pytest.mark.parametrize(("strength", "energy"), [(20.0, 2.60563945), (-10.0, 0.59590593)])
def test_two_fermions_on_a_line(strength, energy):
    assert Fermions1D(2, strength=strength).reference[0] == pytest.approx(energy, abs=1e-8)


def test_fermions_on_a_line_without_interaction():
    """n^2 omega/2, and E_L of the determinant is constant."""
    line = Fermions1D(5, omega=0.8)
    assert line.reference[0] == pytest.approx(10.0) and "interaction" not in line.terms
    psi = Slater(line)
    bound = psi.bind(psi.start(Stream(1, 0, 0, 0)))
    r = line.length * np.random.default_rng(2).normal(size=(400, 5, 1))
    walkers = Walkers(r, line.labels(400))
    off = abs(sum(term.local(walkers, bound) for term in line.terms.values()) - 10.0)
    assert np.quantile(off, 0.99) < 1e-9


def test_the_interaction_of_a_line():
    """V0 is its integral, s its width; every pair counts once."""
    line, x = Fermions1D(3, strength=-3.0, range=0.7), np.linspace(-9, 9, 20001)
    pairs = line.terms["interaction"]
    assert pairs.of(x).sum() * (x[1] - x[0]) == pytest.approx(-3.0, rel=1e-10)
    assert pairs.of(0.7) / pairs.of(0.0) == pytest.approx(np.exp(-0.5))
    r = np.array([[[0.1], [0.5], [-1.2]]])
    known = pairs.of(0.4) + pairs.of(1.3) + pairs.of(1.7)
    assert pairs.local(Walkers(r, line.labels(1)), None) == pytest.approx([known])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: QuantumDot(0), "at least 1"),
        (lambda: QuantumDot(6, spin_projection=0.5), "spin_projection 0.5 of 6 electrons"),
        (lambda: QuantumDot(6, spin_projection=4), "between -3 and 3"),
        (lambda: Fermions1D(0), "at least 1"),
        (lambda: Fermions1D(2, omega=0.0), "omega must be above 0"),
        (lambda: Fermions1D(2, range=-1.0), "range must be above 0"),
        (lambda: Fermions1D(2, strength=float("nan")), "strength must be a finite"),
    ],
)
def test_refusals(build, words):
    with pytest.raises(ValueError, match=words):
        build()
