"""What makes the numbers of a run doubtful: one list for terminal, page, JSON and Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vmcnet.engine.ending import training_warnings
from vmcnet.engine.results import EvaluationResult


def doubts(
    file: Any, job: Any, system: Any, notes: list[str], results: Mapping[int, EvaluationResult]
) -> dict[str, list[str]]:
    """Warnings by what they are of: "wavefunction" (and its system: the notes), "training" and
    "evaluation N"; what has none is left out.
    """
    found = {"wavefunction": list(notes)}
    if file.rows:
        minimises = job.data is None
        grown = [g.walkers for g in job.training.growth if g.iteration < file.rows]
        walkers = [job.sampling.walkers, *grown][-1]
        found["training"] = training_warnings(file.training, walkers, system.moves, minimises)
    for number, result in results.items():
        found[f"evaluation {number}"] = without(result.warnings, notes)
    return {name: texts for name, texts in found.items() if texts}


def without(texts: Iterable[str], said: list[str]) -> list[str]:
    """The texts that are not said already."""
    return [text for text in texts if text not in said]


def counted(warnings: Mapping[str, list[str]]) -> int:
    """How many there are."""
    return sum(map(len, warnings.values()))
