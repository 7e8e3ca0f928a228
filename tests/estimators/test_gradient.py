"""The gradient against differences of an energy that is integrated on a grid: no statistics, real
and complex wavefunctions.
"""

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import Population
from vmcnet.engine.training import train
from vmcnet.estimators.energy import centred, local_energies
from vmcnet.estimators.gradient import block_gradient, separate_moments
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.optimizers import SGD
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.systems.base import System
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM
from vmcnet.wavefunctions.base import Wavefunction


class Quartic:
    """A smooth potential without symmetry: sum_i r_i^2/2 + 0.1 r_i^4 + 0.3 x_i, and 0.2 x_1 x_2
    between two.
    """

    def local(self, walkers, psi):
        r = walkers.r
        square = (r * r).sum(axis=-1)
        out = (0.5 * square + 0.1 * square**2 + 0.3 * r[..., 0]).sum(axis=-1)
        return out + 0.2 * r[:, 0, 0] * r[:, -1, 0]


class Smooth(System):
    def __init__(self, particles, dimensions):
        self.particles, self.dimensions, self.length = particles, dimensions, 1.0
        self.spins, self.terms = (
            np.ones(particles, np.int8),
            {"kinetic": Kinetic(), "potential": Quartic()},
        )


class Twisted(Wavefunction):
    """A complex state: exp(-alpha sum x^2 + i (k X + q X^3) + log(cosh(z))), X the sum of
    coordinates, z complex.
    """

    name = "twisted"

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout = (
            Layout()
            .add("alpha", (), POSITIVE)
            .add("k")
            .add("q")
            .add("weights", (2, 2))
            .add("more", (2, 2))
        )

    def initial(self, stream):
        return {
            "alpha": 0.6,
            "k": 0.4,
            "q": 0.1,
            "weights": 0.3 * stream.normal((2, 2)),
            "more": 0.2 * stream.normal((2, 2)),
        }

    def log_psi(self, ops, theta, walkers):
        x = ops.flatten(walkers.r)
        total = ops.sum(x, axis=-1)
        real = -(ops.sum(x * x, axis=-1) * theta["alpha"])
        imaginary = total * theta["k"] + total**3 * theta["q"]
        z = ops.complex(ops.affine(x, theta["weights"]), ops.affine(x, theta["more"]))
        return None, ops.complex(real, imaginary) + ops.sum(ops.logcosh(z), axis=-1)


ONE, TWO = Smooth(1, 2), Smooth(2, 1)
CASES = {
    "rbm F, one particle in 2D": (ONE, GaussianRBM(ONE, 3, "F", spread=0.3)),
    "rbm sqrtF x envelope, two in 1D": (
        TWO,
        GaussianRBM(TWO, 2, "sqrtF", spread=0.3) * GaussianEnvelope(TWO, 0.2),
    ),
    "complex, two in 1D": (TWO, Twisted(TWO)),
}


def grid(system):
    x = np.linspace(-7.0, 7.0, 141)
    points = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(
        -1, system.particles, system.dimensions
    )
    return Walkers(points, system.labels(len(points)))


def integrated(system, psi, theta):
    """Walkers on a grid, their probabilities |psi|^2 / int |psi|^2, local energies, <E>. The
    trapezoid rule is spectral here.
    """
    walkers, bound = grid(system), psi.bind(theta)
    log = bound.log(walkers.r, walkers.s)
    p = np.exp(2.0 * (log.real - log.real.max()))
    p /= p.sum()
    energies = local_energies(system.terms, walkers.with_log(log), bound)
    return walkers, bound, p, energies, (p * energies.total).sum()


@pytest.fixture(params=CASES)
def case(request):
    system, psi = CASES[request.param]
    return (
        system,
        psi,
        psi.start(Stream(9, 0, 0, 0)) + np.random.default_rng(1).normal(0, 0.05, psi.layout.size),
    )


def test_gradient_is_the_derivative_of_the_energy(case):
    system, psi, theta = case
    walkers, bound, p, energies, mean = integrated(system, psi, theta)
    assert abs(mean.imag) < 1e-10 * abs(mean)
    gradient = block_gradient(walkers, bound, centred(energies.total, mean) * p, 1)

    def slope(k, h):
        step = np.eye(theta.size)[k] * h
        return (
            integrated(system, psi, theta + step)[4] - integrated(system, psi, theta - step)[4]
        ).real / (2 * h)

    exact = np.array([(4 * slope(k, 1e-3) - slope(k, 2e-3)) / 3 for k in range(theta.size)])
    np.testing.assert_allclose(gradient, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())
    assert np.abs(exact).max() > 0.01


def test_covariance_form_equals_the_two_term_form(case):
    """2 Re(<O* (E_L - <E>)>) = 2 Re(<O* E_L> - <O*><E_L>), on walkers where <E> is their own
    mean.
    """
    system, psi, theta = case
    rng, bound = np.random.default_rng(2), psi.bind(theta)
    walkers = Walkers(
        rng.normal(size=(200, system.particles, system.dimensions)), system.labels(200)
    )
    energies = local_energies(system.terms, walkers, bound)
    covariance = block_gradient(walkers, bound, centred(energies.total, energies.total.mean()), 200)
    o, oe, e = separate_moments(walkers, bound, energies.total)
    o, oe, e = o / 200, oe / 200, e / 200
    np.testing.assert_allclose(covariance, 2.0 * (oe - o * e).real, rtol=1e-10, atol=1e-12)


class Turned(Twisted):
    """Twisted times exp(i turn (3 + alpha^2 + k)): the same state at all parameters."""

    name = "turned"

    def __init__(self, system):
        super().__init__(system)
        self.layout.add("turn")

    def initial(self, stream):
        return {**super().initial(stream), "turn": 0.7}

    def log_psi(self, ops, theta, walkers):
        phase, log = super().log_psi(ops, theta, walkers)
        one = ops.sum(ops.flatten(walkers.r) * 0.0, axis=-1) + 1.0
        angle = one * theta["turn"] * 3.0 + one * theta["k"]
        return phase, log + ops.complex(one * 0.0, angle)


@pytest.mark.parametrize("clip", [None, 3.0])
def test_a_phase_of_psi_changes_no_gradient(clip):
    """The three ways to a gradient, of one finite sample with Im <E> != 0: where psi is multiplied
    by a phase that depends on the parameters none of them changes, and they agree.
    """
    found = []
    for psi in (Twisted(TWO), Turned(TWO)):
        people = Population(TWO, psi, Gaussian(), SerialCommunicator(), 1, 64, 16)
        people.start()
        theta = psi.start(Stream(9, 0, 0, 0))
        summary, energies = people.advance(theta, 2, 0, 3, 0.5)
        assert abs(summary.complex_energy.imag) > 1e-3
        weights = people.weights(summary, energies, clip)
        gradient = people.gradient(theta, weights)
        tangents = people.tangents(theta, weights)
        np.testing.assert_allclose(tangents.gradient, gradient, rtol=1e-9, atol=1e-11)
        found.append(gradient)
    plain, turned = found
    np.testing.assert_allclose(turned[:-1], plain, rtol=1e-9, atol=1e-11)
    assert abs(turned[-1]) < 1e-12 and np.abs(plain).max() > 0.01


def test_blocks_add_up_to_the_whole_gradient():
    """The production path, block by block with its exact sum, equals the formula over all walkers
    at once.
    """
    system, psi = CASES["rbm F, one particle in 2D"]
    theta = psi.start(Stream(9, 0, 0, 0))
    population = Population(system, psi, Gaussian(), SerialCommunicator(), 1, 96, 16)
    population.start()
    summary, energies = population.advance(theta, 2, 0, 3, 0.5)
    gradient = population.gradient(theta, population.weights(summary, energies))
    r = np.concatenate([w.r for w in population.members.values()])
    everyone = Walkers(r, system.labels(96))
    bound = psi.bind(theta)
    e = local_energies(system.terms, everyone, bound).total
    o = bound.log_derivatives(everyone)
    np.testing.assert_allclose(
        gradient,
        2 * ((o * e[:, None]).mean(axis=0) - o.mean(axis=0) * e.mean()),
        rtol=1e-9,
        atol=1e-11,
    )
    assert summary.energy == pytest.approx(
        e.mean(), rel=1e-13
    ) and summary.variance == pytest.approx(e.var(ddof=1), rel=1e-12)
    for name, term in system.terms.items():
        assert summary.terms[name] == pytest.approx(term.local(everyone, bound).mean(), rel=1e-12)


def test_descent_lowers_the_energy():
    system, psi = CASES["rbm sqrtF x envelope, two in 1D"]
    result = train(system, psi, optimizer=SGD(0.05), iterations=40, walkers=256, block=64, seed=3)
    energy = result.series["energy"]
    assert energy[-5:].mean() < energy[:5].mean() - 0.02
    exact = integrated(system, psi, result.state.theta)[4]
    assert abs(energy[-10:].mean() - exact) < 0.05
