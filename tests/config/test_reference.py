"""The page of all job keys is what the validator says; resolved jobs read back to themselves; every
job in the repository is valid.
"""

from pathlib import Path

import pytest

from tests.runs import JOB
from vmcnet import cli
from vmcnet.config import (
    JobError,
    changed_keys,
    check_resume,
    inherited,
    job_text,
    load_job,
    parse_job,
    reference_page,
)
from vmcnet.storage.run_file import RunFile

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "job-keys.md").read_text() == reference_page(), "make reference"


@pytest.mark.parametrize("path", sorted((ROOT / "jobs").glob("*.toml")), ids=lambda p: p.stem)
def test_jobs(path):
    job = load_job(path)
    assert job.name == path.stem
    assert parse_job(job_text(job)) == job
    header = path.read_text().split("\n\n")[0]
    assert (
        header.startswith("# ")
        and "Shows:" in header
        and "Cost:" in header
        and f"vmcnet run jobs/{path.name}" in header
    )


def test_defaults_are_written_out():
    text = job_text(parse_job(JOB))
    for line in ("omega = 1.0", "beta1 = 0.9", "interval = 5", "threads = 1", 'form = "F"'):
        assert line in text


def test_what_may_change_at_resume():
    old = parse_job(JOB)
    new = parse_job(
        JOB, ["training.iterations=20", "evaluation.steps=50", "run.wall_time='00:01:00'"]
    )
    assert changed_keys(old, new) == ["evaluation.steps", "run.wall_time", "training.iterations"]
    check_resume(old, new, 12)
    assert new.run.wall_time == 60.0


def test_defaults_of_another_version_stay():
    """A run that began with other defaults, or with them written out, goes on with them; what the
    job says, and tables that it leaves out, count.
    """
    old = parse_job(
        JOB,
        [
            "sampling.proposal='gaussian'",
            "optimizer={type='adam', learning_rate=0.02, beta1=0.8}",
            "wavefunction.0.spread=0.02",
            "training.clip=5.0",
            "evaluation.interval=7",
        ],
    )
    job = parse_job(JOB, ["training.iterations=20", "optimizer={type='adam', beta1=0.8}"])
    found = inherited(old, job)
    check_resume(old, found, 12)
    assert found.sampling.proposal == "gaussian" and found.wavefunction[0].spread == 0.02
    assert found.optimizer.learning_rate == 0.02 and found.training.clip == 5.0
    assert found.training.iterations == 20 and found.evaluation.interval == 5
    assert parse_job(job_text(found)) == found
    for setting, key in (
        ("optimizer={type='adam', learning_rate=0.03}", "optimizer.learning_rate"),
        ("optimizer={type='sgd'}", "optimizer"),
        ("sampling.proposal='langevin'", "sampling.proposal"),
        ("wavefunction.0.spread=0.5", "wavefunction.0.spread"),
        ("natural_gradient={type='sr'}", "natural_gradient"),
    ):
        with pytest.raises(JobError, match=f"{key}.* may not change at resume"):
            check_resume(old, inherited(old, parse_job(JOB, [setting])), 12)
    with_metric = parse_job(JOB, ["natural_gradient={type='sr'}"])
    with pytest.raises(JobError, match=r"natural_gradient.* may not change"):
        check_resume(with_metric, inherited(with_metric, parse_job(JOB)), 12)


@pytest.mark.processes
def test_continue_says_what_stays(tmp_path, capsys):
    path, output = tmp_path / "job.toml", tmp_path / "run.h5"
    path.write_text(JOB)
    for settings in (["sampling.step_size=0.7", "evaluation.steps=0"], ["evaluation.steps=4"]):
        options = [x for s in settings for x in ("--set", s)]
        with pytest.raises(SystemExit) as end:
            cli.main(["run", str(path), "--output", str(output), "--continue", *options])
        out, err = capsys.readouterr()
        assert end.value.code == 0, err
    assert "note: sampling.step_size stays as it was when the run began" in out + err
    job = parse_job(RunFile.open(output).attributes["job"])
    assert job.sampling.step_size == 0.7 and job.evaluation.steps == 4
