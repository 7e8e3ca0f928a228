"""Twist averaging: which twists a job runs, and the average that the report makes of their runs."""

import numpy as np
import pytest

from vmcnet.config import JobError, parse_job
from vmcnet.runs.twists import chosen, twisted, twists, untwisted

JOB = """
name = "gas"
seed = 3
[system]
type = "electron_gas"
particles = 4
dimensions = 2
r_s = 2.0
[[wavefunction]]
type = "pade_jastrow"
[twists]
"""


def job(table, *settings):
    return parse_job(JOB + table, settings)


def test_a_grid_in_two_and_three_dimensions():
    """4 x 4: |theta| 1/8 and 3/8 on both axes, 16 points in three classes; 3 x 3: 0 and 1/3."""
    found = twists(job("grid = [4, 4]"))
    assert [t.angles for t in found] == [(0.125, 0.125), (0.375, 0.125), (0.375, 0.375)]
    assert [t.weight for t in found] == [0.25, 0.5, 0.25] and [t.number for t in found] == [1, 2, 3]
    found = twists(job("grid = [3, 3]"))
    np.testing.assert_allclose([t.weight for t in found], [1 / 9, 4 / 9, 4 / 9])
    cube = twists(job("grid = [2, 2, 2]", "system.dimensions=3"))
    assert [(t.angles, t.weight) for t in cube] == [((0.25, 0.25, 0.25), 1.0)]
    fine = twists(job("grid = [4, 4, 4]", "system.dimensions=3"))
    assert [round(64 * t.weight) for t in fine] == [8, 24, 24, 8]


def test_random_twists():
    """Uniform in (-1/2, 1/2), the same for the same seed, of equal weight."""
    found = twists(job("random = 400"))
    angles = np.array([t.angles for t in found])
    assert angles.shape == (400, 2) and abs(angles).max() <= 0.5
    assert abs(np.histogram(angles, 4, (-0.5, 0.5))[0] - 200).max() < 50
    assert {t.weight for t in found} == {1 / 400}
    again, other = twists(job("random = 2")), twists(job("random = 2", "seed=4"))
    assert again[0].angles == found[0].angles != other[0].angles


def test_the_job_of_a_twist():
    base = job("random = 5")
    one = twisted(base, twists(base)[3])
    assert tuple(one.system.twist) == twists(base)[3].angles
    assert one.seed == 7 and one.twists.number == 4
    assert untwisted(one) == base
    assert chosen(job("random = 5", "twists.number=4")) == [twists(base)[3]]


@pytest.mark.parametrize(
    ("table", "settings", "words"),
    [
        ("grid = [2]", [], "expected 2 numbers, one a dimension, found 1"),
        ("grid = [2, 2]", ["system.twist=[0.1, 0.2]"], "system.twist is given too"),
        ("random = 3", ["twists.number=4"], "the job has twists 1 to 3"),
        ("random = 3", ["system={type='quantum_dot'}"], "quantum_dot has no twist"),
    ],
)
def test_refusals(table, settings, words):
    with pytest.raises(JobError, match=words):
        chosen(job(table, *settings))


@pytest.mark.parametrize("table", ["", "grid = [2, 2]\nrandom = 3"])
def test_one_kind_of_twists(table):
    with pytest.raises(JobError, match="expected either grid or random"):
        job(table)
