"""The binary machine against the sum over its hidden units, against itself in 0/1 units, against
differences of the exact energy.
"""

from itertools import product

import numpy as np
import pytest

from tests.spins import amplitudes, exact_energy, lattice_cases, made, sector, states, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.estimators.energy import centred, local_energies
from vmcnet.estimators.gradient import block_gradient
from vmcnet.systems import Heisenberg, QuantumDot, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM

CHAIN = TransverseIsing([5])
VARIANTS = {
    "real": {},
    "complex": {"weights": "complex"},
    "symmetric": {"symmetric": True, "alpha": 2},
    "point group": {"symmetric": True, "point_group": True},
    "binary": {"units": "binary"},
    "complex symmetric binary": {
        "weights": "complex",
        "symmetric": True,
        "alpha": 2,
        "units": "binary",
    },
}


def values_of(psi, theta):
    """a, b, W (complex where they are), filters spread over translations and reflections of the
    chain by hand.
    """
    v = psi.layout.values(theta)
    a, b, w = (
        v[k] + (1j * v[k + "_imaginary"] if psi.complex else 0) for k in ("a", "b", "weights")
    )
    if np.ndim(a) == 0:
        n = psi.particles
        images = [
            np.roll(image, g)
            for filter_ in w.T
            for image in (filter_, filter_[::-1])[: len(psi._group) // n]
            for g in range(n)
        ]
        a, b, w = np.full(n, a), np.repeat(b, len(psi._group)), np.stack(images, axis=1)
    return a, b, w


@pytest.mark.parametrize("name", VARIANTS)
def test_sum_over_hidden_units(name):
    psi = BinaryRBM(CHAIN, **VARIANTS[name], spread=0.4)
    theta = psi.start(Stream(2, 0, 0, 0))
    a, b, w = values_of(psi, theta)
    s, binary = states(5), psi.units == "binary"
    visible = (1 + s) / 2 if binary else s
    hidden = np.array(list(product([0, 1] if binary else [1, -1], repeat=len(b))))
    exact = np.exp(visible @ a) * np.exp(hidden @ (b[:, None] + w.T @ visible.T)).sum(axis=0)
    log = psi.bind(theta).log(walkers_of(s).r, s)
    ratio = np.exp(log) / exact
    np.testing.assert_allclose(ratio, 2.0 ** (0 if binary else -len(b)), rtol=1e-12)


@pytest.mark.parametrize("name", VARIANTS)
def test_log_derivatives(name):
    psi = BinaryRBM(CHAIN, **VARIANTS[name], spread=0.4)
    theta, s = psi.start(Stream(2, 0, 0, 0)), states(5)
    bound, step = psi.bind(theta), 1e-5
    o = bound.log_derivatives(walkers_of(s))
    for k in range(0, psi.layout.size, 3):
        e = step * np.eye(psi.layout.size)[k]
        difference = (
            psi.bind(theta + e).log(walkers_of(s).r, s)
            - psi.bind(theta - e).log(walkers_of(s).r, s)
        ) / (2 * step)
        np.testing.assert_allclose(o[:, k], difference, atol=1e-8)
    weights = np.random.default_rng(1).normal(size=len(s)) + (
        1j if psi.complex else 0
    ) * np.random.default_rng(2).normal(size=len(s))
    np.testing.assert_allclose(bound.contracted(walkers_of(s), weights), weights @ o, atol=1e-12)


@pytest.mark.parametrize(
    ("extent", "point_group", "count"),
    [([3, 4], False, 12), ([3, 4], True, 48), ([4, 4], True, 128)],
)
def test_symmetric_is_invariant(extent, point_group, count):
    system = TransverseIsing(extent)
    psi = BinaryRBM(system, alpha=3, symmetric=True, point_group=point_group, spread=0.5)
    group = system.lattice.space_group if point_group else system.lattice.translations
    assert len(group) == count
    theta, s = psi.start(Stream(1, 0, 0, 0)), system.start(Stream(2, 0, 0, 0), 20).s
    log = psi.bind(theta).log(walkers_of(s).r, s)
    for g in group:
        np.testing.assert_allclose(psi.bind(theta).log(walkers_of(s).r, s[:, g]), log, rtol=1e-12)


@pytest.mark.parametrize("name", ["real", "complex", "symmetric", "point group", "binary"])
@pytest.mark.parametrize(
    "system", [made(TransverseIsing, [5], field=0.8), made(Heisenberg, [6], second=0.4)]
)
def test_gradient_is_that_of_the_exact_energy(name, system):
    """Every configuration once, weighted by |psi|^2 through copies of the estimator's own weights:
    F against central differences to 1e-7.
    """
    psi = BinaryRBM(system, **VARIANTS[name], spread=0.3)
    theta, s = psi.start(Stream(3, 0, 0, 0)), sector(system)
    bound, walkers = psi.bind(theta), walkers_of(s)
    probability = np.abs(amplitudes(psi, theta, s)) ** 2
    probability /= probability.sum()
    energies = local_energies(system.terms, walkers, bound)
    mean = (probability * energies.total).sum()
    assert (
        mean.real == pytest.approx(exact_energy(system, psi, theta), rel=1e-12)
        and abs(mean.imag) < 1e-12
    )
    gradient = block_gradient(walkers, bound, centred(energies.total, mean) * probability, 1)
    step = 2e-4
    for k in range(0, psi.layout.size, 4):
        e = step * np.eye(psi.layout.size)[k]
        near, far = (
            (exact_energy(system, psi, theta + h * e) - exact_energy(system, psi, theta - h * e))
            / (2 * h * step)
            for h in (1, 2)
        )
        assert gradient[k] == pytest.approx((4 * near - far) / 3, abs=1e-7)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BinaryRBM(CHAIN, alpha=0.3), "whole number"),
        (lambda: BinaryRBM(CHAIN, alpha=1.5, symmetric=True), "whole number"),
        (lambda: BinaryRBM(CHAIN, weights="r"), "'real' or 'complex'"),
        (lambda: BinaryRBM(CHAIN, units="both"), "'both': expected 'spin' or"),
        (lambda: BinaryRBM(TransverseIsing([5], periodic=False), symmetric=True), "translations"),
        (lambda: BinaryRBM(QuantumDot(2)), "spins on a lattice"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_cases_cover_both_kinds_of_space():
    assert {case.magnetisation for case in lattice_cases().values()} >= {None, 0, 1}
