"""Job files: the only list of keys, their types, defaults and meaning."""

from vmcnet.config.explain import JobError
from vmcnet.config.job import (
    Job,
    changed_keys,
    check_resume,
    evaluation_plan,
    inherited,
    job_text,
    load_job,
    parse_job,
)
from vmcnet.config.observables import parse_observables
from vmcnet.config.reference import reference_page

__all__ = [
    "Job",
    "JobError",
    "changed_keys",
    "check_resume",
    "evaluation_plan",
    "inherited",
    "job_text",
    "load_job",
    "parse_job",
    "parse_observables",
    "reference_page",
]
