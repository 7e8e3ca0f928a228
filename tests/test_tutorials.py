"""The pages of docs/tutorials: their code runs as it stands there and shows what the text says."""

import os
import re

import numpy as np
import pytest

from tests.runs import BIN, ROOT

PAGES = sorted((ROOT / "docs" / "tutorials").glob("[0-9]*.md"))


def run(page, folder, monkeypatch) -> dict:
    """The names that a page's blocks leave, run one after the other in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        exec(compile(block, str(page.name), "exec"), names)
    return names


def local_energy(n):
    assert n["by_hand"] == pytest.approx(0.15 + 0.125 / 0.3, abs=5e-3)
    assert n["variance_at_the_minimum"] < 1e-20
    assert abs(n["at_start"].energy - (0.15 + 0.125 / 0.3)) < 5 * n["at_start"].error
    assert n["at_minimum"].energy == pytest.approx(0.5, abs=1e-4)


def gradient(n):
    assert n["slope"] == pytest.approx(n["exact_slope"], abs=5e-3)
    assert n["difference"] < 1e-13 and n["jet_difference"] < 1e-12
    plain, natural = (n[k].series["energy"][-1] - 21.0 for k in ("plain", "natural"))
    assert abs(natural) < 0.2 * abs(plain)


def boltzmann_machines(n):
    assert n["alone"].energy > 3.03 and n["with_cusp"].energy == pytest.approx(3.0, abs=5e-3)
    assert n["with_cusp"].variance < 0.1 * n["alone"].variance
    assert n["ising"].energy == pytest.approx(n["chain"].reference[0], rel=5e-3)
    assert abs(n["classical"].energy - n["exact_energy"]) < 5 * n["classical"].error
    assert n["done"].returncode == 0, n["done"].stderr
    assert n["learnt"].divergence < 0.1 * n["guess"] and n["guess"] > 3.0
    assert f"{n['learnt'].divergence:.4f} nats" in n["done"].stdout


def error_bars(n):
    assert n["naive"] < 0.3 * n["true"] and n["tau"] == pytest.approx(19, rel=0.2)
    assert n["found"] == pytest.approx(n["true"], rel=0.2)
    assert 0.5 < n["printed"] / n["spread"] < 2.0


def cluster(n):
    assert n["alone"].returncode == n["shared"].returncode == n["longer"].returncode == 0
    assert n["same"] and n["rows"] == 30


def your_own(n):
    assert n["energy"].energy == pytest.approx(3.0, abs=1e-4)
    assert n["trained"].parameters["slope"] == pytest.approx(1.0, abs=0.02)
    assert len(n["half"].series["energy"]) == 75 and n["whole"].state == "done"
    np.testing.assert_array_equal(n["whole"].training["energy"], n["trained"].series["energy"])
    assert n["done"].returncode == 0, n["done"].stderr
    assert n["run"].evaluations[-1].energy == pytest.approx(3.0, abs=1e-4)
    exact = 1.6368013419  # int r^2 (1+r)^2 e^(-r^2/2) dr / int r (1+r)^2 e^(-r^2/2) dr
    found = n["seen"].observables["separation"]["r12"]
    assert abs(found.mean - exact) < 5 * found.error + 0.01


def six_electrons(n):
    assert n["exact"].energy == pytest.approx(10.0, abs=1e-9) and n["exact"].variance < 1e-18
    assert 20.15 < n["with_jastrow"].energy < 20.20
    rows = {row.name: row for row in n["found"].rows}
    assert rows["2-body backflow"].share > 2 * rows["2-body Jastrow"].share
    assert rows["3-body backflow"].share > rows["2-body backflow"].share > 0.2
    assert rows["own parameters"].share < 0.02
    assert 20.14 < n["with_backflow"].energy < n["with_jastrow"].energy - 0.01
    assert len(n["seen"].observables) == 2
    assert n["with_backflow"].variance < 0.5 * n["with_jastrow"].variance


def electron_gas(n):
    hf = n["hartree_fock"]
    assert abs(hf.energy / 14 - 0.02303895) < 5 * hf.error / 14
    assert n["kinetic"].mean / 14 == pytest.approx(0.28022822, abs=1e-7)
    assert n["correlated"].energy < hf.energy - 0.3
    assert n["correlated"].variance < 0.2 * hf.variance
    assert n["plane_waves"]([0.0, 0.0, 0.0]) == pytest.approx(0.02303895, abs=1e-8)
    assert abs(np.mean(n["exact"]) - 0.0154) < 5 * np.std(n["exact"]) / 10


CHECKS = {
    "1-local-energy": local_energy,
    "2-gradient": gradient,
    "3-boltzmann-machines": boltzmann_machines,
    "4-error-bars": error_bars,
    "5-cluster": cluster,
    "6-your-own": your_own,
    "7-six-electrons": six_electrons,
    "8-electron-gas": electron_gas,
}


def cases():
    for page in PAGES:
        marks = [pytest.mark.processes] if "subprocess" in page.read_text() else []
        yield pytest.param(page, id=page.stem, marks=marks)


@pytest.mark.parametrize("page", list(cases()))
def test_page(page, tmp_path, monkeypatch, capsys):
    with np.errstate(all="warn"):
        CHECKS[page.stem](run(page, tmp_path, monkeypatch))
    assert capsys.readouterr().out
