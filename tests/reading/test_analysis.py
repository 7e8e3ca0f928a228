"""The scripts of analysis/ run on run files, and are short."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import ROOT, vmcnet

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def sweep(run):
    vmcnet(
        "sweep", run.with_name("job.toml"), "wavefunction.1.beta", "0.3", "0.6", "1.2", "--quiet",
        "--folder", run.with_name("sweep"),
    )  # fmt: skip
    return sorted(run.with_name("sweep").glob("*.h5"))


def call(script, *arguments, fails=False):
    done = subprocess.run(
        [sys.executable, ROOT / "analysis" / script, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == (2 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


@pytest.mark.parametrize("more", [[], ["--terms"]])
def test_energy_against_key(sweep, tmp_path, more):
    figure = tmp_path / "beta.png"
    said = call("energy_against_key.py", "wavefunction.1.beta", *sweep, "--figure", figure, *more)
    assert said.strip() == str(figure) and figure.stat().st_size > 5000


def test_zero_variance(run, sweep, tmp_path):
    figure = tmp_path / "line.png"
    said = call("zero_variance.py", *sweep, "--figure", figure)
    assert said.startswith("energy at variance 0: ") and figure.stat().st_size > 5000
    vmcnet(
        "run", run.with_name("job.toml"), "--output", tmp_path / "other.h5", "--quiet",
        "--set", "system.omega=0.5",
    )  # fmt: skip
    runs = (*sweep, tmp_path / "other.h5")
    assert "other.h5: another system than" in call("zero_variance.py", *runs, fails=True)


def test_plot_training(sweep, tmp_path):
    """Run files are read and never taken for the figure."""
    before, figure = sweep[1].read_bytes(), tmp_path / "training.png"
    said = call("plot_training.py", *sweep, "--figure", figure)
    assert said.strip() == str(figure) and figure.stat().st_size > 5000
    assert sweep[1].read_bytes() == before


def test_compare_optimizers(tmp_path):
    figure = tmp_path / "optimizers.png"
    lines = call("compare_optimizers.py", "--iterations", 4, "--figure", figure).splitlines()
    assert len(lines) == 7 and lines[-1] == str(figure) and figure.stat().st_size > 5000
    assert all("energy" in line and "variance" in line for line in lines[:-1])


def test_rank_scaling(run, tmp_path):
    """Ranks, time and speed-up are those of the files."""
    job, figure = run.with_name("job.toml"), tmp_path / "ranks.png"
    settings = ("--set", "evaluation.steps=0", "--quiet")
    vmcnet("run", job, "--output", tmp_path / "two.h5", *settings, ranks=2)
    lines = call("rank_scaling.py", tmp_path / "two.h5", run, "--figure", figure).splitlines()
    with h5py.File(run) as one, h5py.File(tmp_path / "two.h5") as two:
        times = [np.median(file["training/seconds"]) for file in (one, two)]
    assert lines[0].split()[0] == "1" and lines[1].split()[0] == "2"
    assert f"{1e3 * times[1]:.2f} ms" in lines[1]
    assert f"speed-up {times[0] / times[1]:6.2f}" in lines[1] and figure.stat().st_size > 5000


def test_dot_structure(sweep, tmp_path):
    figure, kinds = tmp_path / "dot.png", ("density", "pair_distribution")
    options = [x for kind in kinds for x in ("--observable", f"{kind}, by_spin=true")]
    vmcnet("evaluate", sweep[0], "--steps", "4", "--quiet", *options)
    assert call("dot_structure.py", sweep[0], "--figure", figure).strip() == str(figure)
    assert figure.stat().st_size > 10_000
    without = call("dot_structure.py", sweep[1], "--figure", figure, fails=True)
    assert f"{sweep[1]}: no density: vmcnet evaluate --observable density" in without


NEUTRONS = """
name = "neutrons"
seed = 1
[system]
type = "neutron_matter"
particles = 2
density = 0.005
[[wavefunction]]
type = "slater"
[sampling]
walkers = 128
block = 64
warmup = 10
[training]
iterations = 1
[evaluation]
steps = 10
[[observable]]
type = "static_structure_factor"
[[observable]]
type = "pair_distribution"
bins = 12
channels = true
"""


def test_neutron_pairs(tmp_path, monkeypatch, run):
    """Two neutrons in plane waves are all singlet; what is drawn as free is right for 14 too."""
    job, figure = tmp_path / "neutrons.toml", tmp_path / "pairs.png"
    job.write_text(NEUTRONS)
    vmcnet("run", job, "--output", tmp_path / "neutrons.h5", "--quiet")
    said = call("neutron_pairs.py", tmp_path / "neutrons.h5", "--figure", figure)
    assert said.strip() == str(figure) and figure.stat().st_size > 10_000
    assert "no pair_distribution by channels" in call("neutron_pairs.py", run, fails=True)
    monkeypatch.syspath_prepend(ROOT / "analysis")
    from neutron_pairs import free_overlap, free_structure

    system = vmc.systems.NeutronMatter(14)
    pairs = vmc.observables.PairDistribution(system, bins=20, channels=True)
    volume = pairs.grid["volume"]
    f = free_overlap(system, pairs.grid["r"])
    assert np.nansum(volume * f) / system.box.volume == pytest.approx(1 / 7, rel=2e-3)
    assert f[0] > 0.98 and np.nanmin(f) >= 0
    np.testing.assert_allclose(free_structure(system, 3), [5 / 7, 5 / 7, 1.0])
    free = vmc.open_run(tmp_path / "neutrons.h5").evaluations[-1].observables
    mean = np.asarray(free["pair_distribution"].mean)
    assert np.abs(mean[12:]).max() < 1e-12 and np.abs(mean[4:9] - 0.5).max() < 0.1


@pytest.mark.parametrize(
    "name",
    [
        "energy_against_key.py",
        "zero_variance.py",
        "plot_training.py",
        "compare_optimizers.py",
        "rank_scaling.py",
        "electron_gas.py",
        "dot_structure.py",
        "neutron_pairs.py",
    ],
)
def test_scripts_are_short(name):
    assert len((ROOT / "analysis" / name).read_text().splitlines()) <= 80


def test_natural_gradient_curves(tmp_path):
    name, figure = "shift 0.1 to 1e-3, 3 filters", tmp_path / "curves.png"
    said = call("natural_gradient_curves.py", "--iterations", 2, "--figure", figure, name)
    assert said.startswith(name) and figure.stat().st_size > 5000
    assert "'other': expected some of" in call("natural_gradient_curves.py", "other", fails=True)


def test_scaling(tmp_path):
    """The figure and tables of what is kept in docs/scaling.json."""
    figure = tmp_path / "scaling.svg"
    said = call("scaling.py", "plot", ROOT / "docs" / "scaling.json", figure)
    assert "strong efficiency of 0.7 on 4096 ranks" in said and figure.stat().st_size > 5000
    assert "expected 2 paths, got 0" in call("scaling.py", "plot", fails=True)
