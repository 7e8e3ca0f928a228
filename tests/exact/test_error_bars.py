"""2000 evaluations of at least 500 autocorrelation times for each of three frozen states of known
energy: the 95 % interval holds the truth as often.

The evaluations are made side by side, as groups of walkers of large blocks; walkers are
independent, so each group is an evaluation of its own.
"""

import numpy as np
import pytest

from tests.spins import dense, made, states
from vmcnet.engine.evaluation import evaluate
from vmcnet.engine.population import EVALUATION, Population
from vmcnet.engine.results import Measured, summarize
from vmcnet.engine.training import TrainingResult, TrainingState
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.spin_metropolis import SpinFlip
from vmcnet.systems import QuantumDot, TransverseIsing, TrappedBosons
from vmcnet.wavefunctions import BinaryRBM, GaussianEnvelope, GaussianRBM, PadeJastrow

RUNS, WALKERS, BLOCK = 2000, 48, 6000  # 2000 runs of 48 walkers are 16 blocks of 6000


def oscillator():
    """One particle in one dimension, psi = exp(-0.8 x^2): <E> = alpha/2 + 1/(8 alpha). In closed
    form.
    """
    system = TrappedBosons(1, 1.0, 1)
    return system, GaussianEnvelope(system, 0.8), Gaussian(), 0.8 / 2 + 1 / (8 * 0.8), 1.9, 10


def dot():
    """Two electrons in two dimensions, psi = exp(-0.45 (r1^2 + r2^2)) exp(r/(1 + r/2)): centre of
    mass in closed form, distance by quadrature.
    """
    system, a, beta = QuantumDot(2), 0.45, 0.5
    x, weights = np.polynomial.legendre.leggauss(400)
    r, weights = 10.0 * (x + 1.0), 10.0 * weights  # 0 to 20 bohr
    g = np.exp(-0.5 * a * r**2 + r / (1.0 + beta * r))
    slope = g * (-a * r + 1.0 / (1.0 + beta * r) ** 2)
    relative = weights @ (r * (slope**2 + (0.25 * r**2 + 1.0 / r) * g**2)) / (weights @ (r * g**2))
    return (
        system,
        GaussianEnvelope(system, a) * PadeJastrow(system, beta),
        Gaussian(),
        a + 1.0 / (4.0 * a) + relative,
        0.9,
        16,
    )


def machine():
    """One boson in one dimension, a Gaussian-binary Boltzmann machine with large random weights:
    quadrature on a fine grid.
    """
    system = TrappedBosons(1, 1.0, 1)
    psi = GaussianRBM(system, hidden=3, spread=1.0)
    x = np.linspace(-12.0, 12.0, 40001)
    log = psi.bind(psi.start(stream())).log(x[:, None, None], np.ones((len(x), 1), np.int8)).real
    g = np.exp(log - log.max())
    slope = np.gradient(log, x, edge_order=2) * g
    return (
        system,
        psi,
        Gaussian(),
        (0.5 * slope @ slope + 0.5 * (x * g) @ (x * g)) / (g @ g),
        1.9,
        6,
    )


def spins():
    """Six spins in a transverse field, a Boltzmann machine with random weights: all 64
    configurations enumerated.
    """
    system = made(TransverseIsing, extent=[6])
    psi = BinaryRBM(system, spread=0.3)
    s = states(6)
    theta = psi.start(stream())
    log = psi.bind(theta).log(np.zeros((64, 6, 0)), s).real
    amplitude = np.exp(log - log.max())
    return (
        system,
        psi,
        SpinFlip(system),
        amplitude @ dense(system, s) @ amplitude / (amplitude @ amplitude),
        1.0,
        10,
    )


def stream():
    from vmcnet.backend.stream import Stream

    return Stream(5, 3, 0, 0)


def runs(case, count, steps, warmup=20):
    """(z, tau, warned): of each run (E - exact)/error, its autocorrelation time, and whether it
    warns of its length.
    """
    system, psi, sampler, exact, step, interval = case()
    block = min(BLOCK, count * WALKERS)
    walkers = -(-count * WALKERS // block) * block
    people = Population(system, psi, sampler, SerialCommunicator(), 17, walkers, block)
    people.start()
    theta = psi.start(stream())
    for k in range(warmup):
        people.advance(theta, EVALUATION, k, interval, step, measure=False)
    half, shape = steps // 2, (2, walkers)
    mean, m2, series = np.zeros(shape), np.zeros(shape), np.empty((steps, walkers // WALKERS))
    for k in range(steps):
        _, energies = people.advance(theta, EVALUATION + 1, k, interval, step)
        x = np.concatenate([energies[b].total.real for b in people.own])
        which, n = (0, k + 1) if k < half else (1, k - half + 1)
        delta = x - mean[which]
        mean[which] += delta / n
        m2[which] += delta * (x - mean[which])
        series[k] = x.reshape(-1, WALKERS).mean(axis=1)
    found = []
    for run in range(count):
        own = slice(run * WALKERS, (run + 1) * WALKERS)
        rows = {"energy": series[:, run], "acceptance": np.full(steps, 0.5)}
        moments = {"energy": (mean[:, None, own], m2[:, None, own])}
        full = np.full(WALKERS, 0.5)
        found.append(summarize(Measured(["energy"], rows, moments, {}, full, steps * interval)))
    z = np.array([(f.energy - exact) / f.error for f in found])
    return (
        z,
        np.array([f.autocorrelation for f in found]),
        np.array([any("use more steps" in w for w in f.warnings) for f in found]),
    )


@pytest.mark.verify
@pytest.mark.parametrize(("case", "steps"), [(oscillator, 600), (spins, 600), (machine, 600)])
def test_2000_runs(case, steps):
    z, tau, warned = runs(case, RUNS, steps)
    covered = (np.abs(z) < 1.96).mean()
    print(
        f"{case.__name__}: {100 * covered:.2f} % of {len(z)} runs within 1.96 errors, 68 %: "
        f"{100 * (np.abs(z) < 1).mean():.2f}, "
        f"mean {z.mean():+.3f}, deviation {z.std():.3f}, {steps / tau.mean():.0f} autocorrelation "
        f"times, {warned.sum()} warned"
    )
    assert steps >= 500 * tau.mean(), tau.mean()
    assert 0.935 <= covered <= 0.965 and abs(z.mean()) < 4 / np.sqrt(len(z))
    assert warned.mean() < 0.02


def test_a_run_that_is_too_short_says_so():
    """Walkers that hardly move: 60 measurements of some 40 autocorrelation times each are no basis
    for an error, and the result says it.
    """
    system = TrappedBosons(1, 1.0, 1)
    psi = GaussianEnvelope(system, 0.8)
    people = Population(system, psi, Gaussian(), SerialCommunicator(), 3, 64, 64)
    people.start()
    short = evaluate(
        TrainingResult(TrainingState(psi.start(stream()), {}, 0.1), people),
        steps=60,
        interval=1,
        warmup=5,
    )
    assert any("use more steps" in text for text in short.warnings), short
    long = evaluate(
        TrainingResult(TrainingState(psi.start(stream()), {}, 1.9), people),
        steps=400,
        interval=10,
        warmup=5,
    )
    assert long.warnings == [], long.warnings


def test_exact_energies_of_the_states():
    """60 runs together agree with the closed form, the quadrature and the enumeration; the
    intervals of all 240 hold them as often as they say, within four errors.
    """
    every = []
    for case in (oscillator, machine, spins, dot):
        z, _, _ = runs(case, 60, 60)
        assert abs(z.sum()) / np.sqrt(len(z)) < 4, case.__name__
        every.extend(z)
    z = np.array(every)
    for inside, probability in ((1.0, 0.6827), (1.96, 0.95)):
        error = np.sqrt(probability * (1 - probability) / len(z))
        assert abs((np.abs(z) < inside).mean() - probability) < 4 * error, inside
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * len(z))
