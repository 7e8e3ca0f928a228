"""The line of energies against variances: its estimate, its error, and what is refused."""

import numpy as np
import pytest

from vmcnet.statistics.zero_variance import along_training, straight_line

EXACT, SLOPE = 3.0, 0.5


def training(seed, iterations=300, slope=SLOPE, bend=0.0, last=0.02, first=0.3):
    """Energies and variances of a training that approaches its ansatz' best state."""
    rng = np.random.default_rng(seed)
    variance = last + (first - last) * np.exp(-np.arange(iterations) / (iterations / 6))
    error = np.sqrt(variance / 512)
    energy = EXACT + slope * variance + bend * variance**2 + error * rng.normal(size=iterations)
    return energy, variance * (1.0 + 0.1 * rng.normal(size=iterations)), error


def test_the_line_in_closed_form():
    x, error = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.1])
    found = straight_line(x, EXACT + SLOPE * x, error)
    weights = 1 / error**2
    s, sx, sxx = weights.sum(), (weights * x).sum(), (weights * x * x).sum()
    assert found.energy == pytest.approx(EXACT) and found.slope == pytest.approx(SLOPE)
    assert found.error == pytest.approx(np.sqrt(sxx / (s * sxx - sx * sx)))
    assert found.told() == "3.00(13) (an estimate, no bound; by variances from 1.0 to 4.0)"
    assert found.told(2.0).startswith("1.50(7) ")


def test_points_that_scatter_make_the_error_larger():
    x, error = np.linspace(1.0, 4.0, 10), np.full(10, 0.01)
    scatter = 0.015 * np.array([1, -1, 1, -1, -1, 1, 1, -1, -1, 1])
    smooth = straight_line(x, EXACT + SLOPE * x, error)
    found = straight_line(x, EXACT + SLOPE * x + scatter, error)
    assert 1.5 < found.error / smooth.error < 1.8


def test_points_that_bend_make_the_error_larger():
    """Exactly on a parabola: the error is what the line ends off, less the noise."""
    x, error = np.linspace(1.0, 4.0, 10), np.full(10, 0.01)
    smooth = straight_line(x, EXACT + SLOPE * x, error)
    found = straight_line(x, EXACT + SLOPE * x - 0.02 * x**2, error)
    assert not found.refused and found.energy > EXACT + 5 * smooth.error
    assert 1.0 < (found.energy - EXACT) / found.error < 1.3


def test_trainings_come_out_within_their_errors():
    found = [along_training(*training(seed)) for seed in range(60)]
    pulls = np.array([(line.energy - EXACT) / line.error for line in found])
    assert not any(line.refused for line in found)
    assert 0.6 < pulls.std() < 1.4 and abs(pulls.mean()) < 0.6
    assert max(line.error for line in found) < 0.01


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (training(1, first=0.021), "the variances span a factor of 1."),
        (training(1, slope=0.0), "do not fall with the variances"),
        (training(1, bend=30.0), "lie on no line"),
        ((*training(1)[:2], np.zeros(300)), "is 0 or not finite"),
        ((training(1)[0], np.full(300, np.nan), training(1)[2]), "is 0 or not finite"),
        ((training(1)[0], np.zeros(300), training(1)[2]), "is 0 or not finite"),
    ],
)
def test_refused(made, word):
    found = along_training(*made)
    assert word in found.refused and np.isnan(found.energy), found
    assert found.told().startswith("none, ")


def test_short_trainings_and_few_points():
    assert along_training(*training(1, iterations=63)) is None
    assert straight_line([1.0, 2.0], [3.0, 4.0], [0.1, 0.1]).refused == "2 points, a line needs 3"
