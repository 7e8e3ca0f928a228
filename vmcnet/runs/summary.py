"""A run as plain numbers: what `vmcnet report --json`, --csv, --table and the page are made of."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from typing import Any

import numpy as np

from vmcnet.observables.base import units_in
from vmcnet.runs.reading import Run
from vmcnet.runs.report import article, extrapolated, training_warnings
from vmcnet.runs.state import standing
from vmcnet.statistics.format import with_error

SCHEMA = 1  # of the JSON


def summary(run: Run, blocking: str = "pyblock") -> dict[str, Any]:
    """All that a report says of a run, as numbers and texts; energies are totals in `units`."""
    system, wavefunction, share = run.told_system, run.told_wavefunction, run.told_system.share
    reference = system.reference_of(wavefunction)
    where = standing(run.file)
    return {
        "schema": SCHEMA,
        "path": str(run.path),
        "name": run.job.name,
        "state": where.word,
        "standing": str(where),
        "system": system.describe(),
        "wavefunction": wavefunction.describe(),
        "parameters": int(wavefunction.layout.size),
        "units": system.units,
        "particles": int(system.particles),
        "energies_divided_by": share,
        "reference": reference and {"energy": float(reference[0]), "source": reference[1]},
        "training": _training(run),
        "zero_variance": _zero_variance(run),
        "evaluations": [
            _evaluation(number, run, result, reference)
            for number, result in zip(
                sorted(run.file.evaluations), results(run, blocking), strict=True
            )
        ],
        "job": run.attributes["job"],
        "environment": {
            k.removeprefix("condition_"): v
            for k, v in run.attributes.items()
            if k.startswith("condition_") or k in ("vmcnet", "git", "host", "ranks", "started")
        },
    }


def finite_size_lines(run: Run) -> list[str]:
    """Corrections to the last evaluation, by particle; raises ValueError where there are none."""
    found, n, units = run.finite_size(), run.told_system.share, run.told_system.units
    lines = [f"  finite size, {units} {article(run.told_system.per_particle or 'box')}"]
    for name in ("potential", "kinetic", "energy"):
        value, error = getattr(found, name)  # fields, shown in this order
        shown = with_error(value / n, error / n) if error else f"{value / n:.7f}"
        lines.append(f"    {'corrected' if name == 'energy' else name:<9}  {shown}")
    lines.append(f"    S(k)/k^2 at k = 0, of plasmons  {with_error(*found.ratio)}")
    return lines + [f"    warning: {text}" for text in found.warnings]


def results(run: Run, blocking: str) -> list:
    """Evaluations with another criterion of blocking than the usual one."""
    if blocking == "pyblock":
        return run.evaluations
    from vmcnet.runs.report import evaluation_result

    contents = [c for _, c in sorted(run.file.evaluations.items())]
    return [evaluation_result(c, run.told_system, blocking) for c in contents]


def _training(run: Run) -> dict[str, Any] | None:
    if not run.file.rows:
        return None
    seconds, waiting = (float(run.training[k].sum()) for k in ("seconds", "communication"))
    return {
        "iterations": run.file.rows,
        "asked_for": run.job.training.iterations,
        "seconds": seconds,
        "communication": waiting / seconds if seconds else 0.0,
        "last": {k: float(v[-1]) for k, v in run.training.items()},
        "warnings": list(
            training_warnings(
                run.file.training,
                run.job.sampling.walkers,
                run.told_system.moves,
                run.job.data is None,
            )
        ),
    }


def _zero_variance(run: Run) -> dict[str, Any] | None:
    """The line of energies against variances along training, its points as lists."""
    line = extrapolated(run.file, run.told_system, run.job)
    if line is None:
        return None
    names = ("variance", "energy", "error")
    return {
        "energy": line.energy,
        "error": line.error,
        "slope": line.slope,
        "refused": line.refused,
        "points": {k: v.tolist() for k, v in zip(names, line.points, strict=True)},
    }


def _evaluation(
    number: Any, run: Run, result: Any, reference: tuple[float, str] | None
) -> dict[str, Any]:
    attributes = run.file.evaluations[number]["attributes"]
    out = {
        "number": int(number),
        "iteration": int(attributes["iteration"]),
        "walkers": int(result.walkers),
        "steps": int(result.steps),
        "estimates": {name: _estimate(e) for name, e in result.estimates.items()},
        "variance": float(result.variance),
        "autocorrelation": float(result.autocorrelation),
        "rhat": float(result.rhat),
        "acceptance": float(result.acceptance),
        "walker_acceptance": [float(x) for x in result.walker_acceptance],
        "stuck": int(result.stuck),
        "observables": {
            name: {
                "units": units_in(observed.record.units, run.told_system),
                "components": {
                    label: _estimate(observed[label]) for label in map(str, observed.labels)
                },
                "derived": {k: [float(x) for x in v] for k, v in observed.derived.items()},
                "grid": {k: np.asarray(v).tolist() for k, v in observed.grid.items()},
            }
            for name, observed in result.observables.items()
        },
        "warnings": list(result.warnings),
        "target": {"error": result.target_error, "reached": result.reaches(result.target_error)}
        if result.target_error
        else None,
    }
    if reference is not None:
        difference = result.energy - reference[0]
        out["difference"] = difference
        out["sigmas"] = difference / result.error if result.error > 0 else None
    return out


def _estimate(e: Any) -> dict[str, float]:
    return {"mean": float(e.mean), "error": float(e.error), "blocking": float(e.blocking)}


def finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def keys(job: str) -> dict[str, Any]:
    """The keys of a resolved job by dotted names."""

    def flat(prefix: str, value: Any) -> Any:
        if isinstance(value, dict):
            for k, v in value.items():
                yield from flat(f"{prefix}.{k}" if prefix else k, v)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for k, v in enumerate(value):
                yield from flat(f"{prefix}.{k}", v)
        else:
            yield prefix, value

    return dict(flat("", tomllib.loads(job)))


def differing(summaries: list[dict]) -> list[str]:
    """Keys of jobs that are not the same in all runs, in the order of the jobs."""
    jobs = [keys(s["job"]) for s in summaries]
    names = list(dict.fromkeys(name for job in jobs for name in job))
    return [n for n in names if n != "name" and len({repr(job.get(n)) for job in jobs}) > 1]


def rows(summaries: list[dict]) -> tuple[list[str], list[list[Any]]]:
    """Header and one row a run: the keys that differ, then the last evaluation, as numbers."""
    names = differing(summaries)
    header = ["run", *names, "state", "iterations", "energy", "error", "blocking", "variance"]
    header += ["autocorrelation", "rhat", "acceptance", "difference", "sigmas", "seconds"]
    table = []
    for s in summaries:
        job, training = keys(s["job"]), s["training"] or {}
        row = [s["path"], *(job.get(n) for n in names), s["state"], training.get("iterations", 0)]
        last = s["evaluations"][-1] if s["evaluations"] else None
        if last is None:
            row += [None] * 9
        else:
            energy = last["estimates"]["energy"]
            row += [energy["mean"], energy["error"], energy["blocking"], last["variance"]]
            row += [last[k] for k in ("autocorrelation", "rhat", "acceptance")]
            row += [last.get("difference"), last.get("sigmas")]
        table.append([*row, training.get("seconds")])
    return header, table


def csv_text(summaries: list[dict]) -> str:
    """rows() as comma-separated values, full digits; nothing where there is no number."""
    header, table = rows(summaries)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in table:
        writer.writerow(["" if finite(x) is None else x for x in row])
    return out.getvalue()


def table_lines(summaries: list[dict]) -> list[str]:
    """One line a run; the keys of the jobs that differ are columns. Two runs: their difference."""
    names = differing(summaries)
    header = ["run", *names, "energy", "variance", "R-hat", "difference", "state"]
    cells = [header]
    for s in summaries:
        job, last = keys(s["job"]), s["evaluations"][-1] if s["evaluations"] else None
        row = [s["path"], *(str(job.get(n, "-")) for n in names)]
        if last is None:
            row += ["-"] * 4
        else:
            energy = last["estimates"]["energy"]
            row += [with_error(energy["mean"], energy["error"]), f"{last['variance']:.3g}"]
            row += [f"{last['rhat']:.4f}" if math.isfinite(last["rhat"]) else "?"]
            row += [f"{last['difference']:+.2e}" if "difference" in last else "-"]
        cells.append([*row, s["state"]])
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    lines = [
        "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    evaluated = [s for s in summaries if s["evaluations"]]
    if len(summaries) == len(evaluated) == 2:
        a, b = (s["evaluations"][-1]["estimates"]["energy"] for s in summaries)
        error = math.hypot(a["error"], b["error"])
        difference = b["mean"] - a["mean"]
        sigmas = f", {difference / error:+.1f} sigma" if error > 0 else ""
        lines.append(f"second - first: {with_error(difference, error)}{sigmas}")
    return lines
