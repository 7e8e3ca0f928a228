"""Corrections for a finite box of electrons: plasmons and plane waves in closed form, reports."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import ROOT, vmcnet
from vmcnet.observables import StaticStructureFactor, finite_size
from vmcnet.observables.pairs import AT_ORIGIN
from vmcnet.systems import ElectronGas, NeutronMatter

LINE = ("evaluation.steps=4", "evaluation.interval=2", "sampling.walkers=32", "sampling.block=32")


def result_of(gas, structure, noise=0.0, walkers=400):
    """An evaluation whose walkers have S(k) = structure(k), and noise."""
    observable = StaticStructureFactor(gas, shells=3)
    stream = np.random.default_rng(4)
    exact = structure(observable.grid["k"])
    walked = exact[:, None] + noise * stream.normal(size=(3, walkers))
    derived = observable.derived(dict(zip(observable.labels, walked, strict=True)), {})
    measured = {"static_structure_factor": SimpleNamespace(derived=derived)}
    return SimpleNamespace(energy=-2.0, error=0.01, observables=measured), walked


@pytest.mark.parametrize("r_s", [1.0, 100.0])
def test_plasmons(r_s):
    """S(k) = k^2/(2 omega), omega^2 = 4 pi n: potential and kinetic are both omega/4."""
    gas = ElectronGas(14, r_s)
    omega = np.sqrt(4.0 * np.pi * 14 / gas.box.volume)
    found = finite_size(gas, result_of(gas, lambda k: k**2 / (2.0 * omega))[0])
    assert found.potential[0] == pytest.approx(0.25 * omega, rel=1e-12)
    assert found.kinetic == (pytest.approx(0.25 * omega, rel=1e-12), 0.0)
    assert found.energy == (pytest.approx(-2.0 + 0.5 * omega, rel=1e-12), pytest.approx(0.01))
    assert found.ratio[0] == pytest.approx(1.0, rel=1e-12) and not found.warnings


def test_the_next_power_is_taken_off_and_the_error_is_that_of_the_walkers():
    gas = ElectronGas(54, 2.0)
    result, walked = result_of(gas, lambda k: k**2 * (0.7 - 0.3 * k**2), noise=0.05)
    a, b = StaticStructureFactor(gas).grid["k"][:2] ** 2
    line = (walked[0] * b / a - walked[1] * a / b) / (b - a)
    value, error = result.observables["static_structure_factor"].derived[AT_ORIGIN]
    assert value == pytest.approx(line.mean(), rel=1e-12)
    assert error == pytest.approx(line.std(ddof=1) / np.sqrt(len(line)), rel=1e-12)
    assert abs(value - 0.7) < 4 * error < 0.2
    found = finite_size(gas, result)
    assert found.potential[1] == pytest.approx(0.5 * gas.plasmon**2 * error)
    assert found.energy[1] == pytest.approx(np.hypot(0.01, found.potential[1]))


def test_plane_waves_are_doubted():
    """S(k) of filled shells, 1 - (1/N) sum_sigma #{occupied k1 - k2 = k}: no plasmons in it."""
    gas = ElectronGas(14, 2.0)
    occupied = [tuple(m) for m in gas.box.filled(7)]
    exact = []
    for shell in gas.box.shells(3)[1:]:
        k = shell[0]
        pairs = sum(tuple(np.array(a) - k) in occupied for a in occupied)
        exact.append(1.0 - 2.0 * pairs / 14)
    assert exact == pytest.approx([5 / 7, 5 / 7])
    found = finite_size(gas, result_of(gas, lambda k: np.array([*exact, 1.0]))[0])
    assert found.ratio[0] > 1.25 and "lacks" in found.warnings[0]


def test_refused():
    measured, _ = result_of(ElectronGas(14, 1.0), lambda k: k**2)
    for system in (ElectronGas(10, 1.0, 2), NeutronMatter(14, 0.04)):
        with pytest.raises(ValueError, match="the electron gas in 3 dimensions; this is: "):
            finite_size(system, measured)
        assert StaticStructureFactor(system).derived({}, {}) == {}
    empty = SimpleNamespace(observables={})
    with pytest.raises(ValueError, match="evaluate with the observable static_structure_factor"):
        finite_size(ElectronGas(14, 1.0), empty)


@pytest.mark.processes
def test_in_reports(tmp_path):
    """Text, JSON, Python and the figures tell the same; without S(k) the way to it is named."""
    path, settings = tmp_path / "gas.h5", [x for pair in LINE for x in ("--set", pair)]
    job = ("run", "jobs/electron_gas_14_jastrow.toml", "--output", path, *settings)
    vmcnet(*job, "--set", "training.iterations=0", "--set", "sampling.warmup=2")
    refused = vmcnet("report", path, "--finite-size", check=False)
    assert refused.returncode == 2 and "--observable static_structure_factor" in refused.stderr
    pairs = ("--observable", "pair_distribution, by_spin = true, bins = 12")
    vmcnet("evaluate", path, "--steps", "4", "--observable", "static_structure_factor", *pairs)
    (told,) = json.loads(vmcnet("report", path, "--finite-size", "--json").stdout)
    run = vmc.open_run(path)
    found = run.finite_size()
    assert told["finite_size"]["potential"] == list(found.potential)
    assert told["finite_size"]["energy"] == list(found.energy)
    lines = vmcnet("report", path, "--finite-size").stdout.splitlines()
    shown = dict(
        line.split() for line in lines if line.startswith("    kinetic") and "(" not in line
    )
    assert float(shown["kinetic"]) == pytest.approx(found.kinetic[0] / 14, abs=1e-7)
    both = vmcnet("report", path, "--finite-size", "--csv", check=False)
    assert both.returncode == 2 and "expected alone, or with --json" in both.stderr
    script = [sys.executable, ROOT / "analysis" / "electron_gas.py", path]
    done = subprocess.run(
        [*map(str, script), "--figure", str(tmp_path / "gas.png")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "n int (g - 1) = -1.000000" in done.stdout
    assert f"corrected energy an electron {found.energy[0] / 14:.6f}" in done.stdout
    assert (tmp_path / "gas.png").stat().st_size > 5000
