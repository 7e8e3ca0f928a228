"""The radial solver against the published energies of two electrons."""

import pytest

from tests.exact.energies import TWO_ELECTRONS
from vmcnet.exact.radial import two_electron_energy
from vmcnet.systems import QuantumDot


@pytest.mark.parametrize(("dimensions", "omega"), TWO_ELECTRONS)
def test_two_electrons(dimensions, omega):
    assert two_electron_energy(omega, dimensions) == pytest.approx(
        TWO_ELECTRONS[dimensions, omega], abs=6e-8
    )
    assert QuantumDot(2, omega, dimensions).reference[0] == two_electron_energy(omega, dimensions)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_without_repulsion(dimensions):
    assert two_electron_energy(0.7, dimensions, coupling=0.0) == pytest.approx(
        0.7 * dimensions, abs=1e-9
    )


def test_closed_forms():
    assert two_electron_energy(1.0, 2) == pytest.approx(3.0, abs=1e-10)
    assert two_electron_energy(0.5, 3) == pytest.approx(2.0, abs=1e-10)
    with pytest.raises(ValueError, match="singular"):
        two_electron_energy(1.0, 1)
