"""Twist averaging: which twists a job runs, and the average that the report makes of their runs."""

import numpy as np
import pytest

from vmcnet import cli
from vmcnet.config import JobError, parse_job
from vmcnet.runs.building import build
from vmcnet.runs.contents import evaluation_result
from vmcnet.runs.twists import chosen, twisted, twists, untwisted
from vmcnet.statistics.format import with_error
from vmcnet.storage.run_file import RunFile

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
        (
            "grid = [2, 2]",
            ["wavefunction=[{type='slater', occupied_up=[[0, 0]]}]"],
            "occupied_up names waves",
        ),
    ],
)
def test_refusals(table, settings, words):
    with pytest.raises(JobError, match=words):
        chosen(job(table, *settings))


@pytest.mark.parametrize("table", ["", "grid = [2, 2]\nrandom = 3"])
def test_one_kind_of_twists(table):
    with pytest.raises(JobError, match="expected either grid or random"):
        job(table)


RUN = """
name = "gas"
seed = 3
[system]
type = "electron_gas"
particles = 4
dimensions = 2
polarisation = 0.5
r_s = 2.0
[[wavefunction]]
type = "slater"
[sampling]
walkers = 32
block = 8
steps = 4
step_size = 0.3
warmup = 10
[training]
iterations = 2
[optimizer]
type = "sgd"
learning_rate = 0.1
[evaluation]
steps = 20
warmup = 2
[twists]
random = 3
"""


def called(capsys, *arguments):
    """Exit status and output of the command line, in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(a) for a in arguments])
    text = capsys.readouterr()
    return ended.value.code, text.out + text.err


def evaluated(path):
    file = RunFile.open(path)
    system = build(parse_job(file.attributes["job"], (), str(path)))[0]
    return evaluation_result(file.evaluations[0], system)


@pytest.mark.processes
def test_a_job_runs_all_its_twists(tmp_path, capsys):
    """Three run files and their average; its numbers from the runs' own; one twist alone; files
    that are missing, twice there or of another job.
    """
    path, out = tmp_path / "gas.toml", tmp_path / "gas.h5"
    path.write_text(RUN)
    code, text = called(capsys, "run", path, "--output", out)
    assert code == 0, text
    assert "average over 3 twists, hartree an electron" in text
    files = [tmp_path / f"gas.twist-{k}.h5" for k in (1, 2, 3)]
    results = [evaluated(f) for f in files]
    energies = np.array([r.energy for r in results]) / 4
    code, text = called(capsys, "report", "--twists", *files)
    line = next(x for x in text.splitlines() if x.strip().startswith("energy"))
    error = energies.std() / np.sqrt(2)
    assert with_error(energies.mean(), error) in line
    own = np.sqrt(sum((r.error / 4) ** 2 for r in results)) / 3
    assert f"statistical {own:.2g}" in line and f"spread of twists {energies.std():.2g}" in line
    systems = [build(parse_job(RunFile.open(f).attributes["job"], (), ""))[:2] for f in files]
    assert len({s.reference_of(psi)[0] for s, psi in systems}) == 3
    code, text = called(capsys, "report", files[0])
    assert code == 0 and "reference" in text and "twist" in text

    one = tmp_path / "one.h5"
    code, _ = called(capsys, "run", path, "--output", one, "--set", "twists.number=2")
    again = evaluated(one)
    assert code == 0 and again.energy == results[1].energy, "the same bits"
    for wrong, words in (
        ([files[0], files[2]], "twists 2 of 3 are missing"),
        ([*files, one], "twist 2 is there twice"),
    ):
        code, text = called(capsys, "report", "--twists", *wrong)
        assert code == 2 and words in text
    other = tmp_path / "other.h5"
    changed = ["--set", "twists.number=2", "--set", "system.r_s=3.0"]
    called(capsys, "run", path, "--output", other, *changed)
    code, text = called(capsys, "report", "--twists", files[0], other, files[2])
    assert code == 2 and "not a run of the same job" in text
    code, text = called(capsys, "check", path)
    assert code == 0 and "3 runs, a twist each" in text
