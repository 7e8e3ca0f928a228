"""What an evaluation found: means, errors, and what makes them doubtful."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vmcnet.observables.base import checked_derived, unit_of
from vmcnet.statistics.estimates import FEWEST, Estimate, Estimates, averages, estimates
from vmcnet.statistics.format import with_error
from vmcnet.statistics.tails import Tail, pareto_tail

EXACT = 1e-18  # variance of E_L, in units of E^2, that is rounding
ROUNDING = 1e-20  # the same of a component of an observable
UNBOUNDED = 0.45  # Pareto shape of a divergence without variance: 1/2, measured
MIXED = 1.05  # split R-hat above which walkers have not mixed
FEW_MOVES = 5  # accepted moves of a walker, at least
MANY = 4  # components of an observable that the report prints; of more, the largest
CURES = {
    "coordinates": "use smaller steps or a longer warm-up",
    "spins": "use another proposal or a longer warm-up",
    "colours": "use a longer warm-up",
}


@dataclass(frozen=True)
class Record:
    """What is kept of an observable beside its numbers; see observables.Observable. derived: label
    -> (value, error).
    """

    labels: tuple
    units: str = ""
    shown: tuple | None = None
    grid: dict = field(default_factory=dict)
    derived: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """All that an evaluation keeps, and all that is printed follows from it.

    names: energy and terms. series: name -> (T,) of energy, variance, terms/NAME and acceptance,
    and observables/NAME/series (T, K). moments: "energy" and every observable by name -> means and
    M2 (2, K, G) of both halves, or None where a file has none. acceptance (W,): share of `tried`
    moves that every walker accepted. tail: binned |E_L - centre|, or None. singular: the largest
    Pareto shape that follows from how E_L diverges (engine.singular), NaN where nobody looked.
    """

    names: list
    series: dict
    moments: dict
    records: dict
    acceptance: np.ndarray
    tried: int
    tail: np.ndarray | None = None
    centre: float = 0.0
    singular: float = float("nan")

    @classmethod
    def of(
        cls,
        observables: Any,
        names: list,
        moments: Any,
        series: dict,
        acceptance: Any,
        tried: Any,
        tail: Any,
        centre: Any,
    ) -> Measured:
        """With what the observables derive from the averages."""
        steps, records = len(series["energy"]), {}
        for o in observables:
            derived = derived_of(o, names, moments["energy"], moments[o.name], steps)
            shown = None if o.shown is None else tuple(o.shown)
            units = o.units if isinstance(o.units, str) else ", ".join(o.units)
            records[o.name] = Record(tuple(o.labels), units, shown, dict(o.grid), derived)
        return cls(names, series, moments, records, acceptance, tried, tail, centre)

    @property
    def steps(self) -> int:
        return len(self.series["energy"])


def derived_of(observable: Any, names: list, energy: Any, own: Any, steps: int) -> dict:
    """What an observable derives from the averages of energy, terms and its own components."""
    mean, square = averages(energy[0], energy[1], steps)
    own_mean, own_square = averages(own[0], own[1], steps)
    chains = own_mean.shape[1]
    mean, square = (x.reshape(len(x), chains, -1).mean(axis=2) for x in (mean, square))
    labels = [*names, *observable.labels]
    found = observable.derived(
        dict(zip(labels, [*mean, *own_mean], strict=True)),
        dict(zip(labels, [*square, *own_square], strict=True)),
    )
    return checked_derived(observable, found)


@dataclass(frozen=True, repr=False)
class Observed:
    """An observable's means and errors, component by component; observed["m"] is an Estimate."""

    name: str
    record: Record
    estimates: Estimates

    def __repr__(self) -> str:
        count, units = len(self.labels), self.record.units
        parts = [
            f"{self.labels[k]} {self.estimates[k]} {unit_of(units, k, count)}".rstrip()
            for k in self.shown
        ]
        return f"Observed {self.name}, {len(self.labels)} components: {', '.join(parts)}"

    @property
    def labels(self) -> tuple:
        return self.record.labels

    @property
    def mean(self) -> np.ndarray:
        return self.estimates.mean

    @property
    def error(self) -> np.ndarray:
        return self.estimates.error

    @property
    def derived(self) -> dict:
        """label -> (value, error)."""
        return self.record.derived

    @property
    def grid(self) -> dict:
        return self.record.grid

    def __getitem__(self, label: str) -> Estimate:
        return self.estimates[self.labels.index(label)]

    @property
    def shown(self) -> list:
        """The components that the report prints: those named, or the largest of more than 4."""
        shown = self.record.shown
        named = list(range(len(self.labels)) if shown is None else shown)
        return named if len(named) <= MANY else [named[int(np.argmax(self.mean[named]))]]

    def doubts(self, steps: int) -> list[str]:
        found = self.estimates
        scale = np.max(found.mean**2 + found.variance, initial=0.0)
        real = found.variance > ROUNDING * scale
        return [f"{self.name} {text}" for text in _doubts(found, steps, real, self.labels)]


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """What an evaluation says; `estimates` maps energy and each term to an Estimate, `observables`
    the name of each observable to an Observed.

    An error is NaN, printed as (?), where it cannot be known. walker_acceptance: the lowest and the
    highest of all walkers; stuck: walkers that accepted fewer than 5 moves, or less than a tenth of
    the mean. tail: of |E_L - median|.
    """

    estimates: dict
    variance: float
    autocorrelation: float
    rhat: float
    acceptance: float
    walker_acceptance: tuple
    stuck: int
    steps: int
    walkers: int
    warnings: list
    observables: dict
    tail: Tail | None
    reliable: bool = True  # there are measurements enough for the error to be trusted
    target_error: float | None = None
    limit: int = 0  # measurements allowed, where there is a target

    def reaches(self, target: float) -> bool:
        """Whether the error of the energy is known and at most `target`."""
        return bool(self.reliable and self.error <= target)

    def aimed(self, target: float | None, limit: int) -> EvaluationResult:
        """The same, of an evaluation that was to end at an error `target`."""
        return replace(self, target_error=target or None, limit=limit)

    @property
    def target_line(self) -> str:
        """Whether the target was reached, in words; "" without one."""
        if not self.target_error:
            return ""
        if self.reaches(self.target_error):
            return (
                f"error {self.error:.2g} is within the target {self.target_error:g} after "
                f"{self.steps} of at most {self.limit} measurements"
            )
        why = f"error {self.error:.2g}" if self.error > self.target_error else "an uncertain error"
        return (
            f"target error {self.target_error:g} not reached: {why} after all {self.limit} "
            "measurements allowed"
        )

    @property
    def energy(self) -> float:
        return self.estimates["energy"].mean

    @property
    def error(self) -> float:
        return self.estimates["energy"].error

    def __repr__(self) -> str:
        doubts = f"; {len(self.warnings)} warnings" if self.warnings else ""
        doubts += f"; {self.target_line}" if self.target_error else ""
        return (
            f"EvaluationResult: energy {self}\n"
            f"  {self.walkers} walkers x {self.steps} measurements, R-hat {self.rhat:.4f}{doubts}"
        )

    def _repr_html_(self) -> str:
        from vmcnet.engine.series import table_html

        rows = [(name, e, f"{e.blocking:.2g}") for name, e in self.estimates.items()]
        title = f"{self.walkers} walkers x {self.steps} measurements, R-hat {self.rhat:.4f}"
        doubts = [(f"warning: {text}", "", "") for text in self.warnings]
        return table_html(("", "mean", "blocking error"), rows + doubts, title)

    def __str__(self) -> str:
        return (
            f"{self.estimates['energy']}  variance {self.variance:.2g}  autocorrelation time "
            f"{self.autocorrelation:.1f}"
        )


def summarize(
    measured: Measured, blocking: str = "pyblock", moves: str = "coordinates"
) -> EvaluationResult:
    """The result of what was measured. Errors are those between independent walkers, sqrt(var_w(
    mean_w)/W); beside them the blocking error of the series of step means (criterion `blocking`),
    autocorrelation time and split R-hat; what is doubtful becomes a warning. moves: what walkers
    move, for the advice; on a lattice all moments of E_L exist, and its tail is no warning.
    """
    steps, keys = measured.steps, [f"terms/{n}" for n in measured.names[1:]]
    series = np.stack([measured.series[k] for k in ("energy", *keys)], axis=1)
    mean, m2 = measured.moments["energy"]
    found = estimates(mean, m2, steps, series, blocking)
    walkers = len(measured.acceptance)
    acceptance = float(np.mean(measured.series["acceptance"]))
    few = max(0.1 * acceptance, min(FEW_MOVES / max(measured.tried, 1), 0.1))
    stuck = int((measured.acceptance < few).sum())
    observed = {
        name: Observed(name, record, _observed(measured, name, steps, blocking))
        for name, record in measured.records.items()
    }
    frozen = 2 * stuck > walkers
    means = averages(mean, m2, steps)[0][0]
    equal = walkers > 1 and np.ptp(means) == 0.0 and found.variance[0] > 0.0
    if frozen or equal:
        found, observed = _unknown(found), {k: _forgotten(o) for k, o in observed.items()}
    exact = not frozen and found.variance[0] <= EXACT * max(1.0, found.mean[0] ** 2)
    warnings = []
    if frozen:
        warnings.append(
            f"walkers hardly moved: {stuck} of {walkers} accepted fewer than "
            f"{max(1, round(few * measured.tried))} of {measured.tried} moves, so that errors are "
            f"unknown and a small variance proves nothing: {CURES[moves]}"
        )
    elif stuck:
        warnings.append(
            f"{stuck} of {walkers} walkers are stuck (below a tenth of the mean acceptance "
            f"{acceptance:.2g}): {CURES[moves]}"
        )
    if equal and not frozen:
        warnings.append(
            "all walkers have the same mean energy, which disagrees with its variance: errors are "
            "unknown, use more walkers and more steps"
        )
    elif walkers < FEWEST:
        warnings.append(f"{walkers} walkers are too few for errors between walkers: use 32 or more")
    if not (exact or frozen):
        only = np.zeros(len(measured.names), bool)
        only[0] = True
        warnings += _doubts(found, steps, only)
    for own in observed.values() if not frozen else ():
        warnings += own.doubts(steps)
    time = float(found.time[0])
    tail = None if measured.tail is None else pareto_tail(measured.tail, _correlation(found))
    if tail is not None and not exact and moves == "coordinates" and _heavy(tail, measured):
        local = f", {measured.singular:.2g} where it diverges" if measured.singular > 0.0 else ""
        warnings.append(
            f"E_L has heavy tails (Pareto shape {with_error(tail.shape, tail.error)}{local}; from "
            "0.5 on its variance, from 1 on its mean does not exist): the error is too small; psi "
            "lacks a cusp or a node where H is singular"
        )
    return EvaluationResult(
        {name: found[k] for k, name in enumerate(measured.names)},
        float(found.variance[0]),
        time,
        float(found.rhat[0]),
        acceptance,
        (float(measured.acceptance.min()), float(measured.acceptance.max())),
        stuck,
        steps,
        walkers,
        warnings,
        observed,
        tail,
        bool(exact or (found.reliable[0] and not frozen)),
    )


def _heavy(tail: Tail, measured: Measured) -> bool:
    """Whether E_L has no variance: its sampled tail and, where somebody looked, its divergence."""
    if np.isnan(measured.singular):
        return tail.heavy
    return tail.suspect and measured.singular > UNBOUNDED


def _correlation(found: Any) -> float:
    return float(np.nan_to_num(found.time[0], nan=1.0))


def _observed(measured: Any, name: str, steps: int, blocking: Any) -> Estimates:
    """Estimates of one observable; of a file without walkers' moments from the series alone."""
    series = measured.series.get(f"observables/{name}/series")
    moments = measured.moments.get(name)
    if moments is not None:
        return estimates(moments[0], moments[1], steps, series, blocking)
    mean = np.stack([series[: steps // 2].mean(axis=0), series[steps // 2 :].mean(axis=0)])
    found = estimates(mean[:, :, None], 0.0 * mean[:, :, None], steps, series, blocking)
    nothing = np.full(len(found.mean), np.nan)
    variance = series.var(axis=0)
    return replace(
        found,
        error=found.blocking,
        spread_time=nothing,
        rhat=nothing,
        variance=variance,
    )


def _unknown(found: Estimates) -> Estimates:
    return replace(found, error=np.full(len(found.mean), np.nan))


def _forgotten(observed: Observed) -> Observed:
    derived = {k: (value, float("nan")) for k, (value, _) in observed.derived.items()}
    record = replace(observed.record, derived=derived)
    return replace(observed, record=record, estimates=_unknown(observed.estimates))


def _doubts(found: Estimates, steps: int, consider: Any, labels: Any = None) -> list[str]:
    """What is wrong with the errors of the components `consider`ed; the worst of each kind."""
    if not np.any(consider):
        return []
    nan, out = float("nan"), []

    def of(k: int) -> str:
        return f"{labels[k]}: " if labels else ""

    longest = np.nan_to_num(np.fmax(found.time, found.spread_time), nan=np.inf)
    time = np.where(consider & ~found.reliable, longest, -1.0)
    worst = int(np.argmax(time))
    if time[worst] >= 0.0:
        text = (
            f"of {max(time[worst], 1.0):.1f}" if np.isfinite(time[worst]) else "that cannot be told"
        )
        out.append(
            f"{of(worst)}only {steps} measurements for an autocorrelation time {text}: errors are "
            "uncertain, use more steps"
        )
    sure = consider & found.reliable & (found.error > 0.0)
    ratio = np.divide(found.blocking, found.error, out=np.full(len(sure), nan), where=sure)
    apart = np.nan_to_num(np.abs(np.log(np.where(ratio > 0.0, ratio, nan))))
    worst = int(np.argmax(apart))
    if apart[worst] > np.log(2.0):
        out.append(
            f"{of(worst)}error between walkers {found.error[worst]:.2g} and blocking error "
            f"{found.blocking[worst]:.2g} disagree: use more steps"
        )
    rhat = np.where(consider, np.nan_to_num(found.rhat, nan=0.0, posinf=np.inf), 0.0)
    worst = int(np.argmax(rhat))
    if rhat[worst] > MIXED:
        out.append(
            f"{of(worst)}split R-hat {rhat[worst]:.3f} above {MIXED}: the walkers have not mixed, "
            "use more steps"
        )
    return out
