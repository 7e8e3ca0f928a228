"""Classical Ising and Potts models: exact tori, enumeration, the compiled sweep against its twin,
ranks and resume.
"""

import numpy as np
import pytest

from tests.runs import same, vmcnet
from vmcnet.backend.stream import Stream
from vmcnet.engine.evaluation import finish, initial_evaluation, run_evaluation
from vmcnet.engine.population import Population
from vmcnet.engine.results import summarize
from vmcnet.exact.torus import torus_thermodynamics
from vmcnet.kernels.numba_heat_bath import sweep
from vmcnet.observables import OrderParameter
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.thermal import Thermal
from vmcnet.statistics.jackknife import jackknife
from vmcnet.systems import ClassicalIsing, Potts, TransverseIsing
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import BinaryRBM, Boltzmann

CRITICAL = 2.0 / np.log1p(np.sqrt(2.0))
SYSTEMS = {
    "ising": ClassicalIsing([4, 3], 2.5),
    "ising in a field": ClassicalIsing([3, 3], 1.9, 0.7, 0.3),
    "antiferromagnet": ClassicalIsing([4, 3], 2.0, -1.0),
    "graph": ClassicalIsing(sites=5, edges=[[0, 1], [1, 2], [2, 3], [0, 2]], temperature=1.5),
    "potts": Potts([3, 3], 3, 1.2),
}


@pytest.mark.parametrize(
    ("extent", "temperature"), [([3, 3], 2.1), ([4, 4], CRITICAL), ([3, 5], 3.0), ([4, 3], 1.5)]
)
def test_torus_against_enumeration(extent, temperature):
    system = ClassicalIsing(extent, temperature)
    states, p = system.enumerated()
    energy = system.energy(states)
    mean = p @ energy
    found = torus_thermodynamics(*extent, temperature)
    np.testing.assert_allclose(found, [mean, p @ (energy - mean) ** 2 / temperature**2], rtol=1e-9)


def test_torus_of_16():
    for temperature, energy, heat in (
        (2.0, -1.74553066899, 0.7255087677),
        (CRITICAL, -1.45306485281, 1.498704959),
    ):
        np.testing.assert_allclose(
            np.array(torus_thermodynamics(16, 16, temperature)) / 256, [energy, heat], rtol=1e-9
        )


def test_energy_of_a_walker():
    s = np.array([[1, 1, -1], [1, -1, 1], [-1, 1, 1]], np.int8).ravel()[None]
    grid, total = s.reshape(3, 3), 0
    for i in range(3):
        for j in range(3):
            total -= grid[i, j] * grid[(i + 1) % 3, j] + grid[i, j] * grid[i, (j + 1) % 3]
    assert ClassicalIsing([3, 3], 2.0).energy(s)[0] == total
    assert ClassicalIsing([3, 3], 2.0, 2.0, 0.5).energy(s)[0] == 2 * total - 0.5 * s.sum()
    assert Potts([3, 3], 2, 1.0).energy((1 + s) // 2)[0] == (total - 18) / 2


@pytest.mark.parametrize("name", SYSTEMS)
def test_compiled_sweep_is_its_plain_twin(name):
    sampler, stream = Thermal(SYSTEMS[name]), Stream(1, 2, 3, 4)
    start = SYSTEMS[name].start(stream, 200)
    colours = np.searchsorted(sampler._labels, start.s).astype(np.int8)
    other, changed, twin = colours.copy(), np.zeros(200, np.int64), np.zeros(200, np.int64)
    for _ in range(5):
        uniforms = stream.uniform(colours.shape)
        sweep(colours, sampler._neighbours, sampler._factors, sampler._single, uniforms, changed)
        sampler.plain_sweep(other, uniforms, twin)
    np.testing.assert_array_equal(colours, other)
    np.testing.assert_array_equal(changed, twin)
    assert changed.all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_sweep_keeps_the_boltzmann_distribution(name):
    """Walkers drawn from the exact distribution, then three sweeps: energies still fit it by
    chi-square; wrong temperatures do not.
    """
    system = SYSTEMS[name]
    states, p = system.enumerated()
    psi = Boltzmann(system).bind(np.empty(0))
    np.testing.assert_allclose(
        2 * np.diff(psi.log(np.zeros((len(states), system.particles, 0)), states)),
        np.diff(np.log(p)),
        rtol=1e-8,
        atol=1e-10,
    )
    levels, level = np.unique(np.round(system.energy(states), 9), return_inverse=True)
    expected = 40000 * np.bincount(level, p)
    keep = expected > 20

    def chi(other):
        rng = np.random.default_rng(3)
        start = system.start(Stream(1, 0, 0, 0), 40000)
        walkers = type(start)(start.r, states[rng.choice(len(p), 40000, p=p)])
        after, counts = Thermal(other).sample(walkers, psi, 0.0, 3, Stream(7, 1, 1, 1))
        assert counts.tried == 3 * 40000 * system.particles and 0 < counts.accepted < counts.tried
        found = np.bincount(
            np.searchsorted(levels, np.round(system.energy(after.s), 9)), minlength=len(levels)
        )
        return ((found - expected)[keep] ** 2 / expected[keep]).sum()

    freedom = keep.sum() - 1
    assert chi(system) < freedom + 4 * np.sqrt(2 * freedom)
    wrong = Potts([3, 3], 3, 1.26) if name == "potts" else None
    if wrong is not None:
        assert chi(wrong) > 3 * freedom


def evaluated(system, walkers=512, steps=400, interval=3):
    people = Population(
        system, Boltzmann(system), Thermal(system), SerialCommunicator(), 4, walkers, 128
    )
    people.start()
    state = initial_evaluation(people, 0, 1.0)
    nothing = lambda *arguments: 0  # noqa: E731
    run_evaluation(
        people,
        np.empty(0),
        state,
        steps=steps,
        interval=interval,
        warmup=40,
        record=nothing,
        save=nothing,
        poll=nothing,
    )
    found = summarize(finish(people, state), moves=system.moves)
    assert found.energy == pytest.approx(np.mean(state.series["energy"]), rel=1e-12)
    derived = {k: v for o in found.observables.values() for k, v in o.derived.items()}
    return {"energy": (found.energy, None), **derived}


@pytest.mark.parametrize(
    "system",
    [Potts([3, 3], 3, 1.0), Potts([4, 4], 3, 1.0, 0.9), ClassicalIsing([4, 4], CRITICAL)],
    ids=["potts 3x3", "potts 4x4", "ising 4x4"],
)
def test_thermodynamics_against_enumeration(system):
    if isinstance(system, Potts) and system.particles == 16:
        energy, heat = potts_by_transfer_matrix(system)
        binder = None
    else:
        states, p = system.enumerated()
        e = system.energy(states)
        m = OrderParameter(system).measure(Walkers(None, states), None).T[1:]
        energy = p @ e
        heat = p @ (e - energy) ** 2 / system.temperature**2
        binder = 1 - (m[1] @ p) / (3 * (m[0] @ p) ** 2)
    n, found = system.particles, evaluated(system)
    value, error = found["energy a site"]
    assert abs(value - energy / n) < 4 * error and abs(value / (energy / n) - 1) < 2e-3
    assert value == pytest.approx(found["energy"][0] / n, rel=1e-9)
    value, error = found["heat capacity a site"]
    assert abs(value - heat / n) < 4 * error and abs(value / (heat / n) - 1) < 0.02
    if binder is not None:
        value, error = found["Binder cumulant"]
        assert abs(value - binder) < 4 * error and abs(value - binder) < 0.01


def potts_by_transfer_matrix(system):
    """Energy and heat capacity of the 4 x 4 Potts torus from Tr V^4, V over the 81 states of a row;
    derivatives by differences.
    """
    q, rows = 3, np.array(np.meshgrid(*[range(3)] * 4)).reshape(4, -1).T
    inside = sum((rows[:, k] == rows[:, (k + 1) % 4]).astype(float) for k in range(4))
    between = (rows[:, None] == rows[None]).sum(axis=2)
    assert len(rows) == q**4

    def log_z(k):
        return np.log(np.trace(np.linalg.matrix_power(np.exp(k * (between + inside[None])), 4)))

    j, t, h = 0.9, system.temperature, 1e-3
    k = j / t
    f = [log_z(k + m * h) for m in range(-2, 3)]
    first = (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * h)
    second = (16 * (f[3] + f[1]) - (f[4] + f[0]) - 30 * f[2]) / (12 * h * h)
    return -j * first, k * k * second


def test_jackknife():
    """Of a mean it is the usual error; of a variance it removes the bias; its error covers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    value, error = jackknife(lambda m: m, x)
    assert value == pytest.approx(x.mean()) and error == pytest.approx(x.std(ddof=1) / np.sqrt(50))
    assert jackknife(lambda m, mm: mm - m * m, x, x * x)[0] == pytest.approx(x.var(ddof=1))
    draws = [jackknife(lambda m: m * m, rng.normal(1.0, 1.0, 30)) for _ in range(2000)]
    inside = np.mean([abs(v - 1.0) < 2 * e for v, e in draws])
    assert 0.91 < inside < 0.975


JOB = """
name = "classical"
seed = 3
[system]
type = "potts"
extent = [4, 4]
[[wavefunction]]
type = "boltzmann"
[sampling]
proposal = "thermal"
walkers = 64
block = 8
steps = 2
warmup = 4
[training]
iterations = 0
[evaluation]
steps = 20
warmup = 4
[run]
checkpoint_every = 5
"""


@pytest.mark.processes
def test_same_bits_on_any_number_of_ranks(tmp_path):
    (tmp_path / "job.toml").write_text(JOB)
    done = vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / "one.h5")
    assert "heat capacity a site" in done.stdout and "Binder cumulant" in done.stdout
    for ranks in (2, 3):
        vmcnet("run", tmp_path / "job.toml", "--output", tmp_path / f"{ranks}.h5", ranks=ranks)
        same(tmp_path / "one.h5", tmp_path / f"{ranks}.h5")


@pytest.mark.processes
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("thermal", "spin_flip"), "colours"),
        (('"boltzmann"', '"binary_rbm"'), "colours"),
        (('"potts"', '"transverse_ising"'), "temperature"),
    ],
)
def test_parts_that_do_not_fit(tmp_path, change, words):
    (tmp_path / "job.toml").write_text(JOB.replace(*change))
    done = vmcnet("check", tmp_path / "job.toml", check=False)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClassicalIsing([3, 3], 0.0), "temperature"),
        (lambda: Potts([3, 3], 1), "states"),
        (lambda: ClassicalIsing([3, 3], 1e-3), "too low"),
        (lambda: Boltzmann(TransverseIsing([4])), "temperature"),
        (lambda: Thermal(TransverseIsing([4])), "temperature"),
        (
            lambda: Thermal(SYSTEMS["ising"]).check(SYSTEMS["ising"], BinaryRBM(SYSTEMS["ising"])),
            "boltzmann",
        ),
        (lambda: ClassicalIsing([6, 6]).enumerated(), "too many"),
        (lambda: jackknife(lambda x: x, [1.0]), "at least 2"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
