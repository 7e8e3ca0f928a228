"""The scripts of analysis/ run on run files, and are short."""

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("name", ["energy_against_key.py", "zero_variance.py", "electron_gas.py"])
def test_scripts_are_short(name):
    assert len((ROOT / "analysis" / name).read_text().splitlines()) <= 80
