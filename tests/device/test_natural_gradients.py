"""Natural gradients on a device: log-derivatives, matrix and solution stay there; the numbers are
those of the host. Their bits on any number of ranks: tests/mpi/test_matrix.py.
"""

import sys

import numpy as np
import pytest

from tests.device import fakecupy
from tests.device.test_together import dot, network, people_of, train
from tests.optimizers.test_natural_gradient import CASES as FORMS
from tests.optimizers.test_natural_gradient import DOT, Network
from tests.optimizers.test_natural_gradient import population as host_population
from vmcnet import optimizers as o
from vmcnet.backend.arrays import to_host
from vmcnet.backend.device import Device
from vmcnet.engine import device_tangents
from vmcnet.engine.device_cholesky import DeviceCholesky
from vmcnet.engine.population import TRAINING
from vmcnet.estimators.log_derivatives import stacked
from vmcnet.optimizers.natural_gradient import ShiftedMetric, SingularMetric
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parallel.exact_sum import bounded_sum

STANDIN = sys.modules["fakecupy"]


@pytest.fixture(params=["stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    return STANDIN if request.param == "stand-in" else pytest.importorskip("cupy")


def complex_network():
    return DOT, Network(DOT, True)


def both(name, xp, blocks=4):
    """X (N, P) and f (N,) on the host, and the tangents of the same walkers on the device."""
    people, theta = host_population(name, blocks)
    summary, energies = people.advance(theta, TRAINING, 0, 3, 0.5)
    weights = people.weights(summary, energies)
    psi = people.wavefunction.bind(theta)
    derivatives = np.concatenate([psi.log_derivatives(w) for w in people.members.values()])
    x = stacked((derivatives - derivatives.mean(axis=0)) / np.sqrt(len(derivatives)))
    e = np.concatenate([weights[b] for b in people.own]).conj()
    f = (e - e.mean()) / np.sqrt(len(e))
    f = stacked(f) if derivatives.dtype.kind == "c" else f.real
    r, s = people.collect()
    people.device = Device(xp)
    people.load(r, s)
    there = people.tangents(theta, {b: xp.asarray(w) for b, w in weights.items()})
    return x, f, there


@pytest.fixture(params=FORMS)
def name(request):
    return request.param


def test_pieces_are_those_of_the_host(name, xp):
    x, f, made = both(name, xp)
    close = {"rtol": 1e-9, "atol": 1e-12}
    assert made.nbytes == 0
    np.testing.assert_allclose(made.gradient, 2 * x.T @ f, **close)
    np.testing.assert_allclose(made.diagonal, np.diag(x.T @ x), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(to_host(made.metric()), x.T @ x, rtol=1e-10, atol=1e-13)
    v = np.random.default_rng(0).normal(size=made.size)
    np.testing.assert_allclose(made.metric_product(v), x.T @ (x @ v), **close)
    np.testing.assert_allclose(to_host(made.gathered(made.residuals())), f, **close)
    np.testing.assert_allclose(to_host(made.gathered(made.product(v))), x @ v, **close)
    np.testing.assert_allclose(made.from_vector(f), x.T @ f, **close)
    for scale in (None, np.exp(v)):
        known = (x if scale is None else x * scale**2) @ x.T
        np.testing.assert_allclose(to_host(made.gram(scale)), known, **close)
    exact = np.linalg.solve(x.T @ x + 1e-3 * np.eye(made.size), x.T @ f)
    for form in ("metric", "gram"):
        solver = ShiftedMetric(made, 1e-3, form)
        size = np.abs(exact).max()
        np.testing.assert_allclose(solver.from_rows(made.residuals()), exact, atol=1e-10 * size)
        np.testing.assert_allclose(solver.solve(x.T @ f), exact, atol=1e-10 * size)


@pytest.mark.parametrize("name", ["network", "complex network"])
def test_what_does_not_fit_is_made_anew_or_in_slabs(name, monkeypatch):
    """The same bits whether log-derivatives are kept; columns in slabs add up to the same."""
    _, _, made = both(name, STANDIN)
    v = np.random.default_rng(0).normal(size=made.size)

    def parts(made):
        whole = [to_host(made.gram(s)) for s in (None, np.exp(v))] + [to_host(made.metric())]
        return [made.gradient, made.diagonal, made.metric_product(v), *whole]

    known = parts(made)
    monkeypatch.setattr(device_tangents, "KEEP", 0)
    again = both(name, STANDIN)[2]
    assert made._kept and not again._kept
    for a, b in zip(parts(again), known, strict=True):
        np.testing.assert_array_equal(a, b)
    monkeypatch.setattr(device_tangents, "SLAB", 4 * made.dtype.itemsize * made.walkers)
    for a, b in zip(parts(again), known, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


METHODS = {
    "minsr": o.MinSR(1e-2),
    "scaled": o.MinSR(1e-3, 1e-2),
    "spring": o.SPRING(1e-2, form="gram"),
    "spring-metric": o.SPRING(1e-2, form="metric"),
    "march": o.MARCH(1e-2, form="gram"),
    "sr": o.SR(1e-2),
    "sr_cg": o.SRCG(1e-2, tolerance=1e-14, max_products=5),
}
# of an iteration, beside energies and the gradient: the direction; S_pp; the right side of a system
# that is solved for P numbers; norms of columns, and a product each
COPIES = {"scaled": 2, "spring-metric": 2, "sr_cg": 1 + 5}


@pytest.mark.parametrize("kind", METHODS)
def test_copies_and_launches(kind):
    """No log-derivatives come to the host: with more walkers a block, more energies alone."""
    natural, found = METHODS[kind], []
    for blocks, block in ((1, 16), (8, 16), (8, 64)):
        people = people_of(network, blocks, block=block)
        state = train(people, 1, natural)
        before = fakecupy.transfers["to_host"], fakecupy.launches["arrays"]
        size = fakecupy.sizes["to_host"]
        train(people, 1, natural, state)
        assert fakecupy.transfers["to_host"] - before[0] == 2 + COPIES.get(kind, 1)
        found.append((fakecupy.launches["arrays"] - before[1], fakecupy.sizes["to_host"] - size))
    (one, _), (several, few), (many, more) = found
    assert several < 1.1 * one and many < 1.1 * one
    # E_L, two terms and two counts of so many walkers more, of P = 109 log-derivatives each
    assert more - few == 384 * 8 * 5


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("make", [network, dot, complex_network])
def test_training_is_that_of_the_host(make, kind, xp):
    here, there = (
        train(people_of(make, 8, device=device), 3, METHODS[kind]).theta for device in (np, xp)
    )
    np.testing.assert_allclose(there, here, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("form", "blocks"), [("metric", 6), ("gram", 40)])
@pytest.mark.parametrize("make", [network, complex_network])
def test_a_singular_matrix_is_named(make, form, blocks, xp):
    """Of fewer walkers than parameters, or of more: with the words of the host, whether rank 0 is
    alone or tells others.
    """

    def said(device, ranks):
        people = people_of(make, blocks, device=device)
        people.comm.size = ranks  # of which this is the first; the others have no walkers
        with pytest.raises(SingularMetric, match=r"natural_gradient\.shift") as caught:
            train(people, 1, o.SPRING(1e-30, form=form))
        return str(caught.value)

    assert said(xp, 1) == said(xp, 2) == said(np, 1)


@pytest.mark.parametrize("size", [1, 5, 130])
def test_solutions_and_what_has_none(xp, size):
    """Of badly scaled matrices to float64's accuracy; of others None, or NaN on the card."""
    rng = np.random.default_rng(size)
    x, comm = rng.normal(size=(size, size + 3)), SerialCommunicator()
    scale = 10.0 ** rng.uniform(-4, 4, size)
    matrix, right = scale[:, None] * (x @ x.T + np.eye(size)) * scale, rng.normal(size=size)
    made = DeviceCholesky(comm, xp.asarray(matrix), 0.0)
    known = np.linalg.solve(matrix * np.outer(1 / scale, 1 / scale), right / scale) / scale
    np.testing.assert_allclose(made.solve(right), known, rtol=1e-10)
    there = made.solve(xp.asarray(right))
    np.testing.assert_array_equal(to_host(there), made.solve(right))
    shifted = DeviceCholesky(comm, xp.asarray(matrix - 0.5 * np.diag(scale)), 0.5 * scale)
    np.testing.assert_allclose(shifted.solve(right), known, rtol=1e-9)
    for at in {0, size // 2, size - 1}:  # where the factorisation ends
        for value in (-1.0, 0.0, np.nan, np.inf):
            wrong = matrix.copy()
            wrong[at, at] = value if value else wrong[at, at] - 1.5 / np.linalg.inv(wrong)[at, at]
            made = DeviceCholesky(comm, xp.asarray(wrong), 0.0)
            assert made.solve(right) is None
            assert np.isnan(to_host(made.solve(xp.asarray(right)))).all()


def test_float32():
    """Log-derivatives of float32 are multiplied and solved in float64."""
    directions = [
        train(people_of(network, 8, device=device, precision="float32"), 1, o.MinSR(1e-3)).theta
        for device in (np, STANDIN)
    ]
    assert directions[1].dtype == np.float64
    np.testing.assert_allclose(directions[1], directions[0], atol=2e-6)


@pytest.mark.parametrize("limbs", [1, 2])
def test_integers_are_added_up_on_the_device(xp, limbs):
    """The bits of the host's sum, NaN where a bound is, and a share beyond its bound refused."""
    rng = np.random.default_rng(limbs)
    shares = rng.normal(size=(5, 40)) * 10.0 ** rng.integers(-30, 30, 40)
    exponent = np.frexp(np.abs(shares).max(axis=0))[1] + 3
    exponent[3], shares[2, 3], exponent[5] = 2**14, np.nan, -(2**14)
    comm = SerialCommunicator()
    for shift in (0, -1000):  # numbers of every size, and denormal ones
        some, bound = np.ldexp(shares, shift), exponent + np.where(abs(exponent) < 2**14, shift, 0)
        known = bounded_sum(comm, [some], bound, 5, limbs)
        found = bounded_sum(comm, [xp.asarray(some)], bound, 5, limbs)
        np.testing.assert_array_equal(found, known)
    assert np.isnan(known[3]) and known[5] == 0
    shares[4, 7] *= 100
    for some in (shares, xp.asarray(shares)):
        with pytest.raises(ValueError, match="beyond its exponent"):
            bounded_sum(comm, [some], exponent, 5, limbs)


def test_a_library_that_leaves_the_matrix_as_it_was(monkeypatch):
    """Nothing on the diagonal tells that it failed: the residual does."""
    monkeypatch.setattr(fakecupy, "cholesky", lambda a: STANDIN.tril(a))
    x = np.random.default_rng(1).normal(size=(130, 130))
    matrix = x + x.T
    np.fill_diagonal(matrix, 1.0)
    made = DeviceCholesky(SerialCommunicator(), STANDIN.asarray(matrix), 0.0)
    assert made.solve(np.ones(130)) is None
