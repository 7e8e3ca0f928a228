"""Twist averaging: the runs of one job, a twist of the boundary each, and the average of their
energies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.config import Job, JobError
from vmcnet.engine.population import TWISTS
from vmcnet.runs.reading import open_run
from vmcnet.statistics.format import article, with_error
from vmcnet.storage.atomic import FileProblem


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
    for k, factor in enumerate(job.wavefunction):
        for name in ("occupied_up", "occupied_down"):
            if dict(factor).get(name) is not None:
                raise JobError(
                    f"twists.grid: wavefunction.{k}.{name} names waves, and of twists that "
                    "reflections join one is run, with the lowest waves: leave it out, or use "
                    "twists.random"
                )
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


def twist_average(paths: list[Path], blocking: str = "pyblock") -> dict:
    """The average over twists of the last evaluations of run files, as plain numbers; energies are
    totals.

    E = sum_k w_k E_k. Its statistical error is sqrt(sum_k w_k^2 error_k^2). Of twists that are
    drawn at random the error is sqrt(var(E_k)/K) instead, which holds both what the runs and what
    the choice of twists leave uncertain. Raises FileProblem for files of different jobs, twists
    that are missing or there twice, and runs without an evaluation.
    """
    runs = [open_run(path) for path in paths]
    for run in runs:
        if run.job.twists is None or run.job.twists.number is None:
            raise FileProblem(f"{run.path}: not a run of a job with [twists]")
        if untwisted(run.job) != untwisted(runs[0].job):
            raise FileProblem(f"{run.path}: not a run of the same job as {runs[0].path}")
    wanted = {t.number: t for t in twists(untwisted(runs[0].job))}
    found: dict = {}
    for run in runs:
        if run.job.twists.number in found:
            raise FileProblem(f"{run.path}: twist {run.job.twists.number} is there twice")
        if not run.file.evaluations:
            raise FileProblem(f"{run.path}: no evaluation yet: vmcnet resume {run.path}")
        found[run.job.twists.number] = run
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise FileProblem(
            f"twists {', '.join(map(str, missing))} of {len(wanted)} are missing among the files"
        )
    chosen, ordered = [wanted[k] for k in sorted(wanted)], [found[k] for k in sorted(wanted)]
    results, system = [run.evaluated(blocking) for run in ordered], runs[0].told_system
    weights, last = np.array([twist.weight for twist in chosen]), [r[-1] for r in results]
    random = runs[0].job.twists.random is not None
    return {
        "twists": [
            {"path": str(run.path), "angles": list(twist.angles), "weight": twist.weight}
            for twist, run in zip(chosen, ordered, strict=True)
        ],
        "random": random,
        "units": system.units,
        "per_particle": system.per_particle,
        "energies_divided_by": system.share,
        "estimates": {
            name: _average(weights, [r.estimates[name] for r in last], random)
            for name in last[0].estimates
        },
        "warnings": {
            str(run.path): found
            for run, own in zip(ordered, results, strict=True)
            if (found := run.doubts(own))
        },
    }


def _average(weights: np.ndarray, found: list, random: bool) -> dict[str, float]:
    mean = np.array([e.mean for e in found])
    error = np.array([e.error for e in found])
    average = float((weights * mean).sum())
    statistical = float(np.sqrt(((weights * error) ** 2).sum()))
    spread = float(np.sqrt((weights * (mean - average) ** 2).sum()))
    error = spread / math.sqrt(len(found) - 1) if random else statistical
    return {"mean": average, "error": error, "statistical": statistical, "spread": spread}


def average_lines(found: dict) -> list[str]:
    """The average, from `twist_average`, line by line, and what makes its runs doubtful."""
    share, each = found["energies_divided_by"], found["per_particle"]
    width = max(map(len, found["estimates"]))
    unit = f"{found['units']} {article(each)}" if each else found["units"]
    lines = [f"average over {len(found['twists'])} twists, {unit}"]
    for name, e in found["estimates"].items():
        spread = f"spread of twists {e['spread'] / share:.2g}"
        beside = f"of it statistical {e['statistical'] / share:.2g}; " if found["random"] else ""
        total = f"; total {with_error(e['mean'], e['error'])}" if share > 1 else ""
        shown = with_error(e["mean"] / share, e["error"] / share)
        lines.append(f"  {name:<{width}}  {shown:<20} ({beside}{spread}{total})")
    for path, warnings in found["warnings"].items():
        for name, texts in warnings.items():
            lines += [f"  warning: {path}: {name}: {text}" for text in texts]
    return lines
