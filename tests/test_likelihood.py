"""Maximum likelihood on data: its gradient against differences of the exact likelihood, machines
that learn a known model, data files, ranks.
"""

import h5py
import numpy as np
import pytest

from tests.runs import ROOT, same, vmcnet
from vmcnet.backend.stream import Stream
from vmcnet.engine.likelihood import DataPopulation
from vmcnet.engine.training import initial_state, run_training
from vmcnet.exact.divergence import enumerated_divergence
from vmcnet.optimizers import SGD, Cosine
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.gibbs import Gibbs
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.samples import read_samples
from vmcnet.systems import ClassicalIsing, DoubleWell, Potts, TrappedBosons
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import BinaryRBM, GaussianRBM

ISING = ClassicalIsing([3, 3], 2.4)


def drawn(system, count, seed=0):
    """Samples of the exact Boltzmann distribution."""
    states, p = system.enumerated()
    s = states[np.random.default_rng(seed).choice(len(p), count, p=p)]
    return Walkers(np.zeros((count, system.particles, 0)), s)


def trained(people, psi, optimizer, iterations, steps):
    people.start()
    state, rows = initial_state(psi, optimizer, 1, 1.0), []
    nothing = lambda *arguments: 0  # noqa: E731
    run_training(
        people,
        optimizer,
        state,
        iterations=iterations,
        steps=steps,
        warmup=5,
        save=nothing,
        poll=nothing,
        record=lambda phase, done, total, row: rows.append(row),
    )
    return state.theta, rows


def test_gradient_is_that_of_the_likelihood():
    """With the model's mean over all states, each as often as |psi|^2 wants, the formula is the
    derivative of -<ln P>_data.
    """
    psi = BinaryRBM(ISING, 1, spread=0.3)
    theta, data = psi.start(Stream(3, 0, 0, 0)), drawn(ISING, 64)
    states, _p = ISING.enumerated()
    weight = (
        np.bincount(
            [int("".join("1" if v > 0 else "0" for v in s), 2) for s in data.s], minlength=512
        )
        / 64
    )
    model = np.exp(2 * psi.bind(theta).log(np.zeros((512, 9, 0)), states))
    model = np.round(model / model.sum() * 2**17).astype(int)
    s = np.repeat(states, model, axis=0)
    people = DataPopulation(data, ISING, psi, Gibbs(ISING), SerialCommunicator(), 1, len(s), len(s))
    people.members = {0: Walkers(np.zeros((len(s), 9, 0)), s)}
    people.batch = lambda block: Walkers(
        np.zeros((len(s), 9, 0)), data.s[np.arange(len(s)) * 64 // len(s)]
    )
    gradient = people.gradient(theta, None)

    def loss(k, h):
        return enumerated_divergence(psi.bind(theta + h * np.eye(theta.size)[k]), states, weight)

    exact = np.array([(loss(k, 1e-4) - loss(k, -1e-4)) / 2e-4 for k in range(theta.size)])
    np.testing.assert_allclose(gradient, exact, atol=3e-3)
    assert np.abs(exact).max() > 0.1


def test_batches_are_samples_of_the_data():
    data = drawn(ISING, 500)
    people = DataPopulation(
        data, ISING, BinaryRBM(ISING, 1), Gibbs(ISING), SerialCommunicator(), 1, 64, 16
    )
    first, known = people.batch(0).s, {row.tobytes() for row in data.s}
    assert first.shape == (16, 9) and all(row.tobytes() in known for row in first)
    assert not np.array_equal(first, people.batch(1).s)
    people._iteration = 1
    assert not np.array_equal(first, people.batch(0).s)


def test_divergence_of_the_exact_distribution_is_zero():
    """Of a machine without weights, P is uniform: ln 512 minus the entropy."""
    psi = BinaryRBM(ISING, 1)
    states, p = ISING.enumerated()
    flat = enumerated_divergence(psi.bind(np.zeros(psi.layout.size)), states, p)
    assert flat == pytest.approx(np.log(512) + (p * np.log(p)).sum(), rel=1e-12)
    assert enumerated_divergence(
        psi.bind(np.zeros(psi.layout.size)), states, np.full(512, 1 / 512)
    ) == pytest.approx(0.0, abs=1e-13)


def test_a_binary_machine_learns_ising():
    psi = BinaryRBM(ISING, 2, spread=0.05)
    people = DataPopulation(
        drawn(ISING, 8192), ISING, psi, Gibbs(ISING), SerialCommunicator(), 2, 512, 128
    )
    theta, _ = trained(people, psi, SGD(0.1, Cosine(250)), 250, 5)
    states, p = ISING.enumerated()
    model = np.exp(2 * psi.bind(theta).log(np.zeros((512, 9, 0)), states))
    model /= model.sum()
    assert enumerated_divergence(psi.bind(theta), states, p) < 0.06
    assert model @ ISING.energy(states) == pytest.approx(p @ ISING.energy(states), rel=0.02)


def test_a_gaussian_machine_learns_a_mixture():
    """Two Gaussians at +-(1.2, -0.6), width 0.5: a machine of the form sqrtF, |psi|^2 = F, finds
    both means and the width.
    """
    space = TrappedBosons(1, 1.0, 2)
    rng = np.random.default_rng(1)
    side = rng.choice([-1, 1], 6000)[:, None]
    r = side * np.array([1.2, -0.6]) + 0.5 * rng.normal(size=(6000, 2))
    psi = GaussianRBM(space, 2, "sqrtF", spread=0.1)
    people = DataPopulation(
        Walkers(r[:, None], space.labels(6000)),
        space,
        psi,
        Gaussian(),
        SerialCommunicator(),
        2,
        512,
        128,
    )
    theta, _ = trained(people, psi, SGD(0.2, Cosine(400)), 400, 6)
    x = np.stack(
        np.meshgrid(np.linspace(-5, 5, 201), np.linspace(-5, 5, 201), indexing="ij"), axis=-1
    ).reshape(-1, 1, 2)
    p = np.exp(2 * psi.bind(theta).log(x, space.labels(len(x))))
    p /= p.sum()
    x = x[:, 0]
    np.testing.assert_allclose(p @ x, r.mean(axis=0), atol=0.12)
    np.testing.assert_allclose((x * p[:, None]).T @ x, r.T @ r / 6000, atol=0.15)
    true = sum(np.exp(-((x - s * np.array([1.2, -0.6])) ** 2).sum(axis=1) / 0.5) for s in (1, -1))
    true /= true.sum()
    assert (true * np.log(true / p)).sum() < 0.06


def test_data_files(tmp_path):
    binary = np.array([[0, 1, 1, 0, 0, 1, 1, 1, 0], [1] * 9])
    np.save(tmp_path / "a.npy", binary)
    np.savetxt(tmp_path / "a.txt", binary, fmt="%d")
    np.savetxt(tmp_path / "a.csv", 2 * binary - 1, fmt="%d", delimiter=",")
    for name in ("a.npy", "a.txt", "a.csv"):
        found, digest = read_samples(tmp_path / name, ISING)
        np.testing.assert_array_equal(found.s, 2 * binary - 1)
        assert found.s.dtype == np.int8 and found.r.shape == (2, 9, 0) and len(digest) == 64
    np.testing.assert_array_equal(read_samples(tmp_path / "a.npy", Potts([3, 3], 3))[0].s, binary)
    np.save(tmp_path / "r.npy", np.arange(12.0).reshape(3, 4))
    assert read_samples(tmp_path / "r.npy", TrappedBosons(2, 1.0, 2))[0].r.shape == (3, 2, 2)
    np.save(tmp_path / "bad.npy", 2 * binary + 1)
    (tmp_path / "words.txt").write_text("no numbers here\n")
    for name, words in (
        ("bad.npy", "row 1, column 2 is 3; expected 0 and 1, or -1 and 1"),
        ("r.npy", "rows of 9"),
        ("words.txt", r"row 1, column 1 \(line 1\) is 'no'; expected a number"),
        ("absent.npy", "no such file"),
    ):
        with pytest.raises(FileProblem, match=words):
            read_samples(tmp_path / name, ISING)


JOB = """
name = "learn"
seed = 3
[system]
type = "classical_ising"
extent = [3, 3]
temperature = 2.4
[[wavefunction]]
type = "binary_rbm"
[sampling]
proposal = "gibbs"
walkers = 64
block = 8
steps = 2
warmup = 4
[data]
file = "DATA"
[training]
iterations = 12
[evaluation]
steps = 20
warmup = 4
[run]
checkpoint_every = 5
"""


@pytest.mark.processes
def test_same_bits_on_any_number_of_ranks_and_across_resume(tmp_path):
    np.save(tmp_path / "data.npy", drawn(ISING, 100).s)
    (tmp_path / "job.toml").write_text(JOB.replace("DATA", str(tmp_path / "data.npy")))
    done = vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "one.h5")
    assert "Kullback-Leibler" in done.stdout
    vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "three.h5", ranks=3)
    same(tmp_path / "one.h5", tmp_path / "three.h5")
    vmcnet(
        "run",
        tmp_path / "job.toml",
        "--output",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
        ranks=2,
    )
    np.save(tmp_path / "kept.npy", np.load(tmp_path / "data.npy"))
    np.save(tmp_path / "data.npy", drawn(ISING, 100, seed=1).s)
    refused = vmcnet("resume", tmp_path / "half.h5", check=False)
    assert (
        refused.returncode == 2
        and "not the samples" in refused.stderr
        and refused.stderr.count("\n") == 1
    )
    (tmp_path / "kept.npy").rename(tmp_path / "data.npy")
    vmcnet(
        "resume",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=12",
        "--set",
        "evaluation.steps=20",
    )
    same(tmp_path / "one.h5", tmp_path / "half.h5")


@pytest.mark.processes
def test_no_metric_for_data(tmp_path):
    (tmp_path / "job.toml").write_text(JOB + '[natural_gradient]\ntype = "minsr"\n')
    done = vmcnet("check", tmp_path / "job.toml", check=False)
    assert done.returncode == 2 and "data: maximum likelihood" in done.stderr


@pytest.mark.processes
def test_the_job_on_real_valued_data(tmp_path):
    """A short form of jobs/rbm_double_well_data.toml: samples from the script, a machine near their
    density, compared by the script's own formulas.
    """
    from analysis import double_well_samples as script

    samples, path = tmp_path / "samples.npy", tmp_path / "run.h5"
    script.make(samples, 20000, 1)
    settings = {
        "data.file": samples,
        "sampling.walkers": 256,
        "training.iterations": 400,
        "optimizer.learning_rate": 0.05,
        "optimizer.schedule.iterations": 400,
        "evaluation.steps": 2,
        "evaluation.warmup": 1,
    }
    vmcnet(
        "run",
        "jobs/rbm_double_well_data.toml",
        "--output",
        path,
        *(x for k, v in settings.items() for x in ("--set", f"{k}={v}")),
        cwd=ROOT,
    )
    assert script.compare(path) < 0.1
    with h5py.File(path) as file:
        found = {name: file[f"parameters/{name}"][()] for name in ("a", "b", "weights", "width")}
    system, x = DoubleWell(2), np.random.default_rng(1).normal(size=(50, 2, 1))
    psi = GaussianRBM(system, 8, "sqrtF")
    log = 2 * psi.bind(psi.layout.pack(found)).log(x, system.labels(50))
    np.testing.assert_allclose(
        log - log[0],
        (full := script.log_density(found, x[:, :, 0])) - full[0],
        rtol=1e-10,
        atol=1e-12,
    )
    x, density = script.ground_state()
    drawn = np.load(samples)
    assert drawn.shape == (20000, 2) and (x**2 @ density) * (x[1] - x[0]) == pytest.approx(
        (drawn**2).mean(), rel=0.02
    )
