"""The table of energies, every digit computed from the run file."""

from __future__ import annotations

import numpy as np

from vmcnet.engine.evaluation import EvaluationResult, summarize
from vmcnet.exact.divergence import enumerated_divergence
from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.format import with_error

LARGEST_ENUMERATION = 2**18


def evaluation_result(content: dict, blocking: str = "pyblock") -> EvaluationResult:
    """Recompute an evaluation from what the run file keeps of it."""
    names = content["attributes"]["names"].split(",")
    series = {
        k: v
        for k, v in content.items()
        if not k.startswith(("walker_", "blocking/")) and k != "attributes"
    }
    return summarize(
        series,
        content["walker_mean"],
        content["walker_m2"],
        content["walker_acceptance"],
        names,
        blocking,
    )


def derived_quantities(content: dict, system) -> dict:
    """name -> (value, jackknife error between walkers) of what the system derives from an
    evaluation: heat capacity, Binder cumulant.
    """
    names, steps = content["attributes"]["names"].split(","), len(content["energy"])
    counts = np.array([steps // 2, steps - steps // 2], float)[:, None, None]
    means, m2 = np.asarray(content["walker_mean"]), np.asarray(content["walker_m2"])
    average = (means * counts).sum(axis=0) / steps  # (1 + terms, W)
    centre = average.mean(axis=1)[:, None]
    square = (m2 + counts * (means - centre) ** 2).sum(axis=0) / steps
    return system.derived(
        dict(zip(names, average, strict=True)), dict(zip(names, square, strict=True))
    )


SHOWN = {"magnetisation": ("m", "|m|", "m^2"), "staggered": ("m", "|m|", "m^2")}


def observable_lines(content: dict) -> list[str]:
    """Means of the series of observables, with blocking errors; of correlations and structure
    factors the largest, by its place.
    """
    lines = []
    for key in sorted(k for k in content if k.startswith("observables/")):
        name, series = key.removeprefix("observables/"), np.asarray(content[key])
        columns = (
            dict(enumerate(SHOWN[name]))
            if name in SHOWN
            else {int(np.argmax(series.mean(axis=0)[1:])) + 1: "largest at {}"}
        )
        parts = []
        for column, label in columns.items():
            found = blocking_error(series[:, column])
            parts.append(f"{label.format(column)} = {with_error(found.mean, found.error)}")
        lines.append(f"    {name}  {', '.join(parts)}")
    return lines


def divergence_line(file, system, wavefunction) -> str:
    """How far |psi|^2 is from exp(-E/T), where a classical system is small enough to enumerate; ""
    otherwise.
    """
    if (
        not hasattr(system, "temperature")
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
    ]
    share = system.share
    if file.rows:
        last = {k: v[-1] for k, v in file.training.items()}
        seconds, waiting = np.sum(file.training["seconds"]), np.sum(file.training["communication"])
        lines.append(
            f"  training: {file.rows} iterations, {seconds:.1f} s, {100 * waiting / seconds:.1f} % "
            "in communication; "
            f"last energy {with_error(last['energy'] / share, last['error'] / share)}, acceptance "
            f"{last['acceptance']:.2f}"
        )
    for number, content in sorted(file.evaluations.items()):
        result = evaluation_result(content, blocking)
        lines.append(
            f"  evaluation {number}: {result.walkers} walkers x {result.steps} measurements at "
            f"iteration {content['attributes']['iteration']}"
        )
        lines += estimate_lines(system, result)
        lines.append(
            f"    variance {result.variance:.3g}  autocorrelation time "
            f"{result.autocorrelation:.1f}  "
            f"R-hat {result.rhat:.4f}  acceptance {result.acceptance:.2f} "
            f"(walkers {result.walker_acceptance[0]:.2f} to {result.walker_acceptance[1]:.2f}, "
            f"{result.stuck} stuck)"
        )
        for name, (value, error) in derived_quantities(content, system).items():
            lines.append(f"    {name}  {with_error(value, error)}")
        lines += observable_lines(content)
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
    if not file.evaluations:
        lines.append(f"  no evaluation yet: vmcnet evaluate {file.path}")
    return lines
