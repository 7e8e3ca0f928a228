"""An evaluation as the run file keeps it, and back; files of version 0.1 are read too.

/evaluation/N holds energy, variance, terms/NAME, acceptance (T,); walker_mean and walker_m2 (2, 1 +
terms, W) of both halves; walker_acceptance (W,); tail/bin and tail/count; blocking/*; and of every
observable observables/NAME/{labels, shown, series (T, K), mean, m2 (2, K, G), derived (D, 2),
derived_labels, grid/*}. Attributes: names of energy and terms, names and units of the observables.
"""

from __future__ import annotations

import json

import numpy as np

from vmcnet.engine.results import EvaluationResult, Measured, Record, derived_of, summarize
from vmcnet.statistics.blocking import blocking_curve
from vmcnet.statistics.tails import BINS

OLD_NAMES = {"magnetisation": "m", "m2": "m^2", "m4": "m^4"}  # terms of classical models in 0.1


def content_of(measured: Measured, attributes: dict) -> dict:
    """name -> array, and `attributes`, as RunFile.evaluations keeps it."""
    mean, m2 = measured.moments["energy"]
    content = {
        **measured.series,
        "walker_mean": mean,
        "walker_m2": m2,
        "walker_acceptance": measured.acceptance,
        "tail/bin": np.flatnonzero(measured.tail),
        "tail/count": measured.tail[measured.tail > 0],
        **{f"blocking/{k}": v for k, v in vars(blocking_curve(measured.series["energy"])).items()},
    }
    for name, record in measured.records.items():
        found = {
            "labels": _texts(record.labels),
            "derived_labels": _texts(record.derived),
            "derived": np.array(list(record.derived.values()), float).reshape(-1, 2),
            "mean": measured.moments[name][0],
            "m2": measured.moments[name][1],
            **{f"grid/{k}": v for k, v in record.grid.items()},
        }
        if record.shown is not None:
            found["shown"] = np.array(record.shown, np.int64)
        content |= {f"observables/{name}/{k}": v for k, v in found.items() if np.size(v)}
    content["attributes"] = {
        "names": ",".join(measured.names),
        "observables": ",".join(measured.records),
        "units": json.dumps({name: r.units for name, r in measured.records.items()}),
        "tried": measured.tried,
        "centre": measured.centre,
        "singular": measured.singular,
        **attributes,
    }
    return content


def evaluation_result(content: dict, system, blocking: str = "pyblock") -> EvaluationResult:
    """An evaluation, recomputed from what the run file keeps of it."""
    attributes = content["attributes"]
    found = summarize(measured_of(content, system), blocking, system.moves)
    return found.aimed(float(attributes.get("target_error", 0.0)), int(attributes["steps"]))


def measured_of(content: dict, system) -> Measured:
    """What `content` of a run file holds; `system` knows what version 0.1 measured by itself."""
    attributes = content["attributes"]
    if "observables" not in attributes:
        return _measured_by_0_1(content, system)
    names = [n for n in attributes["observables"].split(",") if n]
    units = json.loads(attributes["units"])
    moments = {"energy": (content["walker_mean"], content["walker_m2"])}
    groups = len(content["walker_acceptance"])
    records = {}
    for name in names:
        own = {
            k.removeprefix(f"observables/{name}/"): v
            for k, v in content.items()
            if k.startswith(f"observables/{name}/")
        }
        empty = np.empty((2, 0, groups))
        moments[name] = own.get("mean", empty), own.get("m2", empty)
        labels, derived = _read(own.get("labels", ())), _read(own.get("derived_labels", ()))
        values = [tuple(map(float, row)) for row in own.get("derived", ())]
        shown = tuple(own["shown"].tolist()) if "shown" in own else None
        grid = {k.removeprefix("grid/"): v for k, v in own.items() if k.startswith("grid/")}
        derived = dict(zip(derived, values, strict=True))
        records[name] = Record(labels, units[name], shown, grid, derived)
    tail = np.zeros(BINS, np.int64)
    tail[content.get("tail/bin", np.empty(0, np.int64))] = content.get("tail/count", ())
    return Measured(
        attributes["names"].split(","),
        _series(content, [f"observables/{name}/series" for name in names]),
        moments,
        records,
        content["walker_acceptance"],
        int(attributes["tried"]),
        tail,
        float(attributes["centre"]),
        float(attributes.get("singular", "nan")),
    )


def _measured_by_0_1(content: dict, system) -> Measured:
    """Observables without moments of walkers, order parameters among the terms, no tail."""
    attributes = content["attributes"]
    names = attributes["names"].split(",")
    mean, m2 = content["walker_mean"], content["walker_m2"]
    order = [k for k, name in enumerate(names) if name in OLD_NAMES]
    order = order if system.temperature is not None else []
    rest = [k for k in range(len(names)) if k not in order]
    series, moments = _series(content, []), {"energy": (mean[:, rest], m2[:, rest])}
    records = {}
    for o in system.observables:
        old, new = f"observables/{o.name}", f"observables/{o.name}/series"
        if old in content:
            series[new], moments[o.name] = content[old], None
            records[o.name] = Record(tuple(o.labels), o.units, _shown(o))
        elif order and list(o.labels) in ([], list(OLD_NAMES.values())):
            own = order if len(o.labels) else []
            moments[o.name] = mean[:, own], m2[:, own]
            terms = [content[f"terms/{names[k]}"] for k in own]
            if own:
                series[new] = np.stack(terms, axis=1)
            left = [names[k] for k in rest]
            steps = len(content["energy"])
            derived = derived_of(o, left, moments["energy"], moments[o.name], steps)
            records[o.name] = Record(tuple(o.labels), o.units, _shown(o), {}, derived)
    tried = int(attributes["steps"]) * int(attributes["interval"])
    left = [names[k] for k in rest]
    return Measured(left, series, moments, records, content["walker_acceptance"], tried)


def _shown(observable):
    return None if observable.shown is None else tuple(observable.shown)


def _series(content: dict, further) -> dict:
    wanted = ("energy", "variance", "acceptance", "exchange_acceptance", *further)
    return {k: v for k, v in content.items() if k in wanted or k.startswith("terms/")}


def _texts(labels) -> np.ndarray:
    """Labels as an array of byte strings, which plain h5py reads."""
    return np.array([text.encode() for text in labels])


def _read(texts) -> tuple:
    return tuple(text.decode() for text in np.asarray(texts).tolist())
