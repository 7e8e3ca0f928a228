"""Observables inside an evaluation: errors between walkers, what is refused, groups of walkers,
resume, ranks, files.
"""

import json
from importlib import import_module

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import ROOT, datasets, same, vmcnet
from tests.spins import amplitudes, states, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.config import JobError, parse_observables
from vmcnet.config.explain import variants
from vmcnet.config.observables import ObservableTable
from vmcnet.engine.observing import LARGEST, ObservableError, groups_of
from vmcnet.engine.population import Population
from vmcnet.engine.training import TrainingResult, TrainingState
from vmcnet.observables import Correlations, Observable
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.runs.reading import Run
from vmcnet.runs.report import report_lines
from vmcnet.runs.summary import summary
from vmcnet.sampling.spin_metropolis import SpinFlip
from vmcnet.sampling.thermal import Thermal
from vmcnet.statistics.jackknife import jackknife
from vmcnet.storage.run_file import RunFile
from vmcnet.systems import ClassicalIsing, TransverseIsing, TrappedBosons
from vmcnet.wavefunctions import BinaryRBM, Boltzmann, GaussianEnvelope


class Moments(Observable):
    """x and x^2 of the first particle, and the ratio <x^2>/(1 + <x>)."""

    name, labels, units = "moments", ("x", "x^2"), "length"

    def __init__(self, change=None):
        self.change = change

    def measure(self, walkers, psi):
        x = walkers.r[:, 0, 0]
        out = np.stack([x, x * x], axis=1)
        walkers.r[:] = 17.0  # a copy: the walkers stay where they are
        return out if self.change is None else self.change(out)

    def derived(self, mean, square):
        found = jackknife(lambda x, xx: xx / (1.0 + x), mean["x"], mean["x^2"])
        return {"ratio": found, "spread": (float((square["x"] - mean["x"] ** 2).mean()), 0.0)}


class Histogram(Observable):
    """300 bins of x between -4 and 4: too many for a series."""

    name = "histogram"
    labels = [f"bin {k}" for k in range(300)]
    grid = {"x": np.linspace(-4.0, 4.0, 301)}

    def measure(self, walkers, psi):
        bins = np.floor((walkers.r[:, 0, 0] + 4.0) * 37.5).astype(int)
        return (bins[:, None] == np.arange(300)).astype(float)


def oscillator(walkers=128, block=32, seed=5):
    """One boson in the Gaussian exp(-0.8 x^2): <x^2> = 1/3.2."""
    system = TrappedBosons(1, 1.0, 1)
    psi = GaussianEnvelope(system)
    people = Population(
        system, psi, vmc.sampling.Gaussian(), SerialCommunicator(), seed, walkers, block
    )
    people.start()
    return TrainingResult(TrainingState(np.array([np.log(0.8)]), {}, 1.9), people)


def test_own_observable():
    plain, found = (
        vmc.evaluate(oscillator(), steps=150, observables=o) for o in ([], [Moments(), Histogram()])
    )
    assert plain.energy == found.energy and plain.error == found.error
    own = found.observables["moments"]
    assert abs(own["x^2"].mean - 1 / 3.2) < 4 * own["x^2"].error < 0.02
    assert own["x^2"].blocking == pytest.approx(own["x^2"].error, rel=0.6)
    ratio, error = own.derived["ratio"]
    assert abs(ratio - 1 / 3.2) < 4 * error < 0.03
    assert own.derived["spread"][0] == pytest.approx(1 / 3.2, abs=0.02)
    bins = found.observables["histogram"]
    assert (
        bins.mean.sum() == pytest.approx(1.0, abs=1e-3) and np.isnan(bins.estimates.blocking).all()
    )
    middle = 0.5 * (bins.grid["x"][1:] + bins.grid["x"][:-1])
    density = np.exp(-1.6 * middle**2) * np.sqrt(1.6 / np.pi) * (8.0 / 300)
    seen = bins.error > 0
    z = (bins.mean - density)[seen] / bins.error[seen]
    assert (np.abs(z[density[seen] > 1e-3]) < 4.5).all()
    assert len(bins.shown) == 1 and len(own.shown) == 2


def infinite(x):
    x[3] = np.inf
    return x


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (infinite, "observable moments: 8 values are NaN or infinite, first in block 0"),
        (lambda x: x * np.nan, "observable moments: 256 values are NaN"),
        (lambda x: x * (1 + 1e-3j), "observable moments: 256 values are complex.* real part"),
        (lambda x: x[:, 0], r"returned \(32,\) of float64; expected .* \(32, 2\)"),
        (lambda x: np.array([["a", "b"]] * 32), "real numbers of shape"),
    ],
)
def test_what_is_refused_at_the_measurement(change, words):
    with pytest.raises(ObservableError, match=words):
        vmc.evaluate(oscillator(), steps=4, warmup=1, observables=[Moments(change)])


def test_rounding_of_a_complex_number_is_no_imaginary_part():
    change = lambda x: x * (1 + 1e-14j)  # noqa: E731
    found = vmc.evaluate(oscillator(), steps=4, warmup=1, observables=[Moments(change)])
    assert found.observables["moments"].mean.dtype == np.float64


class Nameless(Observable):
    name, labels = "two words", ("a",)


def test_units_of_every_component():
    """One text for all, or one a component; another number of them is refused."""
    found = {}
    for units in (("bohr", "bohr^2"), "bohr, bohr^2", "bohr"):
        observable = Moments()
        observable.units = units
        shown = vmc.evaluate(oscillator(), steps=4, warmup=1, observables=[observable])
        found[units] = repr(shown.observables["moments"])
    pair, text, single = found.values()
    assert pair == text and pair.endswith(" bohr^2") and single.endswith(" bohr")
    for wrong in (("bohr",), 3, ("bohr", 2)):
        observable.units = wrong
        with pytest.raises(ValueError, match="units must be one text, or one a component, 2"):
            vmc.evaluate(oscillator(), steps=4, observables=[observable])


@pytest.mark.parametrize(
    ("observables", "words"),
    [
        ([3], "observable int: expected a subclass of vmcnet.observables.Observable"),
        ([Nameless()], "'two words' is no word"),
        ([Moments(), Moments()], "moments occurs twice"),
    ],
)
def test_what_is_no_observable(observables, words):
    with pytest.raises(ValueError, match=words):
        vmc.evaluate(oscillator(), steps=4, observables=observables)


def test_groups():
    """Single walkers where they fit, larger groups where not, at least one a block."""
    assert groups_of(128, 8, 10) == 128
    assert groups_of(128, 8, 8000) == 4 and LARGEST >= 8 * 4 * 8000
    assert groups_of(128, 8, 10**9) == 1 and groups_of(100, 1, 0) == 100
    assert groups_of(100, 1, 50_000) == 5


def test_groups_of_walkers_give_the_same_means_and_honest_errors(monkeypatch):
    single = vmc.evaluate(oscillator(), steps=100, observables=[Moments()])
    monkeypatch.setattr("vmcnet.engine.observing.LARGEST", 2 * 64)  # 128 walkers: 64 pairs
    pairs = vmc.evaluate(oscillator(), steps=100, observables=[Moments()])
    a, b = (found.observables["moments"] for found in (single, pairs))
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(a.error, b.error, rtol=0.4)
    assert not np.allclose(a.error, b.error, rtol=1e-6)
    assert a.derived["ratio"][0] == pytest.approx(b.derived["ratio"][0], rel=1e-3)


def test_a_magnetisation_that_does_not_mix():
    """Transverse Ising 5 x 5 at h = 1, ordered: walkers keep the sign of m. The error is that
    between walkers, and the result says that they have not mixed.
    """
    system = TransverseIsing([5, 5], field=1.0)
    psi = BinaryRBM(system, symmetric=True, spread=0.1)
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(0.05),
        natural_gradient=vmc.optimizers.SR(1e-3),
        iterations=60,
        walkers=1024,
        block=128,
        steps=2,
        warmup=20,
        seed=3,
    )
    found = vmc.evaluate(result, steps=150, interval=2, warmup=10)
    m = found.observables["magnetisation"]
    assert 0.02 < m["m"].error < 0.05 and abs(m["m"].mean) < 4 * m["m"].error
    assert m["|m|"].mean > 0.7 and m["|m|"].error < 0.01
    assert any("magnetisation m: split R-hat" in w and "not mixed" in w for w in found.warnings)


JOB = """
name = "observed"
seed = 3
[system]
type = "transverse_ising"
extent = [6]
[[wavefunction]]
type = "binary_rbm"
spread = 0.3
[sampling]
walkers = 64
block = 8
steps = 1
warmup = 2
proposal = "spin_flip"
[training]
iterations = 0
[evaluation]
steps = 40
interval = 1
warmup = 3
[run]
checkpoint_every = 10
"""


@pytest.mark.processes
def test_on_a_finished_run_and_resumed(tmp_path):
    """`evaluate --observable`; an evaluation that was stopped goes on with what it measured."""
    job, one, two = (tmp_path / name for name in ("job.toml", "one.h5", "two.h5"))
    job.write_text(JOB.replace("extent = [6]", "extent = [6]\nperiodic = false"))
    for path in (one, two):
        vmcnet("run", job, "--output", path)
    asked = ("--observable", "magnetisation", "--observable", "staggered", "--steps", "400")
    done = vmcnet("evaluate", one, *asked)
    assert "staggered m " in done.stdout
    vmcnet("evaluate", two, *asked, fault=f"stop:{tmp_path / 'two.h5.STOP'} 150")
    assert "evaluation/1/energy" not in datasets(two)
    vmcnet("resume", two, ranks=2)
    same(one, two)
    done = vmcnet("evaluate", one, "--observable", "thermodynamics", check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "thermodynamics belongs to classical models" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("densty", "expected one of"),
        ("staggered, bins=3", "staggered.bins: unknown key|bins: unknown key"),
        ("staggered, bins", "expected NAME or 'NAME, KEY = VALUE, ...'"),
    ],
)
def test_what_the_command_line_refuses(text, words):
    with pytest.raises(JobError, match=f"^--observable.*({words})"):
        parse_observables([text], "--observable")


def test_types_are_the_names_of_the_observables():
    """A table's `type` is the name under which its observable stands in files and reports."""
    for name, table in variants(ObservableTable).items():
        if name == "user":  # a class of one's own brings its name
            continue
        module, kind = table.builds.split(":")
        assert getattr(import_module(module), kind).name == name


@pytest.mark.processes
def test_tables_of_a_job(tmp_path):
    """A table of a job replaces the default of its name; two of one name are refused."""
    job = tmp_path / "job.toml"
    job.write_text(JOB + '[[observable]]\ntype = "magnetisation"\n')
    vmcnet("run", job, "--output", tmp_path / "run.h5")
    found = datasets(tmp_path / "run.h5")
    names = {key.split("/")[3] for key in found if "observables" in key}
    assert names == {"magnetisation", "staggered", "correlations", "structure_factor"}
    assert found["evaluation/0/observables/magnetisation/mean"].shape == (2, 3, 64)
    bad = tmp_path / "bad.toml"
    bad.write_text(JOB + 2 * '[[observable]]\ntype = "magnetisation"\n')
    done = vmcnet("check", bad, check=False)
    assert done.returncode == 2 and "magnetisation occurs twice" in done.stderr


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "spins_0_1",
            ["energy    -3.79(10) ", "magnetisation |m|  0.373(7)", "staggered m  -0.13(2)"],
        ),
        (
            "classical_0_1",
            [
                "energy    -16.01(11)",
                "order m  0.930(4)  (blocking 0.004,",
                "order m^4  0.853(8)",
                "energy a site  -1.779(12)",
                "heat capacity a site  0.50(3)",
                "Binder cumulant  0.644(2)",
            ],
        ),
    ],
)
def test_files_of_version_0_1_are_read(name, lines):
    """The figures that version 0.1 printed of them."""
    file = RunFile.open(ROOT / "tests" / "data" / f"{name}.h5")
    report = "\n".join(report_lines(summary(Run(file))))
    for line in lines:
        assert line in report, report


def frozen(system, psi, sampler):
    people = Population(system, psi, sampler, SerialCommunicator(), 17, 64, 64)
    people.start()
    theta = psi.start(Stream(5, 3, 0, 0))
    return TrainingResult(TrainingState(theta, {}, 1.0), people)


def enumerated(result, s):
    """|psi|^2 on the configurations s (D, n), of sum 1."""
    psi, theta = result.population.wavefunction, result.state.theta
    probability = np.abs(amplitudes(psi, theta, s)) ** 2
    return probability / probability.sum()


def machine():
    """Six spins in a transverse field, moved by flips: |m| and the correlation of neighbours."""
    system = TransverseIsing([6])
    result = frozen(system, BinaryRBM(system, spread=0.3), SpinFlip(system))
    wanted = {"magnetisation": 1, "correlations": 1}
    return result, states(6), enumerated(result, states(6)), wanted, system.observables


def heat_bath():
    """The classical Ising model on 3 x 3 sites: |m| and the correlation of neighbours."""
    system, s = ClassicalIsing([3, 3], 3.0), states(9)
    result = frozen(system, Boltzmann(system), Thermal(system))
    square = s.reshape(-1, 3, 3).astype(float)
    bonds = sum((square * np.roll(square, 1, axis)).sum(axis=(1, 2)) for axis in (1, 2))
    weights = np.exp(bonds / 3.0)
    measured = (system.observables[-1], Correlations(system))
    return result, s, weights / weights.sum(), {"order": 0, "correlations": 1}, measured


def standardised(case, numbers):
    """(found - enumerated)/error of the two observables of a case, of evaluations by number."""
    result, s, probability, wanted, observables = case()
    own = {o.name: o for o in observables}
    exact = {k: probability @ own[k].measure(walkers_of(s), None)[:, i] for k, i in wanted.items()}
    usual, z = result.population.system.observables, []
    more = [o for o in observables if o.name not in {u.name for u in usual}]
    for k in numbers:
        plan = {"steps": 200, "interval": 4, "warmup": 10, "number": k}
        found = vmc.evaluate(result, observables=more, **plan).observables
        z.append([(found[n].mean[i] - exact[n]) / found[n].error[i] for n, i in wanted.items()])
    return np.array(z)


@pytest.mark.verify
@pytest.mark.parametrize("case", [machine, heat_bath])
def test_intervals_of_two_observables_cover(case):
    """1000 evaluations of a frozen state: 95 % intervals of two observables hold the enumerated
    values in 93 to 97 %.
    """
    covered = (np.abs(standardised(case, range(1000))) < 1.96).mean(axis=0)
    print(f"coverage, {case.__name__}:", json.dumps((100 * covered).tolist()))
    assert (covered > 0.93).all() and (covered < 0.97).all()


def test_observables_of_another_system():
    """Of other sizes, spins, potential or lattice their numbers would be others; those of a system
    made again the same way are taken.
    """
    s, o = vmc.systems, vmc.observables
    dot, chain = s.QuantumDot(2), s.TransverseIsing([6])
    parts = {"walkers": 16, "block": 8, "warmup": 1, "iterations": 0}
    results = {
        "coordinates": vmc.train(dot, vmc.wavefunctions.GaussianEnvelope(dot), **parts),
        "spins": vmc.train(chain, vmc.wavefunctions.BinaryRBM(chain), **parts),
    }
    for made in (
        o.PairDistribution(s.QuantumDot(6)),
        o.TotalSpin(s.QuantumDot(2, spin_projection=1.0)),
        o.Virial(s.QuantumDot(2, omega=0.1)),
        o.StructureFactor(s.TransverseIsing([3, 2])),
        o.StaggeredMagnetisation(s.TransverseIsing([6], periodic=False)),
    ):
        result = results[made.made_for.moves]
        with pytest.raises(ValueError, match=f"observable {made.name}: made for .* make it with"):
            vmc.evaluate(result, steps=4, observables=[made])
    for made in (o.PairDistribution(s.QuantumDot(particles=2)), o.Magnetisation(chain)):
        found = vmc.evaluate(results[made.made_for.moves], steps=4, warmup=0, observables=[made])
        assert made.name in found.observables
