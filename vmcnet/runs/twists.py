"""Twist averaging: the runs of one job, a twist of the boundary each, and the average of their
energies.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.config import Job, JobError, parse_job
from vmcnet.engine.population import TWISTS
from vmcnet.runs.building import build
from vmcnet.runs.report import article, evaluation_result
from vmcnet.statistics.format import with_error
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.run_file import RunFile


@dataclass(frozen=True)
class Twist:
    """Number from 1, theta/2 pi of every axis, and the share of the average; shares add up to 1."""

    number: int
    angles: tuple
    weight: float


def twists(job: Job) -> list[Twist]:
    """The twists of a job with [twists]; raises JobError where the system has none.

    grid [g, ...]: theta/2 pi = (j + 1/2)/g - 1/2, j = 0 .. g - 1, along every axis (Monkhorst and
    Pack, Phys. Rev. B 13, 5188 (1976), eq. 3). Reflections and permutations of axes leave a cube's
    energy as it is: of twists that they join one is run, with the weight of all.
    """
    if "twist" not in type(job.system).model_fields:
        raise JobError(f"twists: {job.system.type} has no twist: leave the table out")
    if job.system.twist is not None:
        raise JobError("twists: system.twist is given too: leave one of them out")
    d = dict(job.system).get("dimensions", 3)
    if job.twists.random is not None:
        drawn = [
            0.5 - Stream(job.seed, TWISTS, 0, k).uniform((d,)) for k in range(job.twists.random)
        ]
        share = 1.0 / len(drawn)
        return [Twist(k + 1, tuple(x.tolist()), share) for k, x in enumerate(drawn)]
    grid = job.twists.grid
    if len(grid) != d:
        raise JobError(f"twists.grid: expected {d} numbers, one a dimension, found {len(grid)}")
    axes = [[(j + 0.5) / g - 0.5 for j in range(g)] for g in grid]
    members: dict[tuple, int] = {}
    for point in product(*axes):
        key = tuple(sorted((round(abs(x), 12) for x in point), reverse=True))
        members[key] = members.get(key, 0) + 1
    total = sum(members.values())
    return [
        Twist(k + 1, angles, count / total)
        for k, (angles, count) in enumerate(sorted(members.items()))
    ]


def twisted(job: Job, twist: Twist) -> Job:
    """The job of one twist: its boundary, and random numbers of its own."""
    return job.model_copy(
        update={
            "system": job.system.model_copy(update={"twist": list(twist.angles)}),
            "twists": job.twists.model_copy(update={"number": twist.number}),
            "seed": job.seed + twist.number,
        }
    )


def untwisted(job: Job) -> Job:
    """The job of all twists, of which `job` is one."""
    return job.model_copy(
        update={
            "system": job.system.model_copy(update={"twist": None}),
            "twists": job.twists.model_copy(update={"number": None}),
            "seed": job.seed - job.twists.number,
        }
    )


def chosen(job: Job) -> list[Twist]:
    """The twists that a job runs: all, or the one of twists.number."""
    found = twists(job)
    number = job.twists.number
    if number is None:
        return found
    if number > len(found):
        raise JobError(f"twists.number = {number}: the job has twists 1 to {len(found)}")
    return [found[number - 1]]


def path_of(path: Path, twist: Twist, count: int) -> Path:
    """runs/NAME.h5 -> runs/NAME.twist-07.h5."""
    return path.with_name(f"{path.stem}.twist-{twist.number:0{len(str(count))}d}{path.suffix}")


def joined_lines(paths: list[Path], blocking: str = "pyblock") -> list[str]:
    """The average over twists of the last evaluations of run files, line by line.

    E = sum_k w_k E_k. Its statistical error is sqrt(sum_k w_k^2 error_k^2). Of twists that are
    drawn at random the error is sqrt(var(E_k)/K) instead, which holds both what the runs and what
    the choice of twists leave uncertain. Raises FileProblem for files of different jobs, twists
    that are missing or there twice, and runs without an evaluation.
    """
    files = [RunFile.open(path) for path in paths]
    jobs = [parse_job(f.attributes["job"], (), str(f.path)) for f in files]
    for file, job in zip(files, jobs, strict=True):
        if job.twists is None or job.twists.number is None:
            raise FileProblem(f"{file.path}: not a run of a job with [twists]")
        if untwisted(job) != untwisted(jobs[0]):
            raise FileProblem(f"{file.path}: not a run of the same job as {files[0].path}")
    wanted = {t.number: t for t in twists(untwisted(jobs[0]))}
    system, results = build(jobs[0])[0], {}
    for file, job in zip(files, jobs, strict=True):
        if job.twists.number in results:
            raise FileProblem(f"{file.path}: twist {job.twists.number} is there twice")
        if not file.evaluations:
            raise FileProblem(f"{file.path}: no evaluation yet: vmcnet resume {file.path}")
        last = file.evaluations[max(file.evaluations)]
        results[job.twists.number] = evaluation_result(last, system, blocking)
    missing = sorted(set(wanted) - set(results))
    if missing:
        raise FileProblem(
            f"twists {', '.join(map(str, missing))} of {len(wanted)} are missing among the files"
        )
    return _lines(system, jobs[0], [(wanted[k], results[k]) for k in sorted(wanted)])


def _lines(system, job, results) -> list[str]:
    names = list(results[0][1].estimates)
    width, share = max(map(len, names)), system.share
    weights = np.array([t.weight for t, _ in results])
    unit = f"{system.units} {article(system.per_particle)}" if system.per_particle else system.units
    lines = [f"average over {len(results)} twists, {unit}"]
    for name in names:
        mean = np.array([r.estimates[name].mean for _, r in results]) / share
        error = np.array([r.estimates[name].error for _, r in results]) / share
        average = float((weights * mean).sum())
        statistical = float(np.sqrt(((weights * error) ** 2).sum()))
        spread = float(np.sqrt((weights * (mean - average) ** 2).sum()))
        if job.twists.random is None:
            shown, beside = statistical, f"spread of twists {spread:.2g}"
        else:
            shown = spread / np.sqrt(len(results) - 1)
            beside = f"of it statistical {statistical:.2g}; spread of twists {spread:.2g}"
        total = f"; total {with_error(average * share, shown * share)}" if share > 1 else ""
        lines.append(f"  {name:<{width}}  {with_error(average, shown):<20} ({beside}{total})")
    return lines
