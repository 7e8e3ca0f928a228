"""Evaluations that end by their error: where they look, what they keep, how little it biases."""

import copy

import h5py
import numpy as np
import pytest

import vmcnet as vmc
from tests.runs import JOB, same, vmcnet
from vmcnet.engine.observing import Halves
from vmcnet.engine.precision import FIRST, Looks


@pytest.mark.parametrize("steps", [2, 3, 7, 32, 33, 100, 2000, 12345])
def test_parts_join_to_the_halves_of_all_looks(steps):
    """At every look the halves are those of all measurements before it, done // 2 and the rest."""
    looks, x = Looks(steps), np.random.default_rng(1).normal(size=(steps, 1, 3))
    assert looks.at[-1] == steps and sorted(set(looks.at)) == looks.at
    assert all(at >= FIRST for at in looks.at[:-1])
    parts = Halves.empty(1, 1, 3, looks.PARTS)
    for done in range(steps):
        parts.add(0, *looks.part(done), x[done])
        if done + 1 not in looks.at:
            continue
        half, found = (done + 1) // 2, looks.joined(parts, done + 1)
        for k, part in enumerate((x[:half], x[half : done + 1])):
            if len(part):
                np.testing.assert_allclose(found.mean[0, k], part.mean(axis=0), atol=1e-13)
                m2 = ((part - part.mean(axis=0)) ** 2).sum(axis=0)
                np.testing.assert_allclose(found.m2[0, k], m2, atol=1e-11)
        parts = looks.go_on(parts, done + 1)


@pytest.fixture(scope="module")
def trained():
    dot = vmc.systems.QuantumDot()
    psi = vmc.wavefunctions.GaussianEnvelope(dot) * vmc.wavefunctions.PadeJastrow(dot)
    return vmc.train(dot, psi, iterations=0, walkers=128, block=32, seed=4)


def test_it_ends_at_the_first_look_that_suffices(trained):
    """The same numbers as an evaluation of that length, which one look before would not do."""
    whole = vmc.evaluate(copy.deepcopy(trained), steps=400, number=0)
    target = 1.5 * whole.error
    found = vmc.evaluate(copy.deepcopy(trained), steps=400, number=0, target_error=target)
    assert FIRST <= found.steps < 400 and found.error <= target
    alike = vmc.evaluate(copy.deepcopy(trained), steps=found.steps, number=0)
    assert found.energy == pytest.approx(alike.energy, rel=1e-13)
    assert found.error == pytest.approx(alike.error, rel=1e-11)
    assert found.rhat == pytest.approx(alike.rhat, rel=1e-9)
    looks = Looks(400).at
    before = looks[looks.index(found.steps) - 1] if found.steps > looks[0] else 0
    if before:
        shorter = vmc.evaluate(copy.deepcopy(trained), steps=before, number=0)
        assert shorter.error > target or not shorter.reliable
    assert f"is within the target {target:g} after {found.steps} of at most 400" in repr(found)


def test_the_limit_is_said(trained):
    found = vmc.evaluate(copy.deepcopy(trained), steps=40, target_error=1e-9)
    assert found.steps == 40 and not found.reaches(1e-9)
    assert found.target_line.startswith("target error 1e-09 not reached: error 0.0")
    with pytest.raises(ValueError, match="target_error must be"):
        vmc.evaluate(trained, target_error=-1.0)


@pytest.mark.processes
def test_same_bits_on_ranks_and_across_a_stop(tmp_path):
    """Stopped between two looks by the wall time, resumed on other ranks; the report says it."""
    job = tmp_path / "job.toml"
    job.write_text(JOB.replace("steps = 20\n", "steps = 400\ntarget_error = 0.004\n"))
    vmcnet("run", job, "--output", tmp_path / "one.h5")
    with h5py.File(tmp_path / "one.h5") as file:
        content = file["evaluation/0"]
        done = len(content["energy"])
        assert 50 < done < 400 and content.attrs["target_error"] == 0.004
    path = tmp_path / "two.h5"
    vmcnet("run", job, "--output", path, "--set", "evaluation.steps=0", ranks=2)
    from vmcnet import cli
    from vmcnet.runs.evaluations import Evaluations

    save, stops = Evaluations._save, []

    def stopped(self, state, *rest):
        save(self, state, *rest)
        if state.done >= 45:
            stops.append(state.done)
            raise KeyboardInterrupt

    Evaluations._save = stopped
    try:
        with pytest.raises(SystemExit):
            cli.main(["resume", str(path), "--set", "evaluation.steps=400"])
    finally:
        Evaluations._save = save
    assert stops and stops[0] < done
    vmcnet("resume", path, ranks=3)
    same(tmp_path / "one.h5", path)
    shown = vmcnet("report", path).stdout
    assert f"is within the target 0.004 after {done} of at most 400 measurements" in shown
    again = vmcnet("evaluate", path, "--steps", "64", "--target-error", "1e-9")
    assert "target error 1e-09 not reached" in again.stdout


def test_ending_by_the_error_biases_little():
    """Independent normal numbers, 64 walkers: the mean is not biased, and its error is 3 % too
    small at most; exact by symmetry and the spread of the error itself, 1/sqrt(2 * 63) = 9 %.
    """
    rng, walkers, steps = np.random.default_rng(5), 64, 1024
    looks, pulls, ratios = Looks(steps).at, [], []
    for _ in range(2000):
        sums, last = np.zeros(walkers), 0
        for at in looks:
            sums += np.sqrt(at - last) * rng.normal(size=walkers)
            last = at
            error = (sums / at).std(ddof=1) / np.sqrt(walkers)
            if error <= 1.0 / np.sqrt(walkers * 300):
                break
        pulls.append((sums / at).mean() * np.sqrt(walkers * at))
        ratios.append(error * np.sqrt(walkers * at))
    assert abs(np.mean(pulls)) < 4 / np.sqrt(2000) and 0.9 < np.std(pulls) < 1.1
    assert 0.95 < np.mean(ratios) < 1.0
