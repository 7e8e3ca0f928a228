"""One self-contained HTML page of one run or several: no server, no network, no script."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

from vmcnet.observables.base import unit_of
from vmcnet.runs.figures import compared, drawn, figures, inline
from vmcnet.runs.reading import Run
from vmcnet.runs.report import extrapolated
from vmcnet.runs.summary import differing, keys, rows, summary
from vmcnet.statistics.format import raised, two_digits, with_error
from vmcnet.version import VERSION

STYLE = (Path(__file__).parent / "page.css").read_text()
COLUMNS = {"rhat": "R-hat", "difference": "energy - reference"}
CAPTIONS = {
    "training": "Energy while training; the band is the error of one iteration.",
    "distance": "How far the training energy is away: iterations pale, their running mean strong.",
    "terms": "The terms of the energy while training.",
    "acceptance": "Acceptance of moves, and the size of the steps.",
    "norms": "Norms of the gradient and of the optimizer's steps.",
    "extrapolation": "Energy against variance of segments of training. A straight line through "
    "them ends, at variance 0, near the exact energy; it is no bound.",
    "blocking": "Blocking: the error of the mean must reach a plateau; it should agree with the "
    "error between walkers.",
    "autocorrelation": "Autocorrelation of the measured energies; the band is noise.",
    "tails": "Local energies far from the median. Steeper than power -3: the variance is sound.",
}


def page(runs: list[Run], blocking: str = "pyblock") -> str:
    """The page as text."""
    summaries = [summary(run, blocking) for run in runs]
    parts = [comparison(runs, summaries)] if len(runs) > 1 else []
    parts += [section(run, summaries[k], k, len(runs) > 1) for k, run in enumerate(runs)]
    names = ", ".join(found["name"] for found in summaries)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n'
        f"<title>{_text(names)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + f"\n<footer>vmcnet {VERSION}</footer>\n</main>\n</body>\n</html>\n"
    )


def section(run: Run, found: dict[str, Any], number: int, several: bool = False) -> str:
    """One run, by its file's name where there are several: what it was, its energy, doubts,
    figures, cost, environment, job.
    """
    last = found["evaluations"][-1] if found["evaluations"] else None
    size = f", {found['parameters']} parameters" if " x " in found["wavefunction"] else ""
    parts = [
        f"<h1>{_text(run.path.stem if several else found['name'])}</h1>",
        f'<p class="about">{_text(raised(found["system"]))}.<br>psi = '
        f"{_text(found['wavefunction'])}{size}.</p>",
        _headline(run, found, last),
        _doubts(found, last),
    ]
    pictures = []
    for name, draw in figures(run).items():
        svg = drawn(run, name, draw)
        if svg is not None:
            caption = CAPTIONS.get(name, f"{_words(name).capitalize()} in the last evaluation.")
            pictures.append(_figure(svg, f"{name} {number}", caption))
    if last:
        parts += ["<h2>Energy and its terms</h2>", _estimates(run, last)]
        if last["observables"]:
            parts += ["<h2>Observables</h2>", _observables(run, last)]
    if pictures:
        parts += ["<h2>Figures</h2>", f'<div class="figures">{"".join(pictures)}</div>']
    parts += ["<h2>How it was found</h2>", _diagnostics(run, found, last)]
    parts += ["<h2>Environment</h2>", _pairs(_environment(found["environment"]))]
    parts += [
        "<details><summary>The job, all keys written out</summary>"
        f"<pre>{_text(found['job'])}</pre></details>"
    ]
    return f"<section>\n{chr(10).join(parts)}\n</section>"


def comparison(runs: list[Run], summaries: list[dict]) -> str:
    """A table of all runs, the keys that differ as columns, and one figure of all."""
    names = differing(summaries)
    header, table = rows(summaries)
    wanted = ["run", *names, "energy", "variance", "rhat", "difference", "state"]
    body = []
    for row in table:
        value = dict(zip(header, row, strict=True))
        energy = value["energy"]
        value["energy"] = "-" if energy is None else with_error(energy, value["error"])
        value["run"] = Path(value["run"]).stem
        value["difference"] = _number(value["difference"], "+.2e")
        value["variance"], value["rhat"] = (
            _number(value["variance"], ".3g"),
            _number(value["rhat"], ".4f"),
        )
        body.append([value[name] for name in wanted])
    labels = [Path(found["path"]).stem for found in summaries]
    if len(names) == 1:
        labels = [f"{names[0].split('.')[-1]} = {keys(s['job']).get(names[0])}" for s in summaries]
    training, last = compared(runs, labels)
    pictures = _figure(training, "trainings", "Trainings.")
    dashed = "; dashed: the reference" if any(s["reference"] for s in summaries) else ""
    pictures += _figure(last, "evaluations", f"Last evaluations with their errors{dashed}.")
    head = [COLUMNS.get(name, name) for name in wanted]
    return (
        f"<section>\n<h1>{len(runs)} runs</h1>\n{_table(head, body)}\n"
        f'<div class="figures">{pictures}</div>\n</section>'
    )


def _figure(svg: bytes, title: str, caption: str) -> str:
    return f"<figure>{inline(svg, title)}<figcaption>{_text(caption)}</figcaption></figure>"


def _headline(run: Run, found: dict, last: dict | None) -> str:
    state = f'<p class="state {found["state"]}">{_text(found["standing"])}</p>'
    if last is None:
        return f"{state}<p>No evaluation yet: <code>vmcnet evaluate {_text(run.path)}</code></p>"
    share, energy = run.told_system.share, last["estimates"]["energy"]
    each = f" per {run.told_system.per_particle}" if run.told_system.per_particle else ""
    shown = with_error(energy["mean"] / share, energy["error"] / share)
    text = (
        f'<p class="energy">E = <b>{_text(shown)}</b> {_text(found["units"])}{each}</p>'
        f"<p>Mean over {last['walkers']} walkers and {last['steps']} measurements at fixed "
        "parameters; the error, in units of the last digit, comes from the spread of independent "
        "walkers.</p>"
    )
    aim = run.evaluations[-1].target_line
    text += f"<p>{_text(aim[0].upper() + aim[1:])}.</p>" if aim else ""
    reference = found["reference"]
    if reference:
        sigmas = "" if last["sigmas"] is None else f", {last['sigmas']:+.1f} sigma"
        known = f"{reference['energy'] / share:.{7 if share == 1 else 8}f}"
        text += (
            f"<p>Reference {known} ({_text(reference['source'])}); difference "
            f"{last['difference'] / share:+.2e}{sigmas}.</p>"
        )
    line = extrapolated(run.file, run.told_system, run.job)
    if line is not None:
        text += f"<p>Energy at variance 0: {_text(line.told(share))}.</p>"
    return state + text


def _doubts(found: dict, last: dict | None) -> str:
    doubts = [*((found["training"] or {}).get("warnings", [])), *(last["warnings"] if last else [])]
    if not doubts:
        return ""
    items = "".join(f"<li>{_text(text)}</li>" for text in doubts)
    return f'<div class="doubts"><b>Doubts</b><ul>{items}</ul></div>'


def _estimates(run: Run, last: dict) -> str:
    share = run.told_system.share
    body = [
        [
            _words(name),
            with_error(e["mean"] / share, e["error"] / share),
            _digits(e["error"] / share),
            _digits(e["blocking"] / share, "no plateau"),
        ]
        for name, e in last["estimates"].items()
    ]
    each = f" per {run.told_system.per_particle}" if run.told_system.per_particle else ""
    mean = f"mean ({run.told_system.units}{each})"
    return _table(["", mean, "error", "blocking error"], body)


def _observables(run: Run, last: dict) -> str:
    """The components that the terminal shows; the figure has all."""
    body = []
    for name, observed in last["observables"].items():
        components, word = list(observed["components"].items()), _words(name)
        for k in run.evaluations[-1].observables[name].shown:
            label, e = components[k]
            unit = unit_of(observed["units"], k, len(components))
            shown = f"{with_error(e['mean'], e['error'])} {raised(unit)}".rstrip()
            label, blocking = raised(f"{word} {label}"), _digits(e["blocking"], "no plateau")
            body.append([label, shown, _digits(e["error"]), blocking])
        for label, (value, error) in observed["derived"].items():
            body.append([raised(label), with_error(value, error), _digits(error), ""])
        if len(components) > len(run.evaluations[-1].observables[name].shown):
            body[-1][0] += f", of {len(components)} components"
    return _table(["", "mean", "error", "blocking error"], body)


def _diagnostics(run: Run, found: dict, last: dict | None) -> str:
    pairs: dict[str, Any] = {}
    training = found["training"]
    if training:
        pairs["iterations"] = f"{training['iterations']} of {training['asked_for']}"
        waiting = f", {100 * training['communication']:.1f} % of it waiting for other ranks"
        alone = found["environment"].get("ranks") == 1
        pairs["time of training"] = f"{training['seconds']:.1f} s{'' if alone else waiting}"
    if last:
        low, high = last["walker_acceptance"]
        pairs |= {
            "variance of the local energy": _number(last["variance"], ".3g"),
            "autocorrelation time": f"{_number(last['autocorrelation'], '.1f')} measurements",
            "split R-hat": _number(last["rhat"], ".4f"),
            "acceptance": f"{last['acceptance']:.2f} (walkers {low:.2f} to {high:.2f})",
            "stuck walkers": last["stuck"],
        }
    pairs["file"] = str(run.path)
    return _pairs(pairs)


def _environment(found: dict) -> dict:
    """The versions that are told, the time of the start as people write it."""
    started = str(found.get("started", ""))
    return found | {"started": started.replace("T", " ").replace("+0000", " UTC")}


def _pairs(pairs: dict) -> str:
    items = "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in pairs.items())
    return f"<dl>{items}</dl>"


def _table(header: list, body: list[list]) -> str:
    head = "".join(f"<th>{_text(x)}</th>" for x in header)
    rows = "".join(f"<tr>{''.join(f'<td>{_text(x)}</td>' for x in row)}</tr>" for row in body)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table">{table}</div>'


def _number(value: Any, form: str, otherwise: str = "-") -> str:
    if value is None or not math.isfinite(value):
        return otherwise
    return format(value, form)


def _digits(value: Any, otherwise: str = "-") -> str:
    if value is None or not math.isfinite(value):
        return otherwise
    return two_digits(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    return html.escape(str(value))
