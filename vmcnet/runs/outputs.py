"""Which run files a report is of, and its forms beside the terminal's."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from vmcnet.config import JobError
from vmcnet.runs.comparison import csv_text, from_first, table_lines
from vmcnet.runs.reading import Run, open_run
from vmcnet.runs.summary import finite, summary
from vmcnet.storage.atomic import FileProblem, replace_file
from vmcnet.storage.paths import is_folder
from vmcnet.storage.place import owner_of
from vmcnet.storage.sealed import kind_of

FORMS = ("html", "plot", "json", "csv", "table")


def asked_for(options: Any) -> list[str]:
    """The forms beside the terminal's that were asked for; raises JobError where options exclude
    each other.
    """
    forms = [name for name in FORMS if vars(options)[name]]
    if options.finite_size and {*forms} - {"json"}:
        raise JobError("--finite-size: expected alone, or with --json")
    return forms


def opened(paths: Any) -> Any:
    """Runs whose files can be read, and a line for each of the others."""
    runs: list[Run] = []
    problems, left = [], []
    for path in paths:
        if len(paths) > 1 and (kind_of(path) == "checkpoint" or owner_of(path) or is_folder(path)):
            left.append(path.name)
            continue
        try:
            run = open_run(path)
            run.evaluations  # noqa: B018 (built and checked before anything is printed)
            runs.append(run)
        except (FileProblem, JobError) as error:
            problems.append(str(error))
    if left:
        print(f"vmcnet: left out, no runs of their own: {', '.join(left)}", file=sys.stderr)
    return runs, problems


def twists_report(options: Any) -> None:
    """The average over twists: lines, JSON, or a page that has every run too."""
    from vmcnet.runs.twists import average_lines, twist_average

    for name in ("finite_size", "csv", "table", "plot"):
        if vars(options)[name]:
            option = f"--{name.replace('_', '-')}"
            raise JobError(f"{option}: expected without --twists, of every run")
    average = twist_average(options.file, options.blocking)
    if options.html:
        _write_page([open_run(path) for path in options.file], options, average)
    if options.json:
        print(json.dumps(finite(average), indent=1, allow_nan=False))
    elif not options.html:
        print("\n".join(average_lines(average)))


def _write_page(runs: list[Run], options: Any, average: dict | None = None) -> None:
    from vmcnet.runs.page import page

    if options.html.is_dir():
        raise JobError(f"--html {options.html}: is a folder: name a file")
    if options.html.exists() and options.html.read_bytes()[:2] != b"<!":
        raise JobError(f"--html {options.html}: exists and is no page: choose another name")
    replace_file(options.html, page(runs, options.blocking, average).encode())
    print(options.html)


def other_reports(runs: Any, options: Any) -> None:
    if options.html:
        _write_page(runs, options)
    if options.plot:
        from vmcnet.runs.figures import written

        if options.plot.exists() and not options.plot.is_dir():
            raise JobError(f"--plot {options.plot}: is a file: name a folder")
        for run in runs:
            print("\n".join(map(str, written(run, options.plot))))
    if not (options.json or options.csv or options.table):
        return
    summaries = [summary(run, options.blocking) for run in runs]
    if options.finite_size:
        try:
            for run, found in zip(runs, summaries, strict=True):
                found["finite_size"] = asdict(run.finite_size())
        except ValueError as error:
            raise JobError(str(error)) from error
    if options.json:
        for found, apart in zip(summaries, from_first(summaries), strict=True):
            found["from_first"] = apart
        print(json.dumps(finite(summaries), indent=1, allow_nan=False))
    if options.csv:
        print(csv_text(summaries), end="")
    if options.table:
        print("\n".join(table_lines(summaries)))
