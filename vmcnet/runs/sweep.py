"""The runs of a sweep over one key of a job, and the SLURM array that runs them side by side."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmcnet.config import Job, JobError, load_job
from vmcnet.config.job import FOLDER
from vmcnet.runs.comparison import table_lines
from vmcnet.runs.examples import written_new
from vmcnet.runs.reading import open_run
from vmcnet.runs.summary import summary

ARGUMENTS = """job=$1 key=$2; shift 2
values=("$@") settings=()
name=$(basename "$job" .toml) folder=${VMCNET_RUNS:-runs}
"""
HEADER = "# A sweep over one key from one job file"


@dataclass(frozen=True)
class Swept:
    """One run: the key's value, all settings, the job and its run file."""

    value: str
    settings: list[str]
    job: Job
    path: Path


def swept(
    source: Path, key: str, values: Sequence[str], settings: Sequence[str], folder: Path
) -> list[Swept]:
    """The runs of all values; raises JobError where one of them is no valid job."""
    found: list[Swept] = []
    for value in values:
        own = [*settings, f"{key}={value}"]
        job = load_job(source, own)
        if job.twists is not None:
            raise JobError("sweep: a job with twists makes several runs already")
        path = folder / f"{job.name}-{key}={value.replace('/', '_')}.h5"
        if path in [run.path for run in found]:
            raise JobError(f"sweep: two runs would write {path}: give every value once")
        found.append(Swept(value, own, job, path))
    return found


def swept_lines(runs: Sequence[Swept]) -> list[str]:
    """The table of the runs, when they are done."""
    return table_lines([summary(open_run(run.path)) for run in runs])


def write_array(script: Path, source: Path, key: str, runs: Sequence[Swept]) -> list[str]:
    """array.sbatch with these runs filled in, task k the k-th; never over another file. What is to
    be done with it, as lines.
    """
    text = (FOLDER / "array.sbatch").read_text()
    head, found, tail = text.partition(ARGUMENTS)
    assert found, "array.sbatch has other arguments than this module fills in"
    first, submit, *rest = (line for line in head.splitlines() if not line.startswith(HEADER))
    lines = [
        first,
        f"# vmcnet sweep over {key}: task k takes the k-th value; the runs go on where they stand.",
        f"# Submit:  sbatch {script.name}      (sbatch --ntasks=16 {script.name} for more ranks)",
        rest[0],
        f"#SBATCH --array=0-{len(runs) - 1}",
        *rest[1:],
        f"job={shlex.quote(str(source.resolve()))} key={shlex.quote(key)}",
        f"values=({shlex.join(run.value for run in runs)})",
        f"settings=({shlex.join(x for s in runs[0].settings[:-1] for x in ('--set', s))})",
        f"name={shlex.quote(runs[0].job.name)} "
        f"folder={shlex.quote(str(runs[0].path.parent.resolve()))}",
    ]
    assert submit.startswith("# Submit:")
    written_new(script, "\n".join(lines) + "\n" + tail)
    pattern = runs[0].path.with_name(f"{runs[0].job.name}-{key}=*.h5")
    return [
        f"{script}: {len(runs)} runs; submit: sbatch {script}",
        f"when they are done: vmcnet report {pattern} --table",
    ]
