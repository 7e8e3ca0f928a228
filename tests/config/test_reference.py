"""The page of all job keys is what the validator says; resolved jobs read back to themselves; every
job in the repository is valid.
"""

from pathlib import Path

import pytest

from tests.runs import JOB
from vmcnet.config import check_resume, job_text, load_job, parse_job, reference_page
from vmcnet.config.job import changed_keys

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
