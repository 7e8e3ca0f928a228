"""Compiled random numbers and Metropolis decisions against their plain twins."""

import numpy as np
import pytest

from vmcnet import kernels
from vmcnet.kernels import cpu, plain
from vmcnet.sampling.metropolis import decided


def test_normals():
    """Within rounding of Box and Muller in extended precision, at the ends of the words' range too;
    float32 is the rounded float64.
    """
    rng = np.random.default_rng(4)
    ends = np.array(
        [0, 2**64 - 1, 2**11, 2**63, 2**63 - 2**11, 2**64 - 2**12, 2**62, 3 * 2**62], np.uint64
    )
    words = np.concatenate(
        [
            rng.integers(0, 2**64, 5000, np.uint64),
            np.repeat(ends, 8),
            rng.integers(0, 2**64, 5000, np.uint64),
            np.tile(ends, 8),
        ]
    )
    found, known = cpu.normals(words, np.float64), plain.normals(np, words, np.float64)
    np.testing.assert_allclose(found, known, rtol=2e-15, atol=2e-15)
    u = plain.uniforms(np, words, np.float64)
    assert np.array_equal(cpu.uniforms(words, np.float64), u) and np.array_equal(
        cpu.uniforms(words, np.float32), u.astype(np.float32)
    )
    radius, angle = (
        np.sqrt(-2 * np.log(u[: len(u) // 2].astype(np.longdouble))),
        (2 * np.pi * u[len(u) // 2 :]).astype(np.longdouble),
    )
    exact = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    assert (
        np.abs(found - exact) <= 4 * np.finfo(float).eps * np.maximum(np.abs(exact), 2.0**-60)
    ).all()
    assert np.array_equal(cpu.normals(words, np.float32), found.astype(np.float32))


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_metropolis_step(dtype):
    """The same decisions, counts and walkers, to the bit; psi = 0 and NaN at either end."""
    rng = np.random.default_rng(5)
    real = np.float32 if dtype == np.float32 else np.float64
    log, trial_log = rng.normal(size=(2, 60)).astype(real)
    log[:4], trial_log[2:8] = (
        [-np.inf, np.nan, -np.inf, 0],
        [-np.inf, np.nan, -np.inf, np.nan, np.inf, 0],
    )
    if dtype == np.complex128:
        log, trial_log = log + 1j * rng.normal(size=60), trial_log + 1j * rng.normal(size=60)
    r, trial = rng.normal(size=(2, 60, 3, 2)).astype(real)
    thresholds, known = np.log(rng.uniform(size=60)).astype(real), {}
    for ratio in (0.0, rng.normal(size=60).astype(real)):
        for name, own in (("plain", kernels.Kernels(np)), ("compiled", kernels.Kernels(np, cpu))):
            counts = np.zeros((2, 60), np.int64)
            out = decided(own, thresholds, r.copy(), log.copy(), trial, trial_log, ratio, *counts)
            known[name] = [*out, counts]
        assert 0 < known["plain"][2].sum() < 60 and known["plain"][3][1].sum() >= 3
        for a, b in zip(known["plain"], known["compiled"], strict=True):
            assert a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
