"""The exact sum: any distribution of blocks, any number of them, any numbers."""

from math import fsum

import numpy as np
import pytest

from vmcnet.kernels.numba_sum import add_shares, largest_exponents
from vmcnet.parallel.communicators import SerialCommunicator, owned_blocks
from vmcnet.parallel.exact_sum import NONFINITE, ZERO, bounded_sum, exact_sum, exponents


class Ranks:
    """Several ranks in one process: every collective is computed from all ranks' arguments."""

    def __init__(self, shares):
        self.shares = shares

    def exact_sum(self, blocks):
        def run(values, operation):
            return operation.reduce(np.stack(values), axis=0)

        class Probe(Exception):
            pass

        results = []
        recorded = {"max": [], "sum": []}

        class Recorder(SerialCommunicator):
            def reduce_max(self, x):
                recorded["max"].append(x)
                raise Probe

        for share in self.shares:
            with pytest.raises(Probe):
                exact_sum(Recorder(), share, blocks)
        top = run(recorded["max"], np.maximum)

        class Second(SerialCommunicator):
            def reduce_max(self, x):
                return top

            def reduce_sum(self, x):
                recorded["sum"].append(x)
                raise Probe

        for share in self.shares:
            with pytest.raises(Probe):
                exact_sum(Second(), share, blocks)
        total = run(recorded["sum"], np.add)

        class Third(SerialCommunicator):
            def reduce_max(self, x):
                return top

            def reduce_sum(self, x):
                return total

        return results + [exact_sum(Third(), share, blocks) for share in self.shares]


@pytest.mark.parametrize("blocks", [1, 3, 64, 1000, 1024, 1025, 3000])
def test_same_bits_for_any_distribution_and_close_to_the_true_sum(blocks):
    rng = np.random.default_rng(blocks)
    x = rng.normal(size=(blocks, 7)) * 10.0 ** rng.integers(-12, 12, size=(1, 7))
    expected = exact_sum(SerialCommunicator(), x, blocks)
    scale = np.abs(x).max(axis=0)
    truth = np.array([float(np.sum(x[:, k].astype(np.longdouble))) for k in range(7)])
    assert np.all(np.abs(expected - truth) <= 1e-12 * scale * max(1, blocks) ** 0.5)
    for size in (2, 3, 4, 8):
        if size > blocks:
            continue
        shuffled = rng.permutation(blocks)
        shares = [x[shuffled[list(owned_blocks(r, size, blocks))]] for r in range(size)]
        for result in Ranks(shares).exact_sum(blocks):
            assert result.tobytes() == expected.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_gives_nan_in_its_element_alone(bad):
    x = np.ones((4, 3))
    x[2, 1] = bad
    result = exact_sum(SerialCommunicator(), x, 4)
    assert np.isnan(result[1]) and result[0] == 4.0 and result[2] == 4.0


def test_denormals_zeros_and_the_largest_numbers():
    tiny = 5e-324
    assert exact_sum(SerialCommunicator(), np.array([[tiny, 0.0], [tiny, 0.0]]), 2).tolist() == [
        2 * tiny,
        0.0,
    ]
    big = np.finfo(float).max / 4
    assert exact_sum(SerialCommunicator(), np.full((3, 1), big), 3)[0] == pytest.approx(
        3 * big, rel=1e-15
    )
    assert exact_sum(SerialCommunicator(), np.full((1000, 1), 1.0), 1000)[0] == 1000.0


@pytest.mark.parametrize("limbs", [1, 2])
def test_the_compiled_pass_is_its_plain_twin(limbs):
    rng, bits = np.random.default_rng(limbs), 52
    share = np.append(
        rng.normal(size=(3, 100)) * 10.0 ** rng.integers(-15, 1, size=(3, 100)),
        np.full((3, 1), 5e-324),
        axis=1,
    )
    shift = np.append(np.frexp(np.abs(share).max(axis=0))[1][:100] * -1 + bits, 1023)
    factor, total, twin = (
        np.ldexp(1.0, shift),
        np.zeros((limbs, 101), np.int64),
        np.zeros((limbs, 101), np.int64),
    )
    factor[7] = 0.0
    for x in share:
        assert add_shares(x[None], factor, 2.0**bits, total)
        scaled = np.ldexp(np.where(factor > 0, x, 0.0), shift)
        high = np.rint(scaled)
        for limb, part in zip(twin, (high, np.rint(np.ldexp(scaled - high, bits))), strict=False):
            limb += part.astype(np.int64)
    assert np.array_equal(total, twin) and total.any(axis=1).all() and not total[:, 7].any()
    for bad in (np.nan, np.inf, 2.0 ** (bits + 1)):
        assert not add_shares(
            np.array([[0.0, bad]]), np.ones(2), 2.0**bits, np.zeros((limbs, 2), np.int64)
        )


def test_exponents_are_those_of_frexp():
    rng = np.random.default_rng(3)
    bound = np.append(2.0 ** rng.uniform(-1073, 1023, 200), [0.0, 5e-324, 1.0, np.inf, np.nan])
    known = np.where(bound == 0.0, ZERO, np.frexp(np.where(bound < np.inf, bound, 0.0))[1] + 1)
    assert np.array_equal(exponents(bound), np.where(bound < np.inf, known, NONFINITE))
    sums = np.append(
        rng.normal(size=(4, 200)) * 2.0 ** rng.integers(-1060, 1020, size=(1, 200)),
        np.zeros((4, 3)),
        axis=1,
    )
    sums[:, 200] = 5e-324, -2.2250738585072014e-308, 0.0, 1e-310
    sums[2, 201] = -np.inf
    out = np.full(203, ZERO)
    largest_exponents(sums.view(np.int64), np.zeros(len(out), np.int64), ZERO, NONFINITE, out)
    twin = np.where(sums == 0.0, ZERO, np.frexp(np.where(np.isfinite(sums), sums, 0.0))[1])
    assert np.array_equal(out, np.where(np.isfinite(sums), twin, NONFINITE).max(axis=0))
    assert (
        out[200] == -1021
        and out[201] == NONFINITE
        and out[202] == ZERO
        and (np.abs(sums[:, :200]) < 2.0**-1022).any()
    )


@pytest.mark.parametrize("limbs", [1, 2])
def test_numbers_of_any_size_are_scaled_alike(limbs):
    """Powers of two of the exponents, and what they are at the ends of the range: one element of
    that size sends all of them through the other route.
    """
    rng, blocks = np.random.default_rng(4), 8
    x = rng.normal(size=(blocks, 50)) * 2.0 ** rng.integers(-300, 300, size=50)
    x[:, 7], x[3, 8] = 0.0, np.nan
    ends = np.append(x, rng.normal(size=(blocks, 2)) * [2.0**-1060, 2.0**1000], axis=1)
    comm = SerialCommunicator()
    sums = [
        bounded_sum(comm, y, exponents(np.abs(y).max(axis=0)), blocks, limbs) for y in (x, ends)
    ]
    np.testing.assert_array_equal(sums[0], sums[1][:50])
    true = [fsum(column) for column in ends.T]
    assert np.isnan(true[8]) and np.isnan(sums[1][8])
    np.testing.assert_allclose(sums[1], true, rtol=1e-12)
    if limbs == 2:
        np.testing.assert_allclose(sums[0], true[:50], rtol=1e-15)


def test_a_share_beyond_its_exponent_is_refused():
    for bad in (5.0, np.nan):
        with pytest.raises(ValueError, match="beyond its exponent"):
            bounded_sum(
                SerialCommunicator(), [np.array([1.0, bad])], exponents(np.array([1.0, 1.0])), 1, 2
            )
