"""Natural gradients: one direction by four ways, the metric against finite rotations of an
enumerated state, ranks, refusals.
"""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import Population
from vmcnet.engine.tangents import BlockTangents
from vmcnet.engine.training import train
from vmcnet.estimators.log_derivatives import LogDerivatives, stacked
from vmcnet.optimizers import SGD, SPRING, SR, SRCG, MinSR
from vmcnet.optimizers.natural_gradient import SingularMetric
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.sampling.defaults import default_sampler
from vmcnet.systems import QuantumDot, TransverseIsing, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import BinaryRBM, GaussianEnvelope, GaussianRBM, PadeJastrow
from vmcnet.wavefunctions.base import Wavefunction


class Network(Wavefunction):
    """Two dense layers used once, one used twice, a bias and a positive scale; complex: a phase of
    its own layer, and a layer of complex input.
    """

    name = "network"

    def __init__(self, system, complex_valued):
        self.particles, self.dimensions, self.complex_valued = (
            system.particles,
            system.dimensions,
            complex_valued,
        )
        n = system.particles * system.dimensions
        self.layout = (
            Layout()
            .add("scale", (), POSITIVE)
            .add("first", (n, 5))
            .add("bias", (5,))
            .add("second", (5, 3))
            .add("twice", (3, 3))
        )
        if complex_valued:
            self.layout.add("phase", (n, 4)).add("mixed", (4, 2))

    def initial(self, stream):
        values = {
            k: (0.2 if k in ("phase", "mixed") else 0.4) * stream.normal(e.shape)
            for k, e in self.layout.entries.items()
        }
        return {**values, "scale": 0.7}

    def log_psi(self, ops, theta, walkers):
        x = ops.flatten(walkers.r)
        y = ops.tanh(
            ops.affine(ops.tanh(ops.affine(x, theta["first"], theta["bias"])), theta["second"])
        )
        y = ops.affine(ops.tanh(ops.affine(y, theta["twice"])), theta["twice"])
        log = ops.sum(y, axis=-1) - ops.sum(x * x, axis=-1) * theta["scale"]
        if self.complex_valued:
            z = ops.affine(x, theta["phase"])
            log = log + ops.sum(ops.sin(ops.affine(ops.complex(z, z * z), theta["mixed"])), axis=-1)
        return None, log


DOT, RING = QuantumDot(2), TransverseIsing([6])
CASES = {
    "rbm x jastrow": (DOT, GaussianRBM(DOT, 3, spread=0.3) * PadeJastrow(DOT)),
    "network": (DOT, Network(DOT, False)),
    "complex network": (DOT, Network(DOT, True)),
    "machine": (RING, BinaryRBM(RING, spread=0.3)),
    "complex machine": (RING, BinaryRBM(RING, weights="complex", spread=0.3)),
}


def population(name, blocks=4, comm=None):
    system, psi = CASES[name]
    made = Population(
        system, psi, default_sampler(system, psi), comm or SerialCommunicator(), 1, 8 * blocks, 8
    )
    made.start()
    theta = psi.start(Stream(9, 0, 0, 0))
    return made, theta


def tangents(name, blocks=4):
    people, theta = population(name, blocks)
    summary, energies = people.advance(theta, 2, 0, 3, 0.5)
    return (
        people,
        people.tangents(theta, people.weights(summary, energies, None)),
        summary,
        energies,
        theta,
    )


def whole(matrix):
    """The lower triangle of a DealtMatrix that one rank has, zeros above."""
    out = np.zeros((matrix.size, matrix.size))
    for tile, rows in matrix.rows.items():
        out[matrix.span(tile), : rows.shape[1]] = rows
    return np.tril(out)


def direct(name, blocks=4):
    """X (N, P) and f (N,) from the dense log-derivatives of all walkers at once."""
    people, made, summary, energies, theta = tangents(name, blocks)
    psi = people.wavefunction.bind(theta)
    o = np.concatenate([psi.log_derivatives(w) for w in people.members.values()])
    e = np.concatenate([energies[b].total for b in people.own]) - summary.energy
    count = len(o)
    return (
        made,
        stacked((o - o.mean(axis=0)) / np.sqrt(count)),
        stacked((e - e.mean()) / np.sqrt(count)),
    )


@pytest.fixture(params=CASES)
def name(request):
    return request.param


SHIFTS = {
    "absolute": {"shift": 1e-3},
    "relative": {"shift": 0.0, "relative_shift": 1e-2},
    "both": {"shift": 1e-4, "relative_shift": 1e-2},
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_four_ways_to_one_direction(name, shift):
    made, x, f = direct(name)
    s, options = x.T @ x, SHIFTS[shift]
    d = np.diag(options["shift"] + options.get("relative_shift", 0.0) * np.diag(s))
    exact = np.linalg.solve(s + d, x.T @ f)
    size = np.abs(exact).max()
    np.testing.assert_allclose(made.gradient, 2 * x.T @ f, rtol=1e-9, atol=1e-11 * size)
    for method in (
        SR(**options),
        SRCG(**options, tolerance=1e-12, max_products=5000),
        MinSR(**options),
        SPRING(**options, momentum=0.9),
    ):
        found, _state, row = method.direction(made, method.start(made.size), 0)
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-8 * size, err_msg=method.name)
        assert row["direction_norm"] == pytest.approx(np.linalg.norm(exact), rel=1e-8)


def test_pieces_of_the_metric(name):
    made, x, f = direct(name, blocks=15)
    lower = np.tril_indices(made.size)
    np.testing.assert_allclose(
        whole(made.metric())[lower], (x.T @ x)[lower], rtol=1e-10, atol=1e-13
    )
    np.testing.assert_allclose(made.diagonal, np.diag(x.T @ x), rtol=1e-11, atol=1e-14)
    v = np.random.default_rng(0).normal(size=made.size)
    np.testing.assert_allclose(made.metric_product(v), x.T @ (x @ v), rtol=1e-9, atol=1e-12)
    # rows of X here: Re of all walkers, then Im; there: in every tile of 96 rows
    parts = 2 if made.dtype.kind == "c" else 1
    rows = np.arange(len(x)).reshape(parts, -1)
    cuts = range(0, rows.shape[1], 96 // parts)
    order = np.concatenate([rows[:, k : k + 96 // parts].ravel() for k in cuts])
    np.testing.assert_allclose(made.gathered(made.residuals()), f[order], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        made.gathered(made.product(v)), (x @ v)[order], rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(
        made.transposed(made.dealt(f[order])), x.T @ f, rtol=1e-9, atol=1e-11
    )
    below = np.tril_indices(len(x))
    for scale in (None, np.exp(v)):
        there = (x if scale is None else x * scale**2) @ x.T
        np.testing.assert_allclose(
            whole(made.gram(scale))[below],
            there[np.ix_(order, order)][below],
            rtol=1e-9,
            atol=1e-12,
        )


def test_only_dense_layers_met_once_stay_products():
    """With their biases: what is left for the Gram matrix are the columns of the other
    parameters.
    """
    expected = {
        "rbm x jastrow": ({"rbm.weights"}, {"rbm.a", "rbm.width", "jastrow.beta_unlike"}),
        "network": ({"first", "second"}, {"scale", "twice"}),
        "complex network": ({"first", "second", "phase", "mixed"}, {"scale", "twice"}),
        "machine": ({"weights"}, set()),
        "complex machine": ({"weights", "weights_imaginary"}, {"a_imaginary"}),
    }
    for name, (layers, rest) in expected.items():
        people, theta = population(name)
        psi = people.wavefunction.bind(theta)
        walkers = psi.renew(people.members[0])
        pieces = psi.log_derivative_pieces(walkers)
        entries = people.wavefunction.layout.entries.values()
        block = LogDerivatives.of(pieces)
        assert {
            e.name for e in entries for x in block.layers if e.slice == x.places[0][0]
        } == layers
        assert {
            e.name for e in entries for p in block.index if e.slice.start <= p < e.slice.stop
        } == rest
        np.testing.assert_allclose(block.built().columns, psi.log_derivatives(walkers), rtol=1e-13)


def test_two_biases_of_one_layer():
    """Their adjoints are one array; the layer takes one of them, the other one stays a column."""

    class Twice(Network):
        def __init__(self, system):
            super().__init__(system, False)
            self.layout = Layout().add("first", (4, 5)).add("bias", (5,)).add("other", (5,))

        def initial(self, stream):
            return {k: 0.4 * stream.normal(e.shape) for k, e in self.layout.entries.items()}

        def log_psi(self, ops, theta, walkers):
            x = ops.flatten(walkers.r)
            y = ops.affine(x, theta["first"], theta["bias"]) + theta["other"]
            return None, ops.sum(ops.tanh(y), axis=-1) - ops.sum(x * x, axis=-1)

    psi, rng = Twice(DOT), np.random.default_rng(2)
    bound = psi.bind(psi.start(Stream(2, 0, 0, 0)))
    walkers = Walkers(rng.normal(size=(12, 2, 2)), DOT.labels(12))
    block = LogDerivatives.of(bound.log_derivative_pieces(walkers))
    o, x = bound.log_derivatives(walkers), rng.normal(size=12)
    assert len(block.layers) == 1 and len(block.index) == 5
    np.testing.assert_array_equal(block.built().columns, o)
    np.testing.assert_allclose(block.contracted(x)[0], x @ o, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(block.squares()[0], (o * o).sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", ["network", "complex network"])
def test_metric_is_the_fubini_study_metric(name):
    """d^T S d = 1 - |<psi|psi'>|^2 to second order, on a space of 12 states whose weights |psi|^2
    are the integers of the walkers there.
    """
    system, psi = CASES[name]
    rng = np.random.default_rng(5)
    states, counts = rng.normal(size=(12, 2, 2)), np.array([1, 5, 2, 8, 3, 1, 4, 9, 2, 6, 4, 3])
    theta = psi.start(Stream(2, 0, 0, 0))
    labels, start = system.labels(12), psi.bind(theta).log(states, system.labels(12))

    def vector(step):
        value = np.sqrt(counts) * np.exp(psi.bind(theta + step).log(states, labels) - start.real)
        return value / np.linalg.norm(value)

    r = np.repeat(states, counts, axis=0).reshape(4, 12, 2, 2)
    made = BlockTangents(
        SerialCommunicator(),
        range(4),
        4,
        48,
        lambda: (
            LogDerivatives.of(
                psi.bind(theta).log_derivative_pieces(Walkers(r[b], system.labels(12)))
            )
            for b in range(4)
        ),
        {b: np.zeros(12) for b in range(4)},
    )
    metric, here = whole(made.metric()), vector(0.0)
    metric = metric + np.tril(metric, -1).T

    def distance(h, way):
        return (
            np.mean([1 - abs(np.vdot(here, vector(sign * h * way))) ** 2 for sign in (1, -1)])
            / h**2
        )

    for way in rng.normal(size=(6, psi.layout.size)):
        found = (4 * distance(5e-3, way) - distance(1e-2, way)) / 3
        assert way @ metric @ way == pytest.approx(found, rel=1e-4)


def test_momentum_follows_its_formula(name):
    """Minimum of |X d - f|^2 + shift |d - m d'|^2."""
    made, x, f = direct(name)
    method, previous = SPRING(1e-2, momentum=0.7), np.random.default_rng(1).normal(size=made.size)
    d, state, _ = method.direction(made, {"previous": previous}, 0)
    a = np.concatenate([x, 0.1 * np.eye(made.size)])
    np.testing.assert_allclose(
        d,
        np.linalg.lstsq(a, np.concatenate([f, 0.07 * previous]), rcond=None)[0],
        rtol=1e-8,
        atol=1e-10,
    )
    assert state["previous"] is d


def test_schedule_and_norm():
    made = direct("network")[0]
    method = MinSR(0.1, shift_decay=0.5, shift_floor=0.2)
    assert [method.factor(k) for k in range(4)] == [1.0, 0.5, 0.25, 0.2]
    later, _, row = method.direction(made, {}, 9)
    np.testing.assert_array_equal(later, MinSR(0.2 * 0.1).direction(made, {}, 0)[0])
    assert row["shift_factor"] == 0.2
    short, _, row = MinSR(0.1, max_norm=1e-3).direction(made, {}, 0)
    whole = MinSR(0.1).direction(made, {}, 0)[0]
    np.testing.assert_allclose(short, whole * 1e-3 / np.linalg.norm(whole), rtol=1e-13)
    assert row["direction_norm"] == np.sqrt((whole * whole).sum())


def test_conjugate_gradients_stop_at_their_tolerance():
    made, x, f = direct("network")
    method = SRCG(1e-3, tolerance=1e-8)
    d, state, first = method.direction(made, method.start(made.size), 0)
    right = x.T @ f
    residual = np.linalg.norm(right - x.T @ (x @ d) - 1e-3 * d) / np.linalg.norm(right)
    assert first["solver_residual"] == pytest.approx(residual, rel=1e-4) and residual <= 1e-8
    again, _, second = method.direction(made, state, 1)  # of the same walkers, whatever came before
    np.testing.assert_array_equal(again, d)
    assert second["solver_products"] == first["solver_products"] > 3
    few = SRCG(1e-3, tolerance=1e-8, max_products=3).direction(made, method.start(made.size), 0)[2]
    assert few["solver_products"] == 3 and few["solver_residual"] > 1e-8


def test_nothing_depends_on_what_is_kept(monkeypatch, name):
    """Blocks made anew at every use, columns exchanged in small parts, the metric in small tiles:
    directions stay.
    """
    methods = [SR(1e-3), SRCG(1e-3), MinSR(1e-3), MinSR(0.0, 1e-2)]
    kept = [m.direction(tangents(name)[1], m.start(tangents(name)[1].size), 0)[0] for m in methods]
    monkeypatch.setattr("vmcnet.engine.tangents.KEEP", 0)
    for m, d in zip(methods, kept, strict=True):
        np.testing.assert_array_equal(m.direction(tangents(name)[1], m.start(len(d)), 0)[0], d)
    monkeypatch.setattr("vmcnet.engine.gram.EXCHANGE", 2000)

    for m, d in zip(methods, kept, strict=True):
        np.testing.assert_allclose(
            m.direction(tangents(name)[1], m.start(len(d)), 0)[0],
            d,
            rtol=0,
            atol=1e-9 * np.abs(d).max(),
        )


def test_descent_on_an_oscillator():
    """One natural step of length 1/2 takes alpha of a Gaussian almost to its optimum: the energy is
    nearly quadratic in log alpha there.
    """
    bosons = TrappedBosons(2, 1.0, 2)
    result = train(
        bosons,
        GaussianEnvelope(bosons, 0.7),
        optimizer=SGD(0.5),
        natural_gradient=MinSR(1e-4),
        iterations=12,
        walkers=512,
        block=128,
        seed=2,
    )
    assert result.parameters["alpha"] == pytest.approx(0.5, abs=2e-3)
    assert result.series["energy"][-1] == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SR(-1.0), "shift"),
        (lambda: MinSR(0.0), "both 0"),
        (lambda: SR(relative_shift=-1.0), "relative_shift"),
        (lambda: MinSR(shift_decay=0.0), "shift_decay"),
        (lambda: MinSR(shift_floor=2.0), "shift_floor"),
        (lambda: MinSR(max_norm=0.0), "max_norm"),
        (lambda: SPRING(momentum=1.0), "momentum"),
        (lambda: SRCG(tolerance=0.0), "tolerance"),
        (lambda: SRCG(max_products=0), "max_products"),
        (lambda: SR(float("nan")), "shift"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("name", ["complex network", "machine"])
def test_a_singular_metric_is_named(name):
    made = direct(name)[0]
    with pytest.raises(SingularMetric, match=r"natural_gradient\.shift"):
        MinSR(1e-30).direction(made, {}, 0)
