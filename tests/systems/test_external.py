"""Double well, soft repulsion, potentials given as functions: references against solvers of another
kind.
"""

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

from vmcnet.backend.stream import Stream
from vmcnet.exact.radial import line_energy
from vmcnet.systems import DoubleWell, Particles, QuantumDot
from vmcnet.walkers import Walkers


def by_differences(potential, extent, points=20_001, mass=1.0):
    """Lowest eigenvalue of -(1/2 mass) d^2/dx^2 + potential by second differences, their error of
    order h^2 removed by a second grid.
    """

    def lowest(n):
        x, h = np.linspace(-extent, extent, n, retstep=True)
        return eigh_tridiagonal(
            potential(x) + 1.0 / (mass * h * h),
            np.full(n - 1, -0.5 / (mass * h * h)),
            select="i",
            select_range=(0, 0),
        )[0][0]

    return (4.0 * lowest(points) - lowest((points + 1) // 2)) / 3.0


def test_double_well():
    exact = by_differences(lambda x: 3.0 * ((x / 1.5) ** 2 - 1.0) ** 2, 6.0)
    assert DoubleWell().reference[0] == pytest.approx(exact, abs=1e-6)
    assert DoubleWell(3, dimensions=2, omega=0.5).reference[0] == pytest.approx(
        3 * (exact + 0.25), abs=1e-5
    )
    assert line_energy(lambda x: 0.5 * x * x, 8.0) == pytest.approx(0.5, abs=1e-12)


def test_double_well_term_and_start():
    system = DoubleWell(2, 3.0, 1.5, 2)
    r = np.array([[[1.5, 0.0], [-1.5, 0.0]], [[0.0, 0.0], [3.0, 2.0]]])
    walkers = Walkers(r, system.labels(2))
    np.testing.assert_allclose(system.terms["double_well"].local(walkers, None), [0.0, 3.0 + 27.0])
    np.testing.assert_allclose(system.terms["trap"].local(walkers, None), [0.0, 2.0])
    x = system.start(Stream(1, 0, 0, 0), 1000).r[:, 0, 0]
    assert 400 < (x < 0).sum() < 600 and abs(np.abs(x).mean() - 1.5) < 0.1


def test_soft_repulsion_on_a_line():
    """Relative motion, mass 1/2: -d^2/dx^2 + omega^2 x^2/4 + 1/sqrt(x^2 + s^2), plus the centre of
    mass, omega/2.
    """
    for omega, soft in ((1.0, 1.0), (0.3, 0.5)):
        exact = by_differences(
            lambda x, w=omega, s=soft: 0.25 * w**2 * x * x + 1.0 / np.sqrt(x * x + s * s),
            12.0 / np.sqrt(omega),
            mass=0.5,
        )
        assert QuantumDot(2, omega, 1, "soft_coulomb", soft).reference[0] == pytest.approx(
            exact + 0.5 * omega, abs=2e-6
        )
    r = np.array([[[0.0], [0.75]]])
    found = (
        QuantumDot(2, 1.0, 1, "soft_coulomb", 1.0)
        .terms["coulomb"]
        .local(Walkers(r, np.ones((1, 2), np.int8)), None)
    )
    assert found[0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DoubleWell(0), "at least 1"),
        (lambda: DoubleWell(1, -1.0), "barrier"),
        (lambda: DoubleWell(dimensions=4), "dimensions must be 1 to 3"),
        (lambda: Particles(0, 1, {"v": abs}), "at least 1"),
        (lambda: Particles(1, 1, {}), "potentials"),
        (lambda: Particles(1, 1, {"kinetic": abs}), "taken"),
        (lambda: Particles(2, 1, {"v": abs}, spins=[1]), "spins"),
        (lambda: QuantumDot(2, 1.0, 1, "soft_coulomb", 0.0), "softening"),
        (lambda: QuantumDot(2, 1.0, 1), "1 dimension"),
        (lambda: QuantumDot(2, 1.0, 2, "none", -1.0), "softening"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_potential_of_the_wrong_shape_is_refused():
    system = Particles(2, 1, {"v": lambda r: r**2})
    with pytest.raises(ValueError, match="one number a walker"):
        system.terms["v"].local(Walkers(np.zeros((4, 2, 1)), system.labels(4)), None)
