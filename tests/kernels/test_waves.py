"""Compiled sine and cosine."""

from fractions import Fraction

import numpy as np
import pytest

from vmcnet.kernels import cpu, numba_waves, plain

PI = Fraction(
    314159265358979323846264338327950288419716939937510582097494459230781640628620899, 10**80
)


def points():
    rng = np.random.default_rng(1)
    near = np.arange(-40, 41) * (np.pi / 4)
    near = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
    return np.concatenate(
        [near, rng.uniform(-10, 10, 4000), 10.0 ** rng.uniform(-300, 6, 4000), [0.0, -0.0]]
    )


def exact(x):
    """sin and cos of one double, by series of rational numbers."""
    x = Fraction(float(x))
    k = round(x / (PI / 2))
    r = x - k * PI / 2
    r = Fraction(round(r * 2**200), 2**200) if abs(r) > Fraction(1, 2**60) else r
    sine, cosine, term = Fraction(0), Fraction(0), Fraction(1)
    for n in range(30):
        term = term if n == 0 else term * r / n
        part = (term, term, -term, -term)[n % 4]
        if n % 2:
            sine += part
        else:
            cosine += part
    return [(sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine)][k % 4]


def test_within_two_units_in_the_last_place():
    x = np.concatenate([points()[::40], np.array([1e6, 31415.9265, 22.0, 355.0, 103993.0])])
    sine, cosine = cpu.sine_cosine(x)
    for k, value in enumerate(x):
        for found, known in zip((sine[k], cosine[k]), exact(value), strict=True):
            unit = np.spacing(abs(float(known)))
            assert abs(Fraction(float(found)) - known) <= 2 * Fraction(float(unit)), value


def test_equal_to_numpy_up_to_rounding():
    x = points()
    for found, known in zip(cpu.sine_cosine(x), plain.sine_cosine(np, x), strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-15, atol=5e-16)
    one = cpu.sine_cosine(x.reshape(-1, 1)[::2])[0]
    assert one.shape == (len(x[::2]), 1)


def test_bits_do_not_depend_on_the_place():
    x = points()[:1003]
    whole = cpu.sine_cosine(x)
    for part in (slice(1, 2), slice(3, 11), slice(500, 1003)):
        for a, b in zip(cpu.sine_cosine(x[part].copy()), whole, strict=True):
            assert np.array_equal(a, b[part])


def test_large_arguments_not_a_number_and_float32():
    x = np.array([1.0, 3.0 * numba_waves.LARGEST, 1e300])
    for found, known in zip(cpu.sine_cosine(x), (np.sin(x), np.cos(x)), strict=True):
        np.testing.assert_array_equal(found, known)
    odd = np.array([0.5, np.nan, 2.0])
    with np.errstate(invalid="ignore"):
        sine, cosine = cpu.sine_cosine(odd)
        assert np.isnan(sine[1]) and np.isnan(cosine[1]) and sine[2] == np.sin(2.0)
        assert np.isnan(cpu.sine_cosine(np.array([1.0, np.inf]))[0][1])
    narrow = x[:2].astype(np.float32)
    assert cpu.sine_cosine(narrow)[0].dtype == np.float32
    assert cpu.sine_cosine(np.array([-0.0]))[0][0] == 0.0


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (2, 3, 4)])
def test_shapes(shape):
    sine, cosine = cpu.sine_cosine(np.ones(shape))
    assert sine.shape == cosine.shape == shape
