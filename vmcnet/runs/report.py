"""A run's summary as lines for the terminal; the numbers are those of the JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vmcnet.observables.base import unit_of
from vmcnet.runs.state import DONE, STOPPED
from vmcnet.runs.summary import own_warnings
from vmcnet.statistics.format import article, with_error
from vmcnet.systems.base import known_energy


def describe_system(system: Any, wavefunction: Any) -> str:
    """The system, and what is known of its energy with this wavefunction."""
    reference = known_energy(system, wavefunction)
    if reference is None:
        return system.describe()
    return f"{system.describe()}, reference {shown_energy(system, reference[0])} ({reference[1]})"


def shown_energy(system: Any, energy: float) -> str:
    """An energy without error, by particle first where the system is told of so."""
    if system.per_particle is None:
        return f"{energy:.7f} {system.units}"
    return (
        f"{energy / system.particles:.8f} {system.units} {article(system.per_particle)} "
        f"(total {energy:.7f})"
    )


def report_lines(found: Mapping) -> list[str]:
    """The report of a run, from its summary."""
    each = f" {article(found['per_particle'])}" if found["per_particle"] else ""
    lines = [
        found["path"],
        f"  {found['system']}, energies in {found['units']}{each}",
        f"  psi = {found['wavefunction']}",
        *_warned(found["warnings"].get("wavefunction", []), "  "),
    ]
    if found["training"]:
        lines += _training_lines(found)
    if found["divergence"] is not None:
        lines.append(
            "  Kullback-Leibler divergence of |psi|^2 from exp(-E/T): "
            f"{found['divergence']:.4f} nats, by enumeration"
        )
    for evaluation in found["evaluations"]:
        lines += _evaluation_lines(found, evaluation)
    if found["state"] != DONE:
        go_on = f"; go on with: vmcnet resume {found['path']}"
        told = found["state"] != STOPPED or "resume" in found["standing"]
        lines.append(f"  {found['standing']}{'' if told else go_on}")
    elif not found["evaluations"]:
        lines.append(f"  no evaluation yet: vmcnet evaluate {found['path']}")
    return lines


def _training_lines(found: Mapping) -> list[str]:
    training, share = found["training"], found["energies_divided_by"]
    last = training["last"]
    lines = [
        f"  training: {training['iterations']} iterations, {training['seconds']:.1f} s, "
        f"{100 * training['communication']:.1f} % in communication; "
        f"last energy {with_error(last['energy'] / share, last['error'] / share)}, acceptance "
        f"{last['acceptance']:.2f}",
        *_warned(training["warnings"]),
    ]
    line = found["zero_variance"]
    return lines + ([f"    energy at variance 0: {line['told']}"] if line else [])


def _evaluation_lines(found: Mapping, evaluation: Mapping) -> list[str]:
    low, high = evaluation["walker_acceptance"]
    tail, target = evaluation["tail"], evaluation["target"]
    shape = f"  tail {with_error(tail['shape'], tail['error'])}" if tail else ""
    lines = [
        f"  evaluation {evaluation['number']}: {evaluation['walkers']} walkers x "
        f"{evaluation['steps']} measurements at iteration {evaluation['iteration']}",
        *_estimate_lines(found, evaluation),
        f"    variance {evaluation['variance']:.3g}  autocorrelation time "
        f"{_number(evaluation['autocorrelation'], '.1f')}  R-hat "
        f"{_number(evaluation['rhat'], '.4f')}  acceptance {evaluation['acceptance']:.2f} "
        f"(walkers {low:.2f} to {high:.2f}, {evaluation['stuck']} stuck){shape}",
    ]
    lines += [f"    {target['told']}"] if target else []
    for name, observed in evaluation["observables"].items():
        lines += _observable_lines(name, observed)
    if found["reference"]:
        lines.append(f"    {reference_line(found, evaluation)}")
    return lines + _warned(own_warnings(found, evaluation))


def _estimate_lines(found: Mapping, evaluation: Mapping) -> list[str]:
    """One line an estimate: the energy and its terms, where the system is told of by particle
    divided by their number, with the total beside.
    """
    estimates, share = evaluation["estimates"], found["energies_divided_by"]
    width = max(map(len, estimates))
    lines = []
    for name, e in estimates.items():
        shown = with_error(e["mean"] / share, e["error"] / share)
        total = f"; total {with_error(e['mean'], e['error'])}" if found["per_particle"] else ""
        lines.append(f"    {name:<{width}}  {shown:<20} ({_beside(e['blocking'] / share)}{total})")
    return lines


def _observable_lines(name: str, observed: Mapping) -> list[str]:
    """One line a component that an observable shows, one for each that it derives."""
    labels, lines = list(observed["components"]), []
    for label in observed["shown"]:
        e = observed["components"][label]
        beside = _beside(e["blocking"])
        beside += f", R-hat {e['rhat']:.4f}" if math.isfinite(e["rhat"]) else ""
        unit = unit_of(observed["units"], labels.index(label), len(labels))
        shown = f"{with_error(e['mean'], e['error'])} {unit}".rstrip()
        lines.append(f"    {name} {label}  {shown}  ({beside})")
    for label, (value, error) in observed["derived"].items():
        lines.append(f"    {label}  {with_error(value, error)}")
    return lines


def reference_line(found: Mapping, evaluation: Mapping) -> str:
    """The reference and how far an evaluation is from it."""
    share, known = found["energies_divided_by"], found["reference"]
    sigmas = "" if evaluation["sigmas"] is None else f", {evaluation['sigmas']:+.1f} sigma"
    return (
        f"reference {known['energy'] / share:.{7 if share == 1 else 8}f} ({known['source']}); "
        f"difference {evaluation['difference'] / share:+.2e}{sigmas}"
    )


def finite_size_lines(found: Mapping, corrections: Any) -> list[str]:
    """Corrections (a FiniteSize) to the last evaluation, by particle."""
    share, units = found["energies_divided_by"], found["units"]
    lines = [f"  finite size, {units} {article(found['per_particle'] or 'box')}"]
    for name in ("potential", "kinetic", "energy"):
        value, error = getattr(corrections, name)  # fields, shown in this order
        shown = with_error(value / share, error / share) if error else f"{value / share:.7f}"
        lines.append(f"    {'corrected' if name == 'energy' else name:<9}  {shown}")
    lines.append(f"    S(k)/k^2 at k = 0, of plasmons  {with_error(*corrections.ratio)}")
    return lines + _warned(corrections.warnings)


def _warned(texts: Any, margin: str = "    ") -> list[str]:
    return [f"{margin}warning: {text}" for text in texts]


def _beside(blocking: float) -> str:
    return f"blocking {blocking:.2g}" if math.isfinite(blocking) else "no plateau"


def _number(value: float, form: str) -> str:
    return "?" if math.isnan(value) else format(value, form)
