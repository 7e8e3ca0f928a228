"""The evaluation loop: parameters and step size frozen, long chains, honest errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from vmcnet.backend.arrays import to_host
from vmcnet.engine.population import EVALUATION
from vmcnet.engine.training import CHECKPOINT, STOP, TrainingResult
from vmcnet.statistics.autocorrelation import integrated_time
from vmcnet.statistics.blocking import blocking_error
from vmcnet.statistics.convergence import split_rhat
from vmcnet.statistics.format import with_error


@dataclass
class EvaluationState:
    """Where an evaluation stands: counts, the series so far, and running moments of every walker of
    the own blocks.

    mean, m2 (own blocks, 2 halves, 1 + terms, W): of E_L and of each term. accepted (own blocks,
    W): accepted moves of every walker
    while measuring, of `tried` each.
    """

    number: int
    step_size: float
    mean: np.ndarray
    m2: np.ndarray
    accepted: np.ndarray
    tried: int = 0
    warmed: int = 0
    done: int = 0
    series: dict = field(default_factory=dict)


def initial_evaluation(population, number: int, step_size: float) -> EvaluationState:
    shape = (len(population.own), 2, len(population.row.names), population.block)
    return EvaluationState(
        number,
        step_size,
        np.zeros(shape),
        np.zeros(shape),
        np.zeros((shape[0], shape[3]), np.int64),
    )


def run_evaluation(
    population,
    theta,
    state,
    *,
    steps: int,
    interval: int,
    warmup: int,
    record,
    save,
    poll,
    checkpoint_every: int = 0,
):
    """`warmup` + `steps` measurements, `interval` Metropolis steps apart, from `state` on; returns
    the stop flag or 0.

    One all-gather a measurement. Every walker keeps running means and M2 (Welford) of its first and
    second half.
    """
    stage = EVALUATION + 2 * state.number
    while state.warmed < warmup:
        summary, _ = population.advance(
            theta, stage, state.warmed, interval, state.step_size, poll(), measure=False
        )
        state.warmed += 1
        record(
            "equilibration", state.warmed, warmup, {"acceptance": summary.accepted / summary.tried}
        )
        if summary.stop >= CHECKPOINT:
            save(state)
        if summary.stop >= STOP:
            return summary.stop
    half = steps // 2
    while state.done < steps:
        summary, energies = population.advance(
            theta, stage + 1, state.done, interval, state.step_size, poll()
        )
        which, k = (0, state.done + 1) if state.done < half else (1, state.done - half + 1)
        for index, b in enumerate(population.own):
            parts = (energies[b].total, *energies[b].terms.values())
            x = np.stack([to_host(e.real) for e in parts])
            delta = x - state.mean[index, which]
            state.mean[index, which] += delta / k
            state.m2[index, which] += delta * (x - state.mean[index, which])
            state.accepted[index] += population.counts[b].walkers
        state.tried += summary.tried // population.walkers
        row = {
            "energy": summary.energy,
            "variance": summary.variance,
            **{f"terms/{n}": v for n, v in summary.terms.items()},
            "acceptance": summary.accepted / summary.tried,
        }
        observed = {f"observables/{name}": value for name, value in population.observe().items()}
        for name, value in (row | observed).items():
            state.series.setdefault(name, []).append(value)
        state.done += 1
        record("evaluation", state.done, steps, row)
        due = checkpoint_every and state.done % checkpoint_every == 0 and state.done < steps
        if due or summary.stop >= CHECKPOINT:
            save(state)
        if summary.stop >= STOP and state.done < steps:
            return summary.stop
    return 0


@dataclass(frozen=True)
class Estimate:
    """One quantity: mean and its error between walkers, blocking error of the series (NaN: no
    plateau).
    """

    mean: float
    error: float
    blocking: float

    def __str__(self):
        return with_error(self.mean, self.error)


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation says; `estimates` maps energy and each term to an Estimate.

    walker_acceptance: the lowest and the highest of all walkers; stuck: walkers below a tenth of
    the mean acceptance.
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

    @property
    def energy(self) -> float:
        return self.estimates["energy"].mean

    @property
    def error(self) -> float:
        return self.estimates["energy"].error

    def __str__(self):
        return (
            f"{self.estimates['energy']}  variance {self.variance:.2g}  autocorrelation time "
            f"{self.autocorrelation:.1f}"
        )


def summarize(
    series: dict,
    walker_mean: np.ndarray,
    walker_m2: np.ndarray,
    walker_acceptance: np.ndarray,
    names: list,
    blocking: str = "pyblock",
) -> EvaluationResult:
    """The result from what the run file keeps: series (name -> (T,)), walker moments (2, 1 + terms,
    W) of both halves, acceptance (W,).

    mean: over walkers and steps. Error: sqrt(var_w(mean_w)/W), from independent walkers. Beside it
    the blocking error of the series of
    step means (criterion `blocking`), its integrated autocorrelation time in measurements, and
    split R-hat; what disagrees becomes a warning.
    """
    steps = len(series["energy"])
    half = steps // 2
    counts = np.array([half, steps - half], float)[:, None, None]
    mean = (walker_mean * counts).sum(axis=0) / steps  # (1 + terms, W)
    walkers, estimates = mean.shape[1], {}
    for k, name in enumerate(names):
        key = "energy" if name == "energy" else f"terms/{name}"
        block = (
            blocking_error(np.asarray(series[key]), blocking).error if steps >= 2 else float("nan")
        )
        error = float(np.sqrt(mean[k].var(ddof=1) / walkers)) if walkers > 1 else float("nan")
        estimates[name] = Estimate(float(mean[k].mean()), error, block)
    spread = (
        walker_m2[:, 0].sum() + (counts[:, 0] * (walker_mean[:, 0] - mean[0].mean()) ** 2).sum()
    )
    variance = float(spread / (steps * walkers))
    tau, reliable = (
        integrated_time(np.asarray(series["energy"])) if steps >= 4 else (float("nan"), False)
    )
    rhat = (
        float(split_rhat(walker_mean[:, 0], walker_m2[:, 0], half)) if half >= 2 else float("nan")
    )
    energy, warnings = estimates["energy"], []
    exact = variance <= 1e-18 * max(1.0, energy.mean**2)
    if not exact:
        if not reliable:
            warnings.append(
                f"only {steps} measurements for an autocorrelation time of {tau:.1f}: errors are "
                "uncertain, use more steps"
            )
        elif np.isfinite(energy.blocking) and not 0.5 < energy.blocking / energy.error < 2.0:
            warnings.append(
                f"error between walkers {energy.error:.2g} and blocking error "
                f"{energy.blocking:.2g} disagree"
            )
        if rhat > 1.05:
            warnings.append(
                f"split R-hat {rhat:.3f} above 1.05: the walkers have not mixed, use more steps"
            )
    acceptance = float(np.mean(series["acceptance"]))
    stuck = int((walker_acceptance < 0.1 * acceptance).sum())
    if stuck:
        warnings.append(
            f"{stuck} of {walkers} walkers are stuck (below a tenth of the mean acceptance "
            f"{acceptance:.2g}): use smaller steps or a longer warm-up"
        )
    extremes = (float(walker_acceptance.min()), float(walker_acceptance.max()))
    return EvaluationResult(
        estimates, variance, float(tau), rhat, acceptance, extremes, stuck, steps, walkers, warnings
    )


def finish(population, state):
    """Of all blocks on rank 0: mean and M2 (2, 1 + terms, all walkers), acceptance (all walkers,);
    None elsewhere. Three collectives.
    """
    out = []
    for array in (state.mean, state.m2):
        full = population.comm.gather(array, population.blocks)
        out.append(
            None
            if full is None
            else np.ascontiguousarray(np.moveaxis(full, 0, 2).reshape(full.shape[1:3] + (-1,)))
        )
    accepted = population.comm.gather(state.accepted, population.blocks)
    out.append(None if accepted is None else accepted.ravel() / max(state.tried, 1))
    return out


def evaluate(
    result: TrainingResult,
    *,
    steps: int = 2000,
    interval: int = 5,
    warmup: int = 50,
    number: int = 0,
    threads: int = 1,
) -> EvaluationResult:
    """Evaluate a trained wavefunction in memory; rank 0 gets the result, other ranks None.

    `steps` measurements, `interval` Metropolis steps apart, after `warmup` of them without
    measuring. Another `number` draws other
    random numbers. Raises ValueError for less than 2 steps.
    """
    if steps < 2:
        raise ValueError(f"evaluate needs at least 2 steps for an error, got {steps}")
    population = result.population
    state = initial_evaluation(population, number, result.state.step_size)
    with threadpool_limits(threads):
        run_evaluation(
            population,
            result.state.theta,
            state,
            steps=steps,
            interval=interval,
            warmup=warmup,
            record=lambda *args: None,
            save=lambda state: None,
            poll=lambda: 0,
        )
    mean, m2, acceptance = finish(population, state)
    return (
        None
        if mean is None
        else summarize(state.series, mean, m2, acceptance, population.row.names)
    )
