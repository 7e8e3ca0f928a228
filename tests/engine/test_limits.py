"""What limits a wavefunction: exact one-parameter states, candidates that help and that cannot."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB, vmcnet
from vmcnet.engine.limits import limits
from vmcnet.estimators.candidates import OwnParameters, PairJastrow, Sample
from vmcnet.estimators.extensions import Extended, default_candidates
from vmcnet.estimators.linear_method import (
    FOLDS,
    Directions,
    WeightedSamples,
    forecast,
    matrices,
    rest_of,
)

ALPHA = 0.4


def frozen(system, psi, walkers=512, seed=3):
    return vmc.train(
        system, psi, optimizer=vmc.optimizers.SGD(1e-12), iterations=1, walkers=walkers, seed=seed
    )


def directions(x, eta, u, slope, curvature, log_slope, log_curvature, length):
    """Directions of one function of x, and 1 - q, from derivatives in closed form."""
    square = length**2 * log_slope**2
    away = 1.0 / (1.0 + square)
    turn = 2.0 * length**2 * log_slope * log_curvature * away**2
    rest = (1.0 - away) * (-0.5 * curvature - slope * log_slope) - 0.5 * slope * turn
    columns = (u, slope * eta, rest * eta**2)
    return Directions(*(column[:, None] for column in columns)), away


@pytest.mark.parametrize("length", [0.0, 0.3])
def test_one_parameter_in_closed_form(length):
    """psi = exp(-alpha x^2) in the oscillator: E_L - E = (1/2 - 2 alpha^2)(x^2 - m), m = 1/4 alpha,
    is -u up to a factor; b^2 / D with <u^2> = 2 m^2, <|u'|^2> = 4 m and a third moment of 8 m^3,
    in both forms of the kinetic part.
    """
    rng, m, count = np.random.default_rng(1), 1.0 / (4.0 * ALPHA), 200_000
    x, eta = np.sqrt(m) * rng.normal(size=count), rng.normal(size=count)
    factor, one = 0.5 - 2.0 * ALPHA**2, np.ones(count)
    parts = -(x**2), -2.0 * x, -2.0 * one, -2.0 * ALPHA * x, -2.0 * ALPHA * one
    u, away = directions(x, eta, *parts, length)
    samples = WeightedSamples(ALPHA + factor * x**2, one, away, np.arange(count) % FOLDS)
    share, _, gain, error = forecast(u, samples)
    assert share == pytest.approx(1.0, abs=2e-4)
    b, d = factor * 2 * m * m, 2.0 * m + factor * 8 * m**3
    assert gain == pytest.approx(b * b / d, rel=0.05) and 0 < error < 0.1 * gain


@pytest.mark.parametrize("length", [0.0, 0.7])
def test_directions_of_a_complex_psi(length):
    """psi = exp(-alpha x^2) with a complex alpha, changed in its real and in its imaginary part: F
    and A are those of the energy of psi (1 + c u), by differences of integrals.
    """
    alpha, x = 0.5 + 0.3j, np.linspace(-9.0, 9.0, 4001)
    weight, one = np.exp(-2.0 * alpha.real * x**2), np.ones_like(x)
    weight /= weight.mean()
    slope = -2.0 * alpha * x  # of log psi
    energy = alpha + (0.5 - 2.0 * alpha**2) * x**2
    away = 1.0 / (1.0 + length**2 * slope.real**2)
    turn = 8.0 * (length * alpha.real * away) ** 2 * x
    factors = np.array([-1.0, -1.0j])
    u = np.stack([k * x**2 for k in factors], axis=1)
    u = u - (weight[:, None] * u).mean(axis=0)
    du, ddu = (np.stack([k * y for k in factors], axis=1) for y in (2.0 * x, 2.0 * one))
    rest = rest_of(1.0 - away, du, ddu, slope, turn)
    y = energy - (weight * energy).mean().real
    force, stiff = matrices(Directions(u, du, rest), y, weight, away)

    def total(*c):
        f, df, ddf = (part @ np.array(c) for part in (u, du, ddu))
        f = 1.0 + f
        local = -0.5 * (ddf + 2.0 * slope * df + (slope**2 - 2.0 * alpha) * f) + 0.5 * x**2 * f
        return (weight * (f.conj() * local).real).sum() / (weight * np.abs(f) ** 2).sum()

    h = 1e-3
    gradient = [(total(h, 0) - total(-h, 0)) / (2 * h), (total(0, h) - total(0, -h)) / (2 * h)]
    np.testing.assert_allclose(2.0 * force, gradient, rtol=1e-5)
    mixed = (total(h, h) - total(h, -h) - total(-h, h) + total(-h, -h)) / (8 * h * h)
    own = [(total(*v) + total(*-v) - 2 * total(0, 0)) / (2 * h * h) for v in h * np.eye(2)]
    np.testing.assert_allclose(stiff, [[own[0], mixed], [mixed, own[1]]], rtol=1e-4, atol=1e-6)


def test_a_complex_psi_is_forecast():
    """Plane waves at a twist: every candidate is psi at its start, the gradient that of log psi."""
    w, gas = vmc.wavefunctions, vmc.systems.ElectronGas(4, r_s=5.0, twist=[0.11, 0.23, 0.37])
    network = w.MessagePassing(width=3, passes=1, spread=0.0)
    psi = w.Slater(gas, network=network, heads=["jastrow"]) * w.PadeJastrow(gas)
    result = frozen(gas, psi, walkers=128)
    bound, walkers = psi.bind(result.state.theta), result.population.members[0]
    sample, step = Sample(gas, bound, walkers), np.zeros(walkers.r.shape)
    step[:, 1, 2] = 1e-5
    slope = bound.log(sample.r + step, sample.s) - bound.log(sample.r - step, sample.s)
    np.testing.assert_allclose(sample.gradient[:, 1, 2], slope / 2e-5, rtol=1e-6, atol=1e-7)
    found = limits(result, snapshots=4)
    shares = {row.name: row.share for row in found.rows}
    assert {"complex backflow", "further determinants"} <= set(shares)
    assert shares["own parameters"] > 0.7 and shares["2-body backflow"] > 0.1


def test_a_direction_that_moves_a_node():
    """psi = x exp(-x^2/2), u = 1/x: psi u is the ground state, one below, so that A = -<u^2> = -2.
    The steady form of the kinetic part alone is infinite there.
    """
    rng, count = np.random.default_rng(2), 200_000
    x, eta = rng.normal(size=count), rng.normal(size=count)
    weight = x**2 * np.exp(-0.5 * x**2)
    weight /= weight.mean()
    parts = 1.0 / x, -1.0 / x**2, 2.0 / x**3, 1.0 / x - x, -1.0 / x**2 - 1.0
    u, away = directions(x, eta, *parts, 0.3)
    _, stiff = matrices(u, np.zeros(count), weight, away)
    assert stiff[0, 0] == pytest.approx(-2.0, rel=0.05)
    steady, away = directions(x, eta, *parts, 0.0)
    assert matrices(steady, np.zeros(count), weight, away)[1][0, 0] > 100.0


def test_excitations_of_free_fermions(monkeypatch):
    """psi u of a class of pair excitations is an eigenfunction without interaction: A_oo is its
    energy, 2 or 4 times omega, above the ground state times <u^2>.
    """
    system, found = vmc.systems.QuantumDot(6, omega=1.0), []
    del system.terms["coulomb"]
    result = frozen(system, vmc.wavefunctions.Slater(system), walkers=256)
    monkeypatch.setattr(
        "vmcnet.engine.limits.forecast", lambda u, samples: found.append((u, samples)) or [0.0] * 4
    )
    limits(result, ["pair excitations"], snapshots=12, interval=10)
    u, samples = found[0]
    weight, count = samples.weight, len(samples.energy)
    _, stiff = matrices(u, np.zeros(count), weight, samples.away)
    energies = np.diag(stiff) / (weight @ u.value**2 / count)
    known = np.array([4.0, 4.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    assert 0.5 < np.mean(energies / known) < 1.5  # what is left out near nodes counts in both


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


def test_backflow_reads_orbitals_without_their_envelope():
    """Of a determinant the displacement moves the points at which orbitals are read, nothing else:
    for two particles up with the orbitals 1 and x (or y), log|x_1 - x_2|.
    """
    system = vmc.systems.QuantumDot(particles=2, dimensions=2, spin_projection=1.0)
    psi = vmc.wavefunctions.Slater(system) * vmc.wavefunctions.PadeJastrow(system)
    result = frozen(system, psi, walkers=128)
    sample = Sample(system, psi.bind(result.state.theta), result.population.members[0])
    (axis,) = np.flatnonzero(np.abs(sample.pulled).sum(axis=(0, 1)))
    apart, expected = sample.r[:, 0, axis] - sample.r[:, 1, axis], np.zeros(sample.r.shape)
    expected[:, 0, axis], expected[:, 1, axis] = 1.0 / apart, -1.0 / apart
    np.testing.assert_allclose(sample.pulled, expected, rtol=1e-8)


@pytest.mark.verify
@pytest.mark.parametrize(("particles", "spin"), [(6, 0.0), (3, 0.5), (4, 0.0)])
def test_forecast_of_what_is_named_first(particles, spin):
    """Determinant x Pade-Jastrow in the trap: backflow is named first, and its forecast is within a
    factor of 3 of the gain between frozen evaluations before and after 100 iterations with it.
    """
    system = vmc.systems.QuantumDot(particles, omega=1.0, spin_projection=spin)
    w, o = vmc.wavefunctions, vmc.optimizers
    plan = {"walkers": 512, "step_size": 0.3, "clip": 5.0, "warmup": 30}
    plan["optimizer"] = o.SGD(0.1, schedule=o.InverseDecay(100))
    plan["natural_gradient"] = o.SPRING(momentum=0.95, max_norm=5.0)
    base = w.Slater(system) * w.PadeJastrow(system)
    before = vmc.train(system, base, iterations=60, seed=5, **plan)
    found = limits(before, [Noise(), *default_candidates(system, base)], snapshots=16)
    rows, first = {row.name: row for row in found.rows}, found.rows[0]
    print(f"N = {particles}\n{found}")
    moved = w.Slater(system, network=w.MessagePassing(spread=0.0), heads=["backflow"])
    start = base.layout.values(before.state.theta)
    richer = moved * w.PadeJastrow(system)
    after = vmc.train(system, richer, iterations=100, seed=6, start=start, **plan)
    low, high = (
        vmc.evaluate(after, steps=60, interval=10),
        vmc.evaluate(before, steps=150, interval=10),
    )
    gained, error = high.energy - low.energy, np.hypot(high.error, low.error)
    print(f"{first.name}: forecast {first.gain:.2e}, gained {gained:.2e} +- {error:.1e}")
    assert first.name in ("2-body backflow", "3-body backflow")
    assert gained > 5 * error and gained / 3 < first.gain < 3 * gained
    assert abs(rows["noise"].share) < 0.01 and rows["noise"].gain < 1e-4


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
    wanted = ("--candidate", "own parameters", "--candidate", "wider")
    wrong = vmcnet("limits", run, *wanted, check=False)
    assert wrong.returncode == 2 and "'wider': expected one of own parameters" in wrong.stderr
    assert run.read_bytes() == before
