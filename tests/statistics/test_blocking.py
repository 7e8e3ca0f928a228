"""Blocking: the curve by hand, both criteria on series of known error."""

import numpy as np
import pytest

from tests.runs import many
from tests.statistics.series import ar1, ar1_error
from vmcnet.statistics.blocking import METHODS, blocking_curve, blocking_error


def test_known_error():
    assert ar1_error(0.9, 65536) ** 2 * 65536 == pytest.approx(18.997253, abs=1e-6)


def test_curve_by_hand():
    curve = blocking_curve([9.0, 1.0, 3.0, 2.0, 6.0])  # 9 1 3 2 6 -> (the oldest dropped) 2, 4 -> 3
    assert curve.sizes.tolist() == [1, 2] and curve.counts.tolist() == [5, 2]
    x = np.array([9.0, 1.0, 3.0, 2.0, 6.0])
    assert curve.errors[0] == pytest.approx(np.sqrt(x.var() / 4)) and curve.errors[
        1
    ] == pytest.approx(1.0)
    assert curve.error_errors[0] == pytest.approx(curve.errors[0] / np.sqrt(8))


@pytest.mark.parametrize(
    ("phi", "limits"),
    [
        (0.0, {"pyblock": (0.97, 1.03), "jonsson": (0.97, 1.03)}),
        (0.9, {"pyblock": (0.93, 1.02), "jonsson": (0.79, 0.93)}),
        (0.99, {"pyblock": (0.90, 1.02), "jonsson": (0.68, 0.86)}),
    ],
)
def test_variance_on_series_of_known_error(phi, limits):
    """Mean of the estimated over the true variance, 24 series of 65536 (verify:
    60); Jonsson's stops early, as
    documented.
    """
    ratios = {method: [] for method in limits}
    for seed in range(many(24, 60)):
        x = ar1(phi, 65536, seed)
        for method, found in ratios.items():
            found.append((blocking_error(x, method).error / ar1_error(phi, 65536)) ** 2)
    for method, (low, high) in limits.items():
        assert low < np.mean(ratios[method]) < high, (method, np.mean(ratios[method]))


def test_jonsson_uses_the_latest_power_of_two_and_the_mean_of_all():
    x = ar1(0.5, 5000, 3)
    result = blocking_error(x, "jonsson")
    assert result.mean == x.mean() and result.curve.counts[0] == 4096
    assert result.error == blocking_error(x[-4096:], "jonsson").error


def test_no_plateau_no_error():
    assert np.isnan(blocking_error(np.linspace(0.0, 1.0, 64)).error)


@pytest.mark.parametrize("method", METHODS)
def test_constant_series_has_no_error(method):
    assert blocking_error(np.full(100, 2.5), method).error == 0.0


def test_refusals():
    with pytest.raises(ValueError, match=r"at least 2 numbers, got shape \(1,\)"):
        blocking_curve([1.0])
    with pytest.raises(ValueError, match="entry 2 of the series is not finite"):
        blocking_error([1.0, 2.0, np.nan])
    with pytest.raises(ValueError, match="blocking method 'jackknife'"):
        blocking_error([1.0, 2.0], "jackknife")
