"""The scripts of analysis/ run on run files, and are short."""

import subprocess
import sys

import numpy as np
import pytest

from tests.runs import ROOT, vmcnet

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def sweep(run):
    vmcnet(
        "sweep", run.with_name("job.toml"), "system.omega", "0.5", "1.0", "2.0", "--quiet",
        "--folder", run.with_name("sweep"),
    )  # fmt: skip
    return sorted(run.with_name("sweep").glob("*.h5"))


def call(script, *arguments):
    done = subprocess.run(
        [sys.executable, ROOT / "analysis" / script, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("more", [[], ["--terms"]])
def test_energy_against_key(sweep, tmp_path, more):
    figure = tmp_path / "omega.png"
    said = call("energy_against_key.py", "system.omega", *sweep, "--figure", figure, *more)
    assert said.strip() == str(figure) and figure.stat().st_size > 5000


def test_zero_variance(sweep, tmp_path):
    figure = tmp_path / "line.png"
    said = call("zero_variance.py", *sweep, "--figure", figure)
    assert said.startswith("energy at variance 0: ") and figure.stat().st_size > 5000


def test_the_line():
    sys.path.insert(0, str(ROOT / "analysis"))
    try:
        from zero_variance import fitted
    finally:
        sys.path.pop(0)
    x, error = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.1])
    (slope, energy), covariance = fitted(x, 3.0 + 0.5 * x, error)
    assert slope == pytest.approx(0.5) and energy == pytest.approx(3.0)
    weights = 1 / error**2
    s, sx, sxx = weights.sum(), (weights * x).sum(), (weights * x * x).sum()
    assert covariance[1, 1] == pytest.approx(sxx / (s * sxx - sx * sx))


@pytest.mark.parametrize("name", ["energy_against_key.py", "zero_variance.py"])
def test_scripts_are_short(name):
    assert len((ROOT / "analysis" / name).read_text().splitlines()) <= 80
