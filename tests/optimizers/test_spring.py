"""SPRING, MARCH and robust stochastic reconfiguration against dense formulas, through either
matrix.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.optimizers.test_natural_gradient import direct
from vmcnet.optimizers import MARCH, SPRING, SR, RobustSR
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions import Wavefunction

NAMES = ["network", "complex network"]


@pytest.fixture(params=NAMES, scope="module")
def dense(request):
    """Tangents, X and f."""
    return direct(request.param)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("form", ["metric", "gram", "auto"])
def test_spring(dense, form):
    """Minimum of |X d - f|^2 + shift |d - m d'|^2."""
    made, x, f = dense
    previous = np.random.default_rng(1).normal(size=made.size)
    d, _, _ = SPRING(1e-2, momentum=0.7, form=form).direction(made, {"previous": previous}, 0)
    a = np.concatenate([x, 0.1 * np.eye(made.size)])
    close(d, np.linalg.lstsq(a, np.concatenate([f, 0.07 * previous]), rcond=None)[0])


@pytest.mark.parametrize("form", ["metric", "gram"])
def test_march(dense, form):
    """Minimum of |X d - f|^2 + (d - m d')^T D (d - m d') with the weights of v; then v itself."""
    made, x, f = dense
    rng = np.random.default_rng(2)
    state = {"previous": rng.normal(size=made.size), "second": rng.uniform(size=made.size) ** 4}
    method = MARCH(1e-2, momentum=0.8, beta=0.9, form=form)
    d, after, _ = method.direction(made, state, 0)
    weights = np.maximum(np.sqrt(state["second"]) / np.sqrt(state["second"]).mean(), 0.01)
    root = np.sqrt(1e-2 * weights)
    a = np.concatenate([x, np.diag(root)])
    target = np.concatenate([f, 0.8 * root * state["previous"]])
    close(d, np.linalg.lstsq(a, target, rcond=None)[0])
    np.testing.assert_allclose(
        after["second"], 0.9 * state["second"] + (d - state["previous"]) ** 2, rtol=1e-12
    )


def test_march_starts_as_spring(dense):
    made = dense[0]
    march, spring = MARCH(1e-2, momentum=0.9), SPRING(1e-2, momentum=0.9)
    first = [m.direction(made, m.start(made.size), 0)[0] for m in (march, spring)]
    close(*first)


@pytest.mark.parametrize("form", ["metric", "gram"])
@pytest.mark.parametrize("gamma", [0.0, 1.0, 20.0])
def test_robust_scaling(dense, form, gamma):
    """G(h) = (h + gamma l^2)/(h + l)^2 on the eigenvectors of S."""
    made, x, f = dense
    h, v = np.linalg.eigh(x.T @ x)
    shift = 1e-2
    scaled = (h.clip(0) + gamma * shift**2) / (h.clip(0) + shift) ** 2
    expected = v @ (scaled * (v.T @ (x.T @ f)))
    close(RobustSR(shift, gamma=gamma, form=form).direction(made, {}, 0)[0], expected)


def test_robust_with_gamma_of_one_over_the_shift_is_plain(dense):
    made = dense[0]
    close(RobustSR(1e-2, gamma=100.0).direction(made, {}, 0)[0], SR(1e-2).direction(made, {}, 0)[0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SPRING(form="dense"), "form 'dense': expected one of auto, metric, gram"),
        (lambda: MARCH(beta=1.0), "MARCH beta"),
        (lambda: MARCH(momentum=-0.1), "MARCH momentum"),
        (lambda: RobustSR(gamma=-1.0), "gamma"),
        (lambda: RobustSR(form="x"), "form"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


class Power(Wavefunction):
    """psi = prod_{i<j} |x_ij|^beta."""

    name = "power"

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout = Layout().add("beta", (), POSITIVE)

    def initial(self, stream):
        return {"beta": 1.2}

    def log_psi(self, ops, theta, walkers):
        first, second = ops.pairs(walkers.r)
        return None, ops.sum(ops.log(ops.norm(first - second)) * theta["beta"], axis=-1)


@pytest.mark.parametrize("seed", range(3))
def test_a_heavy_tailed_first_gradient_is_no_end(seed):
    """Repulsion 2/x^2 between two particles on a line, exact energy 3 at beta = 2: the variance of
    E_L is infinite at the start, and the first natural steps are limited unless told otherwise.
    """
    system = vmc.systems.Particles(
        particles=2,
        dimensions=1,
        potentials={
            "trap": lambda r: 0.5 * (r * r).sum(axis=(1, 2)),
            "repulsion": lambda r: 2.0 / (r[:, 0, 0] - r[:, 1, 0]) ** 2,
        },
    )
    result = vmc.train(
        system,
        vmc.wavefunctions.GaussianEnvelope(system) * Power(system),
        optimizer=vmc.optimizers.SGD(0.2),
        natural_gradient=SR(),
        iterations=60,
        walkers=512,
        seed=seed,
    )
    assert result.series["step_norm"].max() <= 1.0 + 1e-12
    assert result.parameters["power.beta"] == pytest.approx(2.0, abs=1e-3)
    assert result.series["energy"][-1] == pytest.approx(3.0, abs=1e-3)
