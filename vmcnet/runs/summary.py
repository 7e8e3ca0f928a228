"""A run as plain numbers and texts: what terminal, JSON, CSV, table and page are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vmcnet.observables.base import units_in
from vmcnet.runs.doubts import without
from vmcnet.runs.reading import Run
from vmcnet.runs.state import moment, standing
from vmcnet.systems.base import known_energy

SCHEMA = 1  # of the JSON


def summary(run: Run, blocking: str = "pyblock") -> dict[str, Any]:
    """All that a report says of a run, as numbers and texts; energies are totals in `units`."""
    system, wavefunction = run.told_system, run.told_wavefunction
    reference = known_energy(system, wavefunction)
    where = standing(run.file)
    results = run.evaluations if blocking == "pyblock" else run.evaluated(blocking)
    warnings = run.doubts(results)
    return {
        "schema": SCHEMA,
        "path": str(run.path),
        "name": run.job.name,
        "state": where.word,
        "standing": str(where),
        "since": where.since,
        "started": moment(str(run.attributes.get("started", ""))),
        "system": system.describe(),
        "wavefunction": wavefunction.describe(),
        "parameters": int(wavefunction.layout.size),
        "units": system.units,
        "particles": int(system.particles),
        "per_particle": system.per_particle,
        "energies_divided_by": system.share,
        "reference": reference and {"energy": float(reference[0]), "source": reference[1]},
        "warnings": warnings,
        "training": _training(run, warnings.get("training", [])),
        "zero_variance": _zero_variance(run),
        "divergence": run.divergence,
        "evaluations": [
            _evaluation(number, run, result, reference)
            for number, result in zip(sorted(run.file.evaluations), results, strict=True)
        ],
        "job": run.attributes["job"],
        "environment": {
            k.removeprefix("condition_"): v
            for k, v in run.attributes.items()
            if k.startswith("condition_") or k in ("vmcnet", "git", "host", "ranks", "started")
        },
    }


def _training(run: Run, warnings: list[str]) -> dict[str, Any] | None:
    if not run.file.rows:
        return None
    seconds, waiting = (float(run.training[k].sum()) for k in ("seconds", "communication"))
    return {
        "iterations": run.file.rows,
        "asked_for": run.job.training.iterations,
        "seconds": seconds,
        "communication": waiting / seconds if seconds else 0.0,
        "last": {k: float(v[-1]) for k, v in run.training.items()},
        "warnings": warnings,
    }


def _zero_variance(run: Run) -> dict[str, Any] | None:
    """The line of energies against variances along training, its points as lists."""
    line = run.zero_variance
    if line is None:
        return None
    names = ("variance", "energy", "error")
    return {
        "energy": line.energy,
        "error": line.error,
        "slope": line.slope,
        "refused": line.refused,
        "told": line.told(run.told_system.share),
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
        "tail": _tail(result.tail),
        "observables": {
            name: _observable(observed, run.told_system)
            for name, observed in result.observables.items()
        },
        "warnings": list(result.warnings),
        "target": {
            "error": result.target_error,
            "limit": int(result.limit),
            "reached": result.reaches(result.target_error),
            "told": result.target_line,
        }
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


def _tail(tail: Any) -> dict[str, float] | None:
    """Pareto shape of the tail of E_L, where one can be told."""
    if tail is None or not np.isfinite(tail.shape):
        return None
    return {"shape": float(tail.shape), "error": float(tail.error)}


def _observable(observed: Any, system: Any) -> dict[str, Any]:
    """All components by label; shown: the labels of those that terminal and page print."""
    labels = [str(label) for label in observed.labels]
    rhat = observed.estimates.rhat
    return {
        "units": units_in(observed.record.units, system),
        "components": {
            label: _estimate(observed.estimates[k]) | {"rhat": float(rhat[k])}
            for k, label in enumerate(labels)
        },
        "shown": [labels[k] for k in observed.shown],
        "derived": {k: [float(x) for x in v] for k, v in observed.derived.items()},
        "grid": {k: np.asarray(v).tolist() for k, v in observed.grid.items()},
    }


def own_warnings(found: Mapping, evaluation: Mapping) -> list[str]:
    """Warnings of an evaluation beside those of its system and wavefunction, said once a run."""
    return without(evaluation["warnings"], found["warnings"].get("wavefunction", []))


def finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
