"""One self-contained HTML page of one run or several: no server, no network, no script."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

from vmcnet.runs.figures import compared, drawn, figures, inline
from vmcnet.runs.observed_curves import units_in
from vmcnet.runs.reading import Run
from vmcnet.runs.report import extrapolated
from vmcnet.runs.summary import differing, keys, rows, summary
from vmcnet.statistics.format import with_error
from vmcnet.version import VERSION

STYLE = (Path(__file__).parent / "page.css").read_text()
LISTED = 8  # components of an observable that are listed one by one
CAPTIONS = {
    "training": "Energy while training, with the error of one iteration as a band.",
    "distance": "Distance of the training energy: single stretches pale, their running mean dark.",
    "terms": "The terms of the energy while training.",
    "acceptance": "Acceptance of moves, and the size of the steps.",
    "norms": "Length of the gradient and of the steps that the optimizer took.",
    "extrapolation": "Energy against variance of segments of training. The end of the straight "
    "line at variance 0 estimates the exact energy; it is no bound.",
    "blocking": "Blocking: the error of the mean must reach a plateau; it should agree with the "
    "error between walkers.",
    "autocorrelation": "Autocorrelation of the measured energies; the band is noise.",
    "tails": "Local energies far from the median. Steeper than power -3: the variance is sound.",
}


def page(runs: list[Run], blocking: str = "pyblock") -> str:
    """The page as text."""
    summaries = [summary(run, blocking) for run in runs]
    parts = [comparison(runs, summaries)] if len(runs) > 1 else []
    parts += [section(run, summaries[k], k) for k, run in enumerate(runs)]
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


def section(run: Run, found: dict[str, Any], number: int) -> str:
    """One run: what it was, its energy, figures, doubts, cost, environment, job."""
    last = found["evaluations"][-1] if found["evaluations"] else None
    parts = [
        f"<h1>{_text(found['name'])}</h1>",
        f'<p class="about">{_text(found["system"])}.<br>psi = {_text(found["wavefunction"])}, '
        f"{found['parameters']} parameters.</p>",
        _headline(run, found, last),
        _doubts(found, last),
    ]
    pictures = []
    for name, draw in figures(run).items():
        svg = drawn(run, name, draw)
        if svg is not None:
            caption = CAPTIONS.get(name, f"{name.replace('_', ' ')}, with errors between walkers.")
            title = f"{name} {number}"
            pictures.append(
                f"<figure>{inline(svg, title)}<figcaption>{_text(caption)}</figcaption></figure>"
            )
    if last:
        parts += ["<h2>Energy and its terms</h2>", _estimates(run, last)]
        if last["observables"]:
            parts += ["<h2>Observables</h2>", _observables(run, last)]
    if pictures:
        parts += ["<h2>Figures</h2>", f'<div class="figures">{"".join(pictures)}</div>']
    parts += ["<h2>How it was found</h2>", _diagnostics(run, found, last)]
    parts += ["<h2>Environment</h2>", _pairs(found["environment"])]
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
    picture = inline(compared(runs, labels), "comparison")
    return (
        f"<section>\n<h1>{len(runs)} runs</h1>\n{_table(wanted, body)}\n"
        f'<figure class="wide">{picture}<figcaption>Training, and the last evaluations with their '
        "errors; dashed: the reference.</figcaption></figure>\n</section>"
    )


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
        sigmas = "" if last["sigmas"] is None else f", {last['sigmas']:+.1f} errors"
        text += (
            f"<p>Reference {reference['energy'] / share:.8g} ({_text(reference['source'])}); "
            f"difference {last['difference'] / share:+.2e}{sigmas}.</p>"
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
            name,
            with_error(e["mean"] / share, e["error"] / share),
            _number(e["error"] / share, ".2g"),
            _number(e["blocking"] / share, ".2g", "no plateau"),
        ]
        for name, e in last["estimates"].items()
    ]
    return _table(["", f"mean ({run.told_system.units})", "error", "blocking error"], body)


def _observables(run: Run, last: dict) -> str:
    """Few components one by one; of many the first ones, as the figure has them all."""
    body = []
    for name, observed in last["observables"].items():
        units = units_in(observed["units"], run.told_system.dimensions)
        components = list(observed["components"].items())
        listed = components if len(components) <= LISTED else components[:3]
        for label, e in listed:
            shown = f"{with_error(e['mean'], e['error'])} {units}"
            body.append([f"{name} {label}", shown, _number(e["blocking"], ".2g", "no plateau")])
        left = len(components) - len(listed)
        if left > 0:
            body.append([f"{name}: {left} more", "in the figure, --json and the file", ""])
        for label, (value, error) in observed["derived"].items():
            body.append([label, with_error(value, error), ""])
    return _table(["", "mean", "blocking error"], body)


def _diagnostics(run: Run, found: dict, last: dict | None) -> str:
    pairs: dict[str, Any] = {}
    training = found["training"]
    if training:
        pairs["iterations"] = f"{training['iterations']} of {training['asked_for']}"
        pairs["seconds of training"] = (
            f"{training['seconds']:.1f}, {100 * training['communication']:.1f} % waiting for others"
        )
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


def _text(value: Any) -> str:
    return html.escape(str(value))
