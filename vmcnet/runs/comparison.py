"""Several runs beside each other: the keys that differ, one line a run, the difference of two."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from typing import Any

from vmcnet.runs.doubts import counted
from vmcnet.runs.summary import finite
from vmcnet.statistics.format import article, with_error

MANY = 6  # more keys than this that differ stand below the table, one line a key


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


def from_first(summaries: list[dict]) -> list[dict[str, float | None] | None]:
    """Of every run {energy, error, sigmas} of its last total energy minus the first run's; the
    error is sqrt(error_1^2 + error_2^2), that of independent runs. None of the first, and where
    either has no evaluation, or another type of system, number of particles or unit.
    """
    first = summaries[0] if summaries else None
    return [None if s is first else _apart(first, s) for s in summaries]


def _apart(first: Any, second: dict) -> dict[str, float | None] | None:
    alike = [(s["units"], s["particles"], keys(s["job"])["system.type"]) for s in (first, second)]
    if alike[0] != alike[1] or not (first["evaluations"] and second["evaluations"]):
        return None
    a, b = (s["evaluations"][-1]["estimates"]["energy"] for s in (first, second))
    error, difference = math.hypot(a["error"], b["error"]), b["mean"] - a["mean"]
    sigmas = difference / error if error > 0 else None
    return {"energy": difference, "error": error, "sigmas": sigmas}


def difference_line(summaries: list[dict]) -> str:
    """second - first, of two runs, by particle where reports are; "" of others."""
    apart = from_first(summaries)[1] if len(summaries) == 2 else None
    if apart is None:
        return ""
    sigmas = "" if apart["sigmas"] is None else f", {apart['sigmas']:+.1f} sigma"
    share, of = summaries[0]["energies_divided_by"], summaries[0]["per_particle"]
    unit = f" {unit_of(summaries[0])}" if of else ""
    difference = with_error(apart["energy"] / share, apart["error"] / share)
    return f"second - first: {difference}{unit}{sigmas}"


def rows(summaries: list[dict]) -> tuple[list[str], list[list[Any]]]:
    """Header and one row a run: the keys that differ, then the last evaluation, as numbers."""
    names = differing(summaries)
    header = ["run", *names, "state", "iterations", "energy", "error", "blocking", "variance"]
    header += ["autocorrelation", "rhat", "acceptance", "difference", "sigmas", "seconds"]
    header += ["warnings", "from_first", "from_first_error", "from_first_sigmas"]
    header += ["units", "particles"]
    table = []
    for s, apart in zip(summaries, from_first(summaries), strict=True):
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
        row += [training.get("seconds"), counted(s["warnings"])]
        row += [None] * 3 if apart is None else [apart[k] for k in ("energy", "error", "sigmas")]
        table.append([*row, s["units"], s["particles"]])
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


def unit_of(s: dict) -> str:
    """What the energies of a table are measured in: by particle where reports are."""
    return f"{s['units']} {article(s['per_particle'])}" if s["per_particle"] else s["units"]


def cells(summaries: list[dict]) -> tuple[list[list[str]], list[list[str]]]:
    """The cells of a table, header first, and those of the one below it, for more than MANY keys
    that differ: energies by particle where reports are, with their units where these need a word.
    """
    names = differing(summaries)
    beside, below = (names, []) if len(names) <= MANY else ([], names)
    units = [unit_of(s) for s in summaries]
    told = len(set(units)) > 1 or any(s["per_particle"] for s in summaries)
    header = ["run", *beside, "energy", *(["units"] if told else [])]
    out = [header + ["variance", "R-hat", "difference", "state", "warnings"]]
    for s, unit in zip(summaries, units, strict=True):
        job, last = keys(s["job"]), s["evaluations"][-1] if s["evaluations"] else None
        share, row = s["energies_divided_by"], [s["path"], *(str(job.get(n, "-")) for n in beside)]
        if last is None:
            row += ["-"] * (5 if told else 4)
        else:
            energy = last["estimates"]["energy"]
            row += [with_error(energy["mean"] / share, energy["error"] / share)]
            row += [unit] if told else []
            row += [f"{last['variance']:.3g}"]
            row += [f"{last['rhat']:.4f}" if math.isfinite(last["rhat"]) else "?"]
            row += [f"{last['difference'] / share:+.2e}" if "difference" in last else "-"]
        out.append([*row, s["state"], str(counted(s["warnings"]) or "-")])
    jobs = [keys(s["job"]) for s in summaries]
    more = [[name, *(str(job.get(name, "-")) for job in jobs)] for name in below]
    return out, [["key", *(s["path"] for s in summaries)], *more] if more else []


def table_lines(summaries: list[dict]) -> list[str]:
    """One line a run; the keys of the jobs that differ are columns, or stand below where they are
    many. Two runs: their difference.
    """
    lines = []
    for table in cells(summaries):
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines += [
            "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
    line = difference_line(summaries)
    return lines + ([line] if line else [])
