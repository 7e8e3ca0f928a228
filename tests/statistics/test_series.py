"""Autocorrelation times, R-hat, merged moments and the printing of errors."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.statistics.series import ar1
from vmcnet.statistics.autocorrelation import integrated_time
from vmcnet.statistics.convergence import split_rhat
from vmcnet.statistics.format import raised, two_digits, with_error
from vmcnet.statistics.moments import Moments, merge


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_integrated_time_of_ar1(phi):
    """tau = (1 + phi)/(1 - phi)."""
    tau, reliable = integrated_time(ar1(phi, 40_000, 1))
    assert reliable and tau == pytest.approx((1 + phi) / (1 - phi), rel=0.1)


def test_a_short_series_is_said_to_be_short():
    assert not integrated_time(ar1(0.99, 1000, 1))[1]
    tau, reliable = integrated_time(np.ones(100))
    assert np.isnan(tau) and not reliable


@pytest.mark.parametrize("length", [4, 6, 10, 20, 50, 60, 75, 100, 150, 200, 300, 500, 1000])
def test_a_short_series_is_hardly_ever_called_reliable(length):
    """AR(1) of 13 autocorrelation times, each with fewer than 50 of them in the series."""
    series, rates = 600, []
    for tau in (1.2, 1.5, 2, 3, 4, 6, 9, 10, 15, 20, 39, 60, 100):
        if length < 50 * tau:
            x = ar1((tau - 1) / (tau + 1), length, length, series)
            rates.append(np.mean([integrated_time(column)[1] for column in x.T]))
    assert max(rates) <= 0.02 + 3 * np.sqrt(0.02 / series) and np.mean(rates) < 0.01


@pytest.mark.parametrize("tau", [1.0, 3.0, 9.0])
def test_a_long_series_is_called_reliable(tau):
    x = ar1((tau - 1) / (tau + 1), int(250 * tau), 5, 100)
    assert np.mean([integrated_time(column)[1] for column in x.T]) > 0.95


def rhat(x):
    halves = np.stack(np.split(x, 2))  # (2, n, chains)
    return split_rhat(
        halves.mean(axis=1),
        ((halves - halves.mean(axis=1, keepdims=True)) ** 2).sum(axis=1),
        halves.shape[1],
    )


def test_rhat():
    x = np.random.default_rng(1).normal(size=(1000, 40))
    assert abs(rhat(x) - 1.0) < 0.005
    assert rhat(x + np.arange(40) * 0.1) > 1.2  # chains at different places
    assert (
        rhat(x + np.linspace(0, 3, 1000)[:, None]) > 1.2
    )  # chains that drift together: what the split is for
    n, within, means = 3, np.array([2.0, 4.0]), np.array([1.0, 2.0])
    expected = np.sqrt((2 / 3 * within.mean() + means.var(ddof=1)) / within.mean())
    assert split_rhat(means, within * 2, n) == pytest.approx(expected)


def test_moments_merge_to_those_of_the_union():
    rng = np.random.default_rng(2)
    parts = [rng.normal(1e6, 1.0, (n, 3)) for n in (5, 1, 40, 7)]
    every = np.concatenate(parts)
    moments = [Moments.of(p) for p in parts]
    total = reduce(merge, moments)
    assert total.count == 53
    np.testing.assert_allclose(total.mean, every.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(total.variance, every.var(axis=0, ddof=1), rtol=1e-8)
    empty = Moments(0, 0.0, 0.0)
    assert merge(empty, moments[0]) is moments[0] and merge(moments[0], empty) is moments[0]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (3.00012, 0.00008, "3.00012(8)"),
        (3.0001234, 0.000123, "3.00012(12)"),
        (-1.5, 0.02, "-1.50(2)"),
        (1234.0, 56.0, "1230(60)"),
        (3.0, 0.0996, "3.00(10)"),
        (3.0, 0.196, "3.0(2)"),
        (0.5, 0.0, "0.5000000000(0)"),
        (0.0, 0.0, "0(0)"),
        (15.0, 7e-18, "15.0000000000(0)"),
        (2.0, 1.0, "2.0(10)"),
        (2.0, 3.0, "2(3)"),
        (1.0, float("nan"), "1(?)"),
        (float("nan"), 1.0, "nan"),
        (20.15932, 0.0000999, "20.15932(10)"),
        (1e6, 1e4, "1000000(10000)"),
    ],
)
def test_with_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.parametrize(
    "value, text",
    [(4e-4, "0.00040"), (9.96, "10"), (145.2, "145"), (9.7e-5, "9.7e-05"), (0.0, "0")],
)
def test_two_digits(value, text):
    assert two_digits(value) == text


def test_exponents_are_raised():
    assert raised("1/bohr^2, fm^-3, r^10") == "1/bohr\u00b2, fm\u207b\u00b3, r\u00b9\u2070"


@given(st.floats(-1e6, 1e6), st.floats(1e-7, 1e5))
def test_the_printed_number_is_within_its_printed_error(value, error):
    text = with_error(value, error)
    shown, digits = text[:-1].split("(")
    decimals = len(shown.partition(".")[2])
    unit = 10.0**-decimals
    assert float(digits) * unit == pytest.approx(error, rel=0.34)
    assert abs(float(shown) - value) <= 0.5001 * float(digits) * unit + 1e-9 * abs(value)
