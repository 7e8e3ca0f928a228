"""Every wavefunction against its formula, its derivatives against differences, its cusps, and what
it refuses.
"""

from itertools import permutations

import numpy as np
import pytest

from tests.calculus.differences import check_direction, check_jet
from vmcnet.backend.stream import Stream
from vmcnet.systems import QuantumDot, TrappedBosons
from vmcnet.systems.base import System
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import FeedForward, GaussianEnvelope, GaussianRBM, PadeJastrow

WIDE = np.longdouble


class Electrons(System):
    """Electrons of both spins, which no system of this version has: for the pair factors."""

    def __init__(self, spins, dimensions):
        self.particles, self.dimensions, self.spins, self.length = (
            len(spins),
            dimensions,
            np.array(spins, np.int8),
            1.3,
        )


ONE, DOT, DOT3, BOSONS = (
    QuantumDot(1, 0.8),
    QuantumDot(2, 0.7),
    QuantumDot(2, 1.3, 3),
    TrappedBosons(4, 0.5, 1),
)
FOUR = Electrons([1, -1, 1, 1], 3)


def rbm(system, form):
    return GaussianRBM(system, 3, form, spread=0.4)


def rbm_formula(psi, v, r, s):
    x, sigma2 = r.reshape(len(r), -1), v["width"] ** 2
    hidden = v["b"] + x @ v["weights"] / sigma2
    log = -((x - v["a"]) ** 2).sum(axis=1) / (2 * sigma2) + np.log1p(np.exp(hidden)).sum(axis=1)
    return log / 2 if psi.form == "sqrtF" else log


def symmetric_rbm_formula(psi, v, r, s):
    """Every ordered pair of particles has a hidden unit of every filter."""
    sigma2, n, total = v["width"] ** 2, r.shape[1], 0
    for i in range(n):
        total = total - ((r[:, i] - v["a"]) ** 2).sum(axis=1) / (2 * sigma2)
        for k in range(n):
            if k != i:
                unit = r[:, i] @ v["first"] + r[:, k] @ v["second"] + r.sum(axis=1) @ v["all"]
                total = total + np.log1p(np.exp(v["b"] + unit / sigma2)).sum(axis=1)
    return total / 2 if psi.form == "sqrtF" else total


def envelope_formula(psi, v, r, s):
    return -v["alpha"] * (r**2).sum(axis=(1, 2))


def jastrow_formula(psi, v, r, s):
    total, d = 0, r.shape[2]
    for i in range(r.shape[1]):
        for j in range(i):
            distance = np.sqrt(((r[:, i] - r[:, j]) ** 2).sum(axis=1))
            like = s[:, i] == s[:, j]
            beta = np.where(like, v.get("beta_like", 1), v.get("beta_unlike", 1))
            total = total + np.where(like, WIDE(1) / (d + 1), WIDE(1) / (d - 1)) * distance / (
                1 + beta * distance
            )
    return total


ACTIVATIONS = {
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "logcosh": lambda x: np.log(np.cosh(x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}


def network_formula(psi, v, r, s):
    """The network particle by particle and pair by pair."""
    f, x, n = ACTIVATIONS[psi.networks[0].activation], r / psi._length, r.shape[1]

    def dense(prefix, h):
        k = 1
        while f"{prefix}weights{k}" in v:
            new = f(h @ v[f"{prefix}weights{k}"] + v[f"{prefix}bias{k}"])
            h, k = h + new if psi.networks[0].skip and h.shape == new.shape else new, k + 1
        return h

    features = []
    for i in range(n):
        for j in range(i + 1, n):
            apart = x[:, i] - x[:, j]
            distance = np.sqrt((apart**2).sum(axis=-1, keepdims=True))
            features.append(np.concatenate([x[:, i] + x[:, j], apart**2 / (1 + distance)], axis=-1))
    if psi.symmetric:
        h = sum(dense("", x[:, i]) for i in range(n)) / n
        if psi.pairs:
            h = np.concatenate(
                [h, sum(dense("pair_", y) for y in features) / len(features)], axis=-1
            )
        h = dense("head_", h)
    else:
        h = dense(
            "",
            np.concatenate([x[:, i] for i in range(n)] + (features if psi.pairs else []), axis=-1),
        )
    return n * (h @ v["last_weights"])[:, 0]


def product_formula(psi, v, r, s):
    formulas = {
        "rbm": rbm_formula,
        "jastrow": jastrow_formula,
        "envelope": envelope_formula,
        "network": network_formula,
    }
    return sum(
        formulas[n](
            f, {k.removeprefix(n + "."): x for k, x in v.items() if k.startswith(n + ".")}, r, s
        )
        for n, f in zip(psi.names, psi.factors, strict=True)
    )


CASES = {
    "rbm F": (DOT, rbm(DOT, "F"), rbm_formula),
    "rbm sqrtF": (BOSONS, rbm(BOSONS, "sqrtF"), rbm_formula),
    "rbm, symmetric": (
        FOUR,
        GaussianRBM(FOUR, 3, spread=0.3, symmetric=True),
        symmetric_rbm_formula,
    ),
    "rbm, symmetric sqrtF": (
        BOSONS,
        GaussianRBM(BOSONS, 2, "sqrtF", spread=0.3, symmetric=True),
        symmetric_rbm_formula,
    ),
    "envelope 2D": (DOT, GaussianEnvelope(DOT), envelope_formula),
    "envelope 1D": (BOSONS, GaussianEnvelope(BOSONS, 0.4), envelope_formula),
    "jastrow 2D": (DOT, PadeJastrow(DOT, 0.6), jastrow_formula),
    "jastrow 3D, both kinds": (FOUR, PadeJastrow(FOUR, 0.8), jastrow_formula),
    "network": (DOT, FeedForward(DOT, [5, 4]), network_formula),
    "network of one particle": (ONE, FeedForward(ONE, [3], "softplus"), network_formula),
    "network, skip, pairs": (
        DOT3,
        FeedForward(DOT3, [4, 4, 4], "silu", skip=True, pairs=True),
        network_formula,
    ),
    "network, symmetric": (
        BOSONS,
        FeedForward(BOSONS, [4, 3], "gelu", symmetric=True),
        network_formula,
    ),
    "network, symmetric, pairs, head": (
        FOUR,
        FeedForward(FOUR, [4], "logcosh", symmetric=True, pairs=True, head=[5, 5], skip=True),
        network_formula,
    ),
    "envelope x network x jastrow": (
        DOT,
        GaussianEnvelope(DOT) * FeedForward(DOT, [6], "logistic") * PadeJastrow(DOT),
        product_formula,
    ),
    "rbm x jastrow": (DOT3, rbm(DOT3, "F") * PadeJastrow(DOT3), product_formula),
    "envelope x jastrow x rbm": (
        FOUR,
        GaussianEnvelope(FOUR) * PadeJastrow(FOUR) * rbm(FOUR, "sqrtF"),
        product_formula,
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    system, psi, formula = CASES[request.param]
    theta = psi.start(Stream(5, 0, 0, 0)) + np.random.default_rng(2).normal(0, 0.1, psi.layout.size)
    walkers = Walkers(
        np.random.default_rng(4).normal(0, system.length, (6, system.particles, system.dimensions)),
        system.labels(6),
    )

    def log(r=walkers.r, theta=theta):
        s = np.resize(walkers.s, (len(r), system.particles))
        return formula(psi, psi.layout.values(theta.astype(WIDE)), r.astype(WIDE), s)

    return psi, theta, walkers, log


def test_value_and_jet(case):
    psi, theta, walkers, log = case
    bound = psi.bind(theta)
    np.testing.assert_allclose(bound.log(walkers.r, walkers.s), log().astype(float), rtol=1e-13)
    check_jet(log, walkers.r, *bound.jet(walkers))


def test_drift(case):
    psi, theta, walkers, _ = case
    bound = psi.bind(theta)
    np.testing.assert_allclose(
        bound.drift(walkers.r, walkers.s).reshape(6, -1).T,
        bound.jet(walkers)[1],
        rtol=1e-11,
        atol=1e-13,
    )


def test_log_derivatives(case):
    psi, theta, walkers, log = case
    way, weights = (
        np.random.default_rng(6).normal(size=theta.size),
        np.random.default_rng(7).normal(size=6),
    )
    o = psi.bind(theta).log_derivatives(walkers)
    assert o.shape == (6, psi.layout.size)
    check_direction(lambda t: log(theta=theta.astype(WIDE) + t * way), o @ way, "parameters")
    np.testing.assert_allclose(
        psi.bind(theta).contracted(walkers, weights), weights @ o, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("dimensions", "spins", "slope"),
    [(2, [1, -1], 1.0), (2, [1, 1], 1 / 3), (3, [1, -1], 0.5), (3, [-1, -1], 0.25)],
)
def test_cusp(dimensions, spins, slope):
    """d log psi / d r12 at contact: 1/(d-1) antiparallel, 1/(d+1) parallel."""
    system = Electrons(spins, dimensions)
    psi = PadeJastrow(system, beta=0.4)
    r = np.zeros((1, 2, dimensions))
    r[0, 1, 0] = 1e-7
    bound = psi.bind(psi.start(Stream(0, 0, 0, 0)))
    assert bound.log(r, system.labels(1))[0] / 1e-7 == pytest.approx(slope, rel=1e-6)
    assert bound.jet(Walkers(r, system.labels(1)))[1][dimensions, 0] == pytest.approx(
        slope, rel=1e-6
    )


def test_cusp_cancels_the_coulomb_divergence():
    """At contact the local energy stays finite only with the right slope."""
    psi = GaussianEnvelope(DOT) * PadeJastrow(DOT)
    bound = psi.bind(psi.start(Stream(0, 0, 0, 0)))
    energies = []
    for distance in (1e-3, 1e-5):
        r = np.full((1, 2, 2), 0.3)
        r[0, 1, 0] += distance
        walkers = Walkers(r, DOT.labels(1))
        energies.append(sum(term.local(walkers, bound)[0] for term in DOT.terms.values()))
    assert abs(energies[1] - energies[0]) < 0.01 and abs(energies[0]) < 10


def test_start_is_the_oscillator():
    for form, width in (("F", 1 / np.sqrt(0.7)), ("sqrtF", 1 / np.sqrt(1.4))):
        psi = GaussianRBM(DOT, 2, form)
        values = psi.layout.values(psi.start(Stream(1, 0, 0, 0)))
        assert values["width"] == pytest.approx(width)
        assert np.all(np.abs(values["weights"]) < 0.1) and np.any(values["weights"] != 0)


def test_sqrt_form_is_half_the_log():
    f, root = rbm(DOT, "F"), rbm(DOT, "sqrtF")
    theta = f.start(Stream(1, 0, 0, 0))
    r = np.random.default_rng(0).normal(size=(5, 2, 2))
    np.testing.assert_allclose(
        root.bind(theta).log(r, DOT.labels(5)),
        0.5 * f.bind(theta).log(r, DOT.labels(5)),
        rtol=1e-15,
    )


@pytest.mark.parametrize("pairs", [False, True])
def test_symmetric_network(pairs):
    """Every permutation of the particles leaves psi unchanged; the network of all coordinates is
    not symmetric.
    """
    r = np.random.default_rng(1).normal(size=(6, 4, 1))
    for symmetric, least, most in ((True, 0.0, 1e-14), (False, 1e-3, np.inf)):
        psi = FeedForward(BOSONS, [8, 8], symmetric=symmetric, pairs=pairs, spread=1.0)
        bound = psi.bind(psi.start(Stream(3, 0, 0, 0)))
        logs = [bound.log(r[:, list(order)], BOSONS.labels(6)) for order in permutations(range(4))]
        assert least <= np.abs(np.array(logs) - logs[0]).max() <= most


def test_symmetric_machine():
    r = np.random.default_rng(1).normal(size=(6, 4, 1))
    for symmetric, least, most in ((True, 0.0, 1e-13), (False, 1e-3, np.inf)):
        psi = GaussianRBM(BOSONS, 3, spread=0.5, symmetric=symmetric)
        bound = psi.bind(psi.start(Stream(3, 0, 0, 0)))
        logs = [bound.log(r[:, list(order)], BOSONS.labels(6)) for order in permutations(range(4))]
        assert least <= np.abs(np.array(logs) - logs[0]).max() <= most
    with pytest.raises(ValueError, match="at least 2 particles"):
        GaussianRBM(ONE, symmetric=True)


def test_pair_features_keep_the_cusp():
    """At contact the slope of a network with pair features is zero, so that the Jastrow factor's
    cusp stays exact.
    """
    psi = FeedForward(DOT3, [8], symmetric=True, pairs=True, spread=1.0)
    bound = psi.bind(psi.start(Stream(3, 0, 0, 0)))
    r = np.full((4, 2, 3), 0.4)
    r[:, 0] -= [[0, 0, 0], [1e-4, 0, 0], [0, 1e-3, 0], [1e-3, 0, 0]]
    r[:, 1] += r[0, 0] - r[:, 0]  # the centre of mass stays
    r[0, 1, 0] += 1e-12  # at r_ij = 0 itself the norm has no derivative
    log = bound.log(r, DOT3.labels(4))
    assert abs(log[3] - log[0]) / abs(log[1] - log[0]) == pytest.approx(100, rel=0.02)


def test_names_in_products():
    psi = GaussianRBM(DOT, 1) * PadeJastrow(DOT) * GaussianRBM(DOT, 2)
    assert psi.names == ["rbm1", "jastrow", "rbm2"]
    assert list(psi.layout.entries)[:2] == ["rbm1.a", "rbm1.b"] and psi.layout.entries[
        "rbm2.weights"
    ].shape == (4, 2)
    with pytest.raises(ValueError, match="different systems"):
        GaussianRBM(DOT, 1) * GaussianRBM(DOT3, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PadeJastrow(Electrons([1, -1], 1)), "1 dimension"),
        (lambda: PadeJastrow(QuantumDot(1)), "at least 2 particles"),
        (lambda: PadeJastrow(DOT, 0.0), "beta must be above 0"),
        (lambda: GaussianEnvelope(DOT, -1.0), "alpha must be above 0"),
        (lambda: GaussianRBM(DOT, 0), "hidden must be at least 1"),
        (lambda: GaussianRBM(DOT, 1, "f"), "expected 'F' or"),
        (lambda: FeedForward(DOT, [4], "relu"), "'relu': expected one of gelu, logcosh"),
        (lambda: FeedForward(DOT, []), "at least one layer"),
        (lambda: FeedForward(DOT, [4, 0]), r"layers.1. must be at least 1"),
        (lambda: FeedForward(DOT, [4], head=[3]), "no meaning without symmetric"),
        (lambda: FeedForward(DOT, [5, 3], skip=True), "no layer keeps the width"),
        (lambda: FeedForward(ONE, [4], pairs=True), "at least 2 particles"),
        (lambda: QuantumDot(2, dimensions=1), "1 dimension"),
        (lambda: QuantumDot(6, spin_projection=0.5), "spin_projection 0.5 of 6 electrons"),
        (lambda: QuantumDot(3, spin_projection=2.5), "between -1.5 and 1.5"),
        (lambda: PadeJastrow(QuantumDot(2, interaction="none")), "finite at contact"),
        (lambda: QuantumDot(2, omega=0.0), "omega"),
        (lambda: TrappedBosons(0), "at least 1"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
