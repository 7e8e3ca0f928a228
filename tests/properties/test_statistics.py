"""Properties that every series must have: merging, shifting, scaling, printing, exact sums."""

import re

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vmcnet.engine.trend import DivergedError, Trend
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parallel.exact_sum import exact_sum
from vmcnet.statistics.autocorrelation import integrated_time
from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.convergence import split_rhat
from vmcnet.statistics.format import with_error
from vmcnet.statistics.moments import Moments, merge

usual = st.floats(-1e6, 1e6)
series = arrays(np.float64, st.integers(2, 200), elements=usual)
quick = settings(max_examples=200, deadline=None)


@quick
@given(series, series, series)
def test_moments_merge_to_those_of_the_whole(a, b, c):
    whole = Moments.of(np.concatenate([a, b, c]))
    scale = 1.0 + np.abs(np.concatenate([a, b, c])).max()
    for merged in (
        merge(merge(Moments.of(a), Moments.of(b)), Moments.of(c)),
        merge(Moments.of(a), merge(Moments.of(b), Moments.of(c))),
    ):
        assert merged.count == whole.count
        assert (
            abs(merged.mean - whole.mean) < 1e-13 * scale
            and abs(merged.m2 - whole.m2) < 1e-11 * whole.count * scale**2
        )


@quick
@given(series, st.integers(-6, 6))
def test_scaling_by_a_power_of_two_scales_the_blocking_error_to_the_bit(x, power):
    assume(np.abs(x[x != 0]).min(initial=1.0) > 1e-100)
    factor = 2.0**power
    for method in ("pyblock", "jonsson"):
        a, b = blocking_error(x, method), blocking_error(factor * x, method)
        assert (
            a.level == b.level
            and (b.error == factor * a.error or (np.isnan(a.error) and np.isnan(b.error)))
            and b.mean == factor * a.mean
        )


@quick
@given(series)
def test_autocorrelation_time_knows_no_scale_and_no_sign(x):
    assume(x.std() > 1e-3 * (1.0 + np.abs(x).max()))
    tau, reliable = integrated_time(x)
    assert tau > 0 and np.isfinite(tau)
    assert integrated_time(-4.0 * x) == (tau, reliable)
    assert not reliable or len(x) >= 50 * tau


@quick
@given(arrays(np.float64, (2, 40), elements=usual), st.integers(2, 100))
def test_rhat_of_equal_chains_is_below_one_and_grows_with_their_distance(m2s, n):
    m2s = np.abs(m2s) + 1.0
    means = np.zeros((2, 40))
    near, far = means.copy(), means.copy()
    near[0], far[0] = 1.0, 2.0
    values = [split_rhat(m, m2s, n) for m in (means, near, far)]
    assert values[0] <= 1.0 and values[0] < values[1] < values[2]


@quick
@given(st.floats(-1e8, 1e8), st.floats(1e-9, 1e6))
def test_a_printed_number_is_its_value_to_half_a_unit_and_its_error_to_a_digit(value, error):
    assume(error > 1e-12 * abs(value))
    text = with_error(value, error)
    found = re.fullmatch(r"(-?\d+(?:\.(\d+))?)\((\d+)\)", text)
    assert found, text
    unit = 10.0 ** -len(found[2] or "")
    shown = int(found[3]) * unit
    assert abs(float(found[1]) - value) <= 0.5000001 * max(
        unit, 10.0 ** np.floor(np.log10(error))
    ) + 1e-9 * abs(value)
    assert abs(shown - error) <= 0.334 * error, text


@quick
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
        elements=st.floats(-1e300, 1e300),
    ),
    st.randoms(),
)
def test_exact_sums_know_no_order(blocks, rng):
    order = list(range(len(blocks)))
    rng.shuffle(order)
    comm = SerialCommunicator()
    a, b = exact_sum(comm, blocks, len(blocks)), exact_sum(comm, blocks[order], len(blocks))
    assert a.tobytes() == b.tobytes()
    assert (
        np.abs(a - blocks.sum(axis=0)) <= 1e-14 * len(blocks) * np.abs(blocks).max(axis=0)
    ).all()


@quick
@given(arrays(np.float64, 50, elements=st.floats(-1.0, 1.0)), st.floats(1e-3, 1e3))
def test_a_training_that_stays_within_its_spread_never_diverges(energies, spread):
    trend = Trend()
    for energy in energies:
        trend.check(spread * energy, spread**2, 20.0)
    try:
        trend.check(
            trend.low + 21.0 * max(trend.low_spread, 1e-6 * max(1.0, abs(trend.low))),
            spread**2,
            20.0,
        )
    except DivergedError:
        return
    raise AssertionError("21 standard deviations above the lowest must count as divergence")
