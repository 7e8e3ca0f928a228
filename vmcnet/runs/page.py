"""One self-contained HTML page of one run or several: no server, no network, no script."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

from vmcnet.observables.base import unit_of
from vmcnet.runs.comparison import cells, difference_line, differing, keys
from vmcnet.runs.figures import compared, drawn, figures, inline
from vmcnet.runs.reading import Run
from vmcnet.runs.report import reference_line
from vmcnet.runs.summary import summary
from vmcnet.statistics.format import raised, two_digits, with_error
from vmcnet.version import VERSION

STYLE = (Path(__file__).parent / "page.css").read_text()
COLUMNS = {"difference": "energy - reference"}
CAPTIONS = {
    "training": "Energy while training; the band is the error of one iteration.",
    "distance": "How far the training energy is away: iterations pale, their running mean strong.",
    "terms": "The terms of the energy while training.",
    "acceptance": "Acceptance of moves, and the size of the steps.",
    "norms": "Norms of the gradient and of the optimizer's steps.",
    "extrapolation": "Energy against variance of segments of training. Where a straight line fits "
    "them it ends, at variance 0, near the exact energy; it is no bound.",
    "blocking": "Blocking: the error of the mean must reach a plateau; it should agree with the "
    "error between walkers.",
    "autocorrelation": "Autocorrelation of the measured energies; the band is noise.",
    "tails": "Local energies far from the median. Steeper than power -3: the variance is sound.",
}


def page(runs: list[Run], blocking: str = "pyblock", average: dict | None = None) -> str:
    """The page as text. average: over the twists of a job, whose runs these are."""
    summaries = [summary(run, blocking) for run in runs]
    parts = [_twist_average(average)] if average else []
    parts += [comparison(runs, summaries)] if len(runs) > 1 else []
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
        _headline(found, last),
        _doubts(found),
    ]
    pictures = []
    for name, draw in figures(run).items():
        svg = drawn(run, name, draw)
        if svg is not None:
            caption = CAPTIONS.get(name, f"{_words(name).capitalize()} in the last evaluation.")
            pictures.append(_figure(svg, f"{name} {number}", caption))
    if last:
        parts += ["<h2>Energy and its terms</h2>", _estimates(found, last)]
        if last["observables"]:
            parts += ["<h2>Observables</h2>", _observables(last)]
    if pictures:
        parts += ["<h2>Figures</h2>", f'<div class="figures">{"".join(pictures)}</div>']
    parts += ["<h2>How it was found</h2>", _pairs(_diagnostics(found, last))]
    parts += [_earlier(found, evaluation) for evaluation in found["evaluations"][-2::-1]]
    parts += ["<h2>Environment</h2>", _pairs(_environment(found["environment"]))]
    parts += [
        "<details><summary>The job, all keys written out</summary>"
        f"<pre>{_text(found['job'])}</pre></details>"
    ]
    return f"<section>\n{chr(10).join(parts)}\n</section>"


def comparison(runs: list[Run], summaries: list[dict]) -> str:
    """A table of all runs, the keys that differ as columns, and one figure of all."""
    names = differing(summaries)
    (head, *body), below = cells([s | {"path": Path(s["path"]).stem} for s in summaries])
    labels = [Path(found["path"]).stem for found in summaries]
    if len(names) == 1:
        labels = [f"{names[0].split('.')[-1]} = {keys(s['job']).get(names[0])}" for s in summaries]
    training, last = compared(runs, labels)
    pictures = _figure(training, "trainings", "Trainings.")
    dashed = "; dashed: the reference" if any(s["reference"] for s in summaries) else ""
    pictures += _figure(last, "evaluations", f"Last evaluations with their errors{dashed}.")
    head = [COLUMNS.get(name, name) for name in head]
    more = _table(below[0], below[1:]) + "\n" if below else ""
    apart = difference_line(summaries)
    apart = f"<p>{_text(apart)}.</p>\n" if apart else ""
    return (
        f"<section>\n<h1>{len(runs)} runs</h1>\n{_table(head, body)}\n{apart}"
        f'<div class="figures">{pictures}</div>\n{more}</section>'
    )


def _twist_average(found: dict) -> str:
    share, each = found["energies_divided_by"], found["per_particle"]
    body = [
        [
            _words(name),
            with_error(e["mean"] / share, e["error"] / share),
            *(_digits(e[k] / share) for k in ("error", "statistical", "spread")),
            *([with_error(e["mean"], e["error"])] if each else []),
        ]
        for name, e in found["estimates"].items()
    ]
    mean = f"mean ({found['units']}{f' per {each}' if each else ''})"
    total = [f"total ({found['units']})"] if each else []
    head = ["", mean, "error", "statistical", "spread of twists", *total]
    why = (
        "The error holds the choice of twists and the statistics of their runs."
        if found["random"]
        else "The error is statistical: the grid of twists is whole."
    )
    return (
        f"<section>\n<h1>Average over {len(found['twists'])} twists</h1>\n"
        f"{_table(head, body)}\n<p>{why}</p>\n</section>"
    )


def _figure(svg: bytes, title: str, caption: str) -> str:
    return f"<figure>{inline(svg, title)}<figcaption>{_text(caption)}</figcaption></figure>"


def _headline(found: dict, last: dict | None) -> str:
    state = f'<p class="state {found["state"]}">{_text(found["standing"])}</p>'
    if last is None:
        command = f"vmcnet evaluate {_text(found['path'])}"
        return f"{state}<p>No evaluation yet: <code>{command}</code></p>"
    share, energy = found["energies_divided_by"], last["estimates"]["energy"]
    each = f" per {found['per_particle']}" if found["per_particle"] else ""
    shown = with_error(energy["mean"] / share, energy["error"] / share)
    text = (
        f'<p class="energy">E = <b>{_text(shown)}</b> {_text(found["units"])}{each}</p>'
        f"<p>Mean over {last['walkers']} walkers and {last['steps']} measurements at the "
        f"parameters of iteration {last['iteration']}; the error, in units of the last digit, "
        "comes from the spread of independent walkers.</p>"
    )
    text += _sentence(last["target"]["told"]) if last["target"] else ""
    text += _sentence(reference_line(found, last)) if found["reference"] else ""
    line = found["zero_variance"]
    return state + text + (_sentence(f"energy at variance 0: {line['told']}") if line else "")


def _sentence(text: str) -> str:
    return f"<p>{_text(text[0].upper() + text[1:])}.</p>"


def _doubts(found: dict) -> str:
    """All warnings; those of earlier evaluations by their number."""
    last = f"evaluation {found['evaluations'][-1]['number']}" if found["evaluations"] else ""
    doubts = [
        f"{name}: {text}" if name.startswith("evaluation") and name != last else text
        for name, texts in found["warnings"].items()
        for text in texts
    ]
    if not doubts:
        return ""
    items = "".join(f"<li>{_text(text)}</li>" for text in doubts)
    return f'<div class="doubts"><b>Doubts</b><ul>{items}</ul></div>'


def _estimates(found: dict, evaluation: dict) -> str:
    share, each = found["energies_divided_by"], found["per_particle"]
    body = [
        [
            _words(name),
            with_error(e["mean"] / share, e["error"] / share),
            _digits(e["error"] / share),
            _digits(e["blocking"] / share, "no plateau"),
            *([with_error(e["mean"], e["error"])] if each else []),
        ]
        for name, e in evaluation["estimates"].items()
    ]
    mean = f"mean ({found['units']}{f' per {each}' if each else ''})"
    total = [f"total ({found['units']})"] if each else []
    return _table(["", mean, "error", "blocking error", *total], body)


def _observables(evaluation: dict) -> str:
    """The components that the terminal shows; the figure has all."""
    body = []
    for name, observed in evaluation["observables"].items():
        labels, word = list(observed["components"]), _words(name)
        for label in observed["shown"]:
            e = observed["components"][label]
            unit = unit_of(observed["units"], labels.index(label), len(labels))
            shown = f"{with_error(e['mean'], e['error'])} {raised(unit)}".rstrip()
            title, blocking = raised(f"{word} {label}"), _digits(e["blocking"], "no plateau")
            body.append([title, shown, _digits(e["error"]), blocking, _number(e["rhat"], ".4f")])
        for label, (value, error) in observed["derived"].items():
            body.append([raised(label), with_error(value, error), _digits(error), "", ""])
        if len(labels) > len(observed["shown"]):
            body[-1][0] += f", of {len(labels)} components"
    return _table(["", "mean", "error", "blocking error", "R-hat"], body)


def _earlier(found: dict, evaluation: dict) -> str:
    """An evaluation before the last: folded away, with all its numbers."""
    share, energy = found["energies_divided_by"], evaluation["estimates"]["energy"]
    shown = with_error(energy["mean"] / share, energy["error"] / share)
    parts = [_estimates(found, evaluation)]
    parts += [_observables(evaluation)] if evaluation["observables"] else []
    parts += [_sentence(evaluation["target"]["told"])] if evaluation["target"] else []
    parts += [_sentence(reference_line(found, evaluation))] if found["reference"] else []
    return (
        f"<details><summary>Evaluation {evaluation['number']}, before the last: E = "
        f"{_text(shown)}</summary>{''.join(parts)}{_pairs(_of_evaluation(evaluation))}</details>"
    )


def _diagnostics(found: dict, last: dict | None) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    training, share = found["training"], found["energies_divided_by"]
    if training:
        energy, error = (training["last"][k] / share for k in ("energy", "error"))
        pairs["iterations"] = f"{training['iterations']} of {training['asked_for']}"
        waiting = f", {100 * training['communication']:.1f} % of it waiting for other ranks"
        alone = found["environment"].get("ranks") == 1
        pairs["time of training"] = f"{training['seconds']:.1f} s{'' if alone else waiting}"
        accepted = f"{training['last']['acceptance']:.2f}"
        pairs["last iteration"] = f"energy {with_error(energy, error)}, acceptance {accepted}"
    if found["divergence"] is not None:
        name = "Kullback-Leibler divergence of |psi|\u00b2 from exp(-E/T)"
        pairs[name] = f"{found['divergence']:.4f} nats, by enumeration"
    return pairs | (_of_evaluation(last) if last else {}) | {"file": found["path"]}


def _of_evaluation(evaluation: dict) -> dict[str, Any]:
    (low, high), tail = evaluation["walker_acceptance"], evaluation["tail"]
    measured = f"{evaluation['walkers']} walkers x {evaluation['steps']} measurements"
    return {
        "evaluation": f"{measured} at iteration {evaluation['iteration']}",
        "variance of the local energy": _number(evaluation["variance"], ".3g"),
        "autocorrelation time": f"{_number(evaluation['autocorrelation'], '.1f')} measurements",
        "split R-hat": _number(evaluation["rhat"], ".4f"),
        "acceptance": f"{evaluation['acceptance']:.2f} (walkers {low:.2f} to {high:.2f})",
        "stuck walkers": evaluation["stuck"],
        "tail of the local energy": f"Pareto shape {with_error(tail['shape'], tail['error'])}"
        if tail
        else "none that can be told",
    }


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
