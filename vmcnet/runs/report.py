"""The table of energies, every digit computed from the run file."""

from __future__ import annotations

import numpy as np

from vmcnet.config import parse_job
from vmcnet.engine.ending import training_warnings
from vmcnet.engine.fitting import notes_of
from vmcnet.engine.results import EvaluationResult, summarize
from vmcnet.exact.divergence import enumerated_divergence
from vmcnet.observables.base import unit_of, units_in
from vmcnet.runs.contents import measured_of
from vmcnet.runs.state import DONE, STOPPED, standing
from vmcnet.statistics.format import with_error
from vmcnet.statistics.zero_variance import ZeroVariance, along_training
from vmcnet.systems.base import System

LARGEST_ENUMERATION = 2**18


def evaluation_result(content: dict, system, blocking: str = "pyblock") -> EvaluationResult:
    """Recompute an evaluation from what the run file keeps of it."""
    attributes = content["attributes"]
    found = summarize(measured_of(content, system), blocking, system.moves)
    return found.aimed(float(attributes.get("target_error", 0.0)), int(attributes["steps"]))


def observable_lines(result: EvaluationResult, system: System) -> list[str]:
    """One line a component that an observable shows, one for each that it derives."""
    lines = []
    for observed in result.observables.values():
        found, units = observed.estimates, units_in(observed.record.units, system)
        for k in observed.shown:
            beside = _beside(found.blocking[k])
            if np.isfinite(found.rhat[k]):
                beside += f", R-hat {found.rhat[k]:.4f}"
            name = f"{observed.name} {observed.labels[k]}"
            unit = f" {unit_of(units, k, len(observed.labels))}".rstrip()
            lines.append(f"    {name}  {found[k]!s}{unit}  ({beside})")
        for name, (value, error) in observed.derived.items():
            lines.append(f"    {name}  {with_error(value, error)}")
    return lines


def _beside(blocking: float) -> str:
    return f"blocking {blocking:.2g}" if np.isfinite(blocking) else "no plateau"


def _number(value: float, form: str) -> str:
    return "?" if np.isnan(value) else format(value, form)


def _tail(tail) -> str:
    """Pareto shape of the tail of E_L, where one can be told."""
    if tail is None or not np.isfinite(tail.shape):
        return ""
    return f"  tail {with_error(tail.shape, tail.error)}"


def divergence_line(file, system, wavefunction) -> str:
    """How far |psi|^2 is from exp(-E/T), where a classical system is small enough to enumerate; ""
    otherwise.
    """
    if (
        system.temperature is None
        or not wavefunction.layout.size
        or len(system.labels_of_site) ** system.particles > LARGEST_ENUMERATION
    ):
        return ""
    psi, (states, p) = wavefunction.bind(np.asarray(file.parameters["theta"])), system.enumerated()
    return (
        "Kullback-Leibler divergence of |psi|^2 from exp(-E/T): "
        f"{enumerated_divergence(psi, states, p):.4f} nats, by enumeration"
    )


def estimate_lines(system, result: EvaluationResult) -> list[str]:
    """One line an estimate: the energy and its terms, where the system is told of by particle
    divided by their number, with the total beside.
    """
    width, share = max(map(len, result.estimates)), system.share
    lines = []
    for name, e in result.estimates.items():
        beside, total = "no plateau", ""
        if np.isfinite(e.blocking):
            beside = f"blocking {e.blocking / share:.2g}"
        shown = str(e)
        if system.per_particle:
            shown, total = with_error(e.mean / share, e.error / share), f"; total {shown}"
        lines.append(f"    {name:<{width}}  {shown:<20} ({beside}{total})")
    return lines


def extrapolated(file, system, job) -> ZeroVariance | None:
    """The energy at variance 0 by a line along a training that minimises the energy; None where
    training is another or short.
    """
    if job.data is not None or system.temperature is not None:
        return None
    return along_training(*(file.training.get(k, ()) for k in ("energy", "variance", "error")))


def describe_system(system, wavefunction) -> str:
    """The system, and what is known of its energy with this wavefunction."""
    reference = system.reference_of(wavefunction)
    if reference is None:
        return system.describe()
    return f"{system.describe()}, reference {shown_energy(system, reference[0])} ({reference[1]})"


def shown_energy(system, energy: float) -> str:
    """An energy without error, by particle first where the system is told of so."""
    if system.per_particle is None:
        return f"{energy:.7f} {system.units}"
    return (
        f"{energy / system.particles:.8f} {system.units} {article(system.per_particle)} "
        f"(total {energy:.7f})"
    )


def article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def report_lines(file, system, wavefunction, blocking: str = "pyblock") -> list[str]:
    """The report of a RunFile as plain lines."""
    lines = [
        f"{file.path}",
        f"  {system.describe()}, energies in {system.units}"
        f"{f' {article(system.per_particle)}' if system.per_particle else ''}",
        f"  psi = {wavefunction.describe()}",
        *(f"  warning: {note}" for note in notes_of(system, wavefunction)),
    ]
    share = system.share
    if file.rows:
        last = {k: v[-1] for k, v in file.training.items()}
        seconds, waiting = (float(np.sum(file.training[k])) for k in ("seconds", "communication"))
        lines.append(
            f"  training: {file.rows} iterations, {seconds:.1f} s, "
            f"{100 * waiting / max(seconds, 1e-9):.1f} % in communication; "
            f"last energy {with_error(last['energy'] / share, last['error'] / share)}, acceptance "
            f"{last['acceptance']:.2f}"
        )
        job = parse_job(file.attributes["job"], (), str(file.path))
        doubts = training_warnings(
            file.training, job.sampling.walkers, system.moves, job.data is None
        )
        lines += [f"    warning: {text}" for text in doubts]
        line = extrapolated(file, system, job)
        lines += [f"    energy at variance 0: {line.told(share)}"] if line else []
    for number, content in sorted(file.evaluations.items()):
        result = evaluation_result(content, system, blocking)
        lines.append(
            f"  evaluation {number}: {result.walkers} walkers x {result.steps} measurements at "
            f"iteration {content['attributes']['iteration']}"
        )
        lines += estimate_lines(system, result)
        lines.append(
            f"    variance {result.variance:.3g}  autocorrelation time "
            f"{_number(result.autocorrelation, '.1f')}  R-hat {_number(result.rhat, '.4f')}  "
            f"acceptance {result.acceptance:.2f} "
            f"(walkers {result.walker_acceptance[0]:.2f} to {result.walker_acceptance[1]:.2f}, "
            f"{result.stuck} stuck){_tail(result.tail)}"
        )
        lines += [f"    {result.target_line}"] if result.target_line else []
        lines += observable_lines(result, system)
        divergence = divergence_line(file, system, wavefunction)
        lines += [f"    {divergence}"] if divergence else []
        reference = system.reference_of(wavefunction)
        if reference:
            energy, source = reference
            sigmas = (
                f", {(result.energy - energy) / result.error:+.1f} sigma"
                if result.error > 0
                else ""
            )
            lines.append(
                f"    reference {energy / share:.{7 if share == 1 else 8}f} ({source}); difference "
                f"{(result.energy - energy) / share:+.2e}{sigmas}"
            )
        lines += [f"    warning: {text}" for text in result.warnings]
    where = standing(file)
    if where.word != DONE:
        resumes = f"; go on with: vmcnet resume {file.path}" if where.word == STOPPED else ""
        lines.append(f"  {where}{resumes if 'resume' not in where.text else ''}")
    elif not file.evaluations:
        lines.append(f"  no evaluation yet: vmcnet evaluate {file.path}")
    return lines
