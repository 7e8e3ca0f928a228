"""What limits a wavefunction: exact one-parameter states, candidates that help and that cannot."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB, vmcnet
from vmcnet.engine.limits import FOLDS, explained, limits
from vmcnet.estimators.candidates import (
    Extended,
    OwnParameters,
    PairJastrow,
    Sample,
    default_candidates,
)

ALPHA = 0.4


def frozen(system, psi, walkers=512, seed=3):
    return vmc.train(
        system, psi, optimizer=vmc.optimizers.SGD(1e-12), iterations=1, walkers=walkers, seed=seed
    )


def test_one_parameter_in_closed_form():
    """psi = exp(-alpha x^2) in the oscillator: E_L - E = (1/2 - 2 alpha^2)(x^2 - m), m = 1/4 alpha,
    is -u up to a factor; b^2 / D with <u^2> = 2 m^2, <|u'|^2> = 4 m and a third moment of 8 m^3.
    """
    rng, m, h = np.random.default_rng(1), 1.0 / (4.0 * ALPHA), 1e-4
    x, eta = np.sqrt(m) * rng.normal(size=(200_000, 1)), rng.normal(size=(200_000, 1))
    factor, fold = 0.5 - 2.0 * ALPHA**2, np.arange(200_000) % FOLDS
    shifted = np.arange(200_000), -((x + h * eta) ** 2), -((x - h * eta) ** 2), h
    share, _, gain = explained(-(x**2), ALPHA + factor * x[:, 0] ** 2, fold, shifted)
    assert share == pytest.approx(1.0, abs=2e-4)
    b, d = factor * 2 * m * m, 2.0 * m + factor * 8 * m**3
    assert gain == pytest.approx(b * b / d, rel=0.05)


def test_features_are_first_order_changes():
    """Every default candidate against differences: displaced coordinates and added factors."""
    system = vmc.systems.Particles(
        particles=3, dimensions=2, potentials={"v": lambda r: (r * r).sum(axis=(1, 2))}
    )
    psi = vmc.wavefunctions.GaussianEnvelope(system) * vmc.wavefunctions.PadeJastrow(system)
    result = frozen(system, psi, walkers=128)
    bound = psi.bind(result.state.theta)
    sample = Sample(system, bound, result.population.members[0])
    found = {c.name: c.features(sample) for c in default_candidates(system, psi)}
    near, pull, r, s = sample.near, sample.pull, sample.r, sample.s
    np.testing.assert_allclose(found["2-body Jastrow"], near.sum(axis=1) / 2, rtol=1e-12)
    h = 1e-5
    for name, displacement in (
        ("2-body backflow", pull[:, :, 1]),
        ("3-body backflow", pull[:, :, 0] * near[:, :, :1]),
    ):
        slope = (bound.log(r + h * displacement, s) - bound.log(r - h * displacement, s)) / (2 * h)
        column = 1 if name == "2-body backflow" else near.shape[-1]
        np.testing.assert_allclose(found[name][:, column], slope, rtol=1e-6, atol=1e-8)
    i, j, k = r[:, 0], r[:, 1], r[:, 2]
    g = lambda a, b: np.exp(-((a - b) ** 2).sum(axis=-1) / (2 * 0.25**2))  # noqa: E731
    np.testing.assert_allclose(near[:, 0, 0], g(i, j) + g(i, k), rtol=1e-12)
    expected = g(j, i)[:, None] * (j - i) + g(j, k)[:, None] * (j - k)
    np.testing.assert_allclose(pull[:, 1, 0], expected, rtol=1e-12)


class Noise:
    """Numbers that know nothing of psi."""

    name = "noise"

    def features(self, sample):
        return np.sin(1e5 * sample.r.reshape(len(sample.r), -1)[:, :4])


class Answer:
    """The direction that is missing: with it E_L would be constant to first order."""

    name = "answer"

    def features(self, sample):
        return (sample.r**2).sum(axis=(1, 2))[:, None]


@pytest.fixture(scope="module")
def dot():
    system = vmc.systems.QuantumDot(particles=2, omega=1.0)
    psi = vmc.wavefunctions.GaussianEnvelope(system, alpha=ALPHA)
    return frozen(system, psi * vmc.wavefunctions.PadeJastrow(system, beta=0.4))


def test_what_helps_is_named_first_and_noise_explains_nothing(dot):
    found = limits(dot, [Noise(), Answer(), PairJastrow(), OwnParameters()], snapshots=6)
    rows = {row.name: row for row in found.rows}
    assert abs(rows["noise"].share) < 0.01 and rows["noise"].gain < 1e-4
    assert found.rows[0].name in ("answer", "own parameters") and found.rows[0].share > 0.5
    assert rows["answer"].share > rows["2-body Jastrow"].share > rows["noise"].share
    assert "likely gain" in str(found)


def test_forecast_against_training(dot):
    """The gain by own parameters beside what training reaches: within a factor of 3."""
    forecast = limits(dot, [OwnParameters()], snapshots=6).rows[0].gain
    before = vmc.evaluate(dot, steps=60)
    system, psi = dot.population.system, dot.population.wavefunction
    trained = vmc.train(
        system, psi, optimizer=vmc.optimizers.Adam(0.03), iterations=150, walkers=512, seed=4
    )
    gained = before.energy - vmc.evaluate(trained, steps=60).energy
    assert gained / 3 < forecast < 3 * gained


def test_refused(dot):
    with pytest.raises(ValueError, match="snapshots = 0: expected a whole number"):
        limits(dot, snapshots=0)
    spins = vmc.systems.TransverseIsing(extent=[4])
    chain = frozen(spins, vmc.wavefunctions.BinaryRBM(spins, alpha=1), walkers=128)
    with pytest.raises(ValueError, match="spins only"):
        limits(chain)


def test_a_richer_wavefunction_as_candidate(dot):
    """Parameters that psi has not, at values that change nothing; others are refused."""
    system, psi = dot.population.system, dot.population.wavefunction
    network = vmc.wavefunctions.NetworkJastrow(
        system, network=vmc.wavefunctions.MessagePassing(width=4, passes=1, spread=0.0)
    )
    found = limits(dot, [Extended("network", psi * network), PairJastrow()], snapshots=4)
    shares = {row.name: row.share for row in found.rows}
    assert shares["network"] > 0.3
    with pytest.raises(ValueError, match="it has no more"):
        limits(dot, [Extended("same", psi)], snapshots=1)
    other = psi * vmc.wavefunctions.FeedForward(system, layers=[3], spread=1.0)
    with pytest.raises(ValueError, match="another function than psi"):
        limits(dot, [Extended("other", other)], snapshots=1)


@pytest.mark.processes
def test_command_on_two_ranks_as_on_one(tmp_path):
    """`vmcnet limits` on a finished run: the same table on any number of ranks; a lattice is
    refused in one line.
    """
    (tmp_path / "job.toml").write_text(JOB)
    run = tmp_path / "run.h5"
    vmcnet("run", tmp_path / "job.toml", "--output", run)
    one, two = (vmcnet("limits", run, "--snapshots", "4", ranks=ranks).stdout for ranks in (1, 2))
    assert one == two and "own parameters" in one and "2-body backflow" in one
    before = run.read_bytes()
    assert vmcnet("limits", run, "--snapshots", "0", check=False).returncode == 2
    assert run.read_bytes() == before
