"""The evaluation loop: parameters and step size frozen, long chains, honest errors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vmcnet import arguments
from vmcnet.engine.fitting import notes_of
from vmcnet.engine.observing import Halves, Observing
from vmcnet.engine.population import EVALUATION
from vmcnet.engine.precision import Looks, looks_of
from vmcnet.engine.results import EvaluationResult, Measured, summarize
from vmcnet.engine.singular import probed
from vmcnet.engine.stop_flags import CHECKPOINT, STOP
from vmcnet.engine.training import TrainingResult
from vmcnet.statistics import tails


@dataclass
class EvaluationState:
    """Where an evaluation stands: what it measures, counts, the series so far, and running moments
    of every walker of the own blocks.

    moments: "energy" (E_L and every term) and every observable by its name -> Halves. accepted (own
    blocks, W): accepted moves of every walker while measuring, of `tried` each. tail: binned
    |E_L - centre| of the own walkers; centre: median of E_L at the first measurement.
    """

    number: int
    step_size: float
    observing: Observing
    moments: dict
    accepted: np.ndarray
    tail: np.ndarray = field(default_factory=lambda: np.zeros(tails.BINS, np.int64))
    centre: float = 0.0
    tried: int = 0
    warmed: int = 0
    done: int = 0
    series: dict = field(default_factory=dict)
    looks: Looks | None = None  # where it may end by its error; moments have three parts then


def initial_evaluation(
    population: Any,
    number: int,
    step_size: float,
    observables: Any = (),
    looks: Looks | None = None,
) -> Any:
    """An evaluation that has not begun, of the energy, of what the system measures by itself and of
    `observables`. Raises ValueError for observables that are none.
    """
    own, parts = len(population.own), looks.PARTS if looks else 2
    observing = Observing(population.system, observables, population.block, population.blocks)
    energy = Halves.empty(own, len(population.row.names), population.block, parts)
    moments = {"energy": energy, **observing.moments(own, parts)}
    accepted = np.zeros((own, population.block), np.int64)
    return EvaluationState(number, step_size, observing, moments, accepted, looks=looks)


def run_evaluation(
    population: Any,
    theta: np.ndarray,
    state: Any,
    *,
    steps: int,
    interval: int,
    warmup: int,
    record: Any,
    save: Any,
    poll: Any,
    checkpoint_every: int = 0,
    target_error: float | None = None,
) -> Any:
    """`warmup` + `steps` measurements, `interval` Metropolis steps apart, from `state` on; returns
    the stop flag or 0. With `target_error` it ends at the first of the state's `looks` at which the
    error of the energy is known and no larger.

    One collective a measurement, at the first an all-gather more, at a look three gathers and a
    broadcast. Every walker keeps
    running means and M2 (Welford) of its first and second half.
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
        due = checkpoint_every and state.warmed % checkpoint_every == 0
        if due or summary.stop >= CHECKPOINT:
            save(state)
        if summary.stop >= STOP:
            return summary.stop
    while state.done < steps:
        summary, energies = population.advance(
            theta,
            stage + 1,
            state.done,
            interval,
            state.step_size,
            poll(),
            observing=state.observing,
        )
        _add(population, state, summary, energies, steps)
        row = {
            "energy": summary.energy,
            "variance": summary.variance,
            **{f"terms/{n}": v for n, v in summary.terms.items()},
            "acceptance": summary.accepted / summary.tried,
            **summary.others,
        }
        for name, value in (row | summary.observed).items():
            state.series.setdefault(name, []).append(value)
        state.done += 1
        record("evaluation", state.done, steps, row)
        if target_error and state.done in state.looks.at[:-1]:
            if _settled(population, state, target_error):
                return 0
            state.moments = {
                name: state.looks.go_on(x, state.done) for name, x in state.moments.items()
            }
        due = checkpoint_every and state.done % checkpoint_every == 0 and state.done < steps
        if due or summary.stop >= CHECKPOINT:
            save(state)
        if summary.stop >= STOP and state.done < steps:
            return summary.stop
    return 0


def _add(population: Any, state: Any, summary: Any, energies: Any, steps: int) -> Any:
    """One measurement of the own blocks into the moments and the tail."""
    if state.looks:
        half, count = state.looks.part(state.done)
    else:
        half = int(state.done >= steps // 2)
        count = state.done + 1 - half * (steps // 2)
    if state.done == 0:
        state.centre, _ = population.window(energies, 1.0)
    local = []
    for index, b in enumerate(population.own):
        x = energies[b].real
        state.moments["energy"].add(index, half, count, x)
        local.append(x[0])
        state.accepted[index] += population.counts[b].walkers
    state.tail += tails.binned(np.concatenate(local) - state.centre)
    state.observing.add(state.moments, population.own, half, count)
    state.tried += summary.tried // population.walkers


def _settled(population: Any, state: Any, target: float) -> bool:
    """Whether the error of the energy is known and at most `target`; the same on every rank."""
    measured = _measured(population, state, ("energy",))
    if measured is not None:
        result = summarize(measured, moves=population.system.moves)
        return population.comm.broadcast(result.reaches(target))
    return population.comm.broadcast(None)


def finish(population: Any, state: Any) -> Measured | None:
    """What was measured, of all blocks, on rank 0; None elsewhere. Two collectives for the energy
    and for every observable, one for the accepted moves and one for the tail.
    """
    return _measured(population, state, state.moments, with_tail=True)


def _measured(population: Any, state: Any, names: Any, with_tail: bool = False) -> Measured | None:
    """What was measured so far, of all blocks, on rank 0: the energy and the observables that
    `names` ask for, `with_tail` the tail of E_L.
    """
    found = {}
    for name in names:
        halves = state.moments[name]
        if state.looks:
            halves = state.looks.joined(halves, state.done)
        pair = [population.comm.gather(x, population.blocks) for x in (halves.mean, halves.m2)]
        found[name] = None if pair[0] is None else tuple(map(_joined, pair))
    accepted = population.comm.gather(state.accepted, population.blocks)
    tail = population.comm.reduce_sum(state.tail) if with_tail else None
    if accepted is None:
        return None
    return Measured.of(
        [o for o in state.observing.observables if o.name in found],
        population.row.names,
        found,
        {name: np.asarray(x) for name, x in state.series.items()},
        accepted.ravel() / max(state.tried, 1),
        state.tried,
        tail,
        state.centre,
    )


def _joined(blocks: Any) -> np.ndarray:
    """(blocks, 2, K, G) -> (2, K, blocks x G)."""
    moved = np.moveaxis(blocks, 0, 2)
    groups = moved.shape[2] * moved.shape[3]
    return np.ascontiguousarray(moved.reshape(*moved.shape[:2], groups))


def evaluate(
    result: TrainingResult,
    *,
    steps: int = 2000,
    interval: int = 5,
    warmup: int = 50,
    number: int | None = None,
    threads: int = 1,
    observables: Any = (),
    target_error: float | None = None,
) -> EvaluationResult | None:
    """Evaluate a trained wavefunction in memory; rank 0 gets the result, other ranks None.

    `steps` measurements, `interval` Metropolis steps apart, after `warmup` of them without
    measuring. Every evaluation of a result draws random numbers of its own; `number` (0, 1, ...)
    chooses those of the evaluation of that number. observables: what to measure beside what the
    system measures by itself, of vmcnet.observables or classes of your own. target_error: it ends
    before, where the error of the total energy is known and no larger than this (looked at after
    steps, 3/4 steps, and halves of both down to 32). Raises ValueError for arguments out of range.
    """
    if not isinstance(result, TrainingResult):
        raise ValueError(
            f"evaluate expects what train returned, got {arguments.shown(result)}; a run on disk "
            "has its own: vmcnet.open_run(path).evaluate()"
        )
    steps = arguments.whole("steps", steps, 2, 10**8)
    interval = arguments.whole("interval", interval, 1, 10**6)
    warmup = arguments.whole("warmup", warmup, 0, 10**7)
    threads = arguments.whole("threads", threads, 1, 4096)
    number = result.evaluations if number is None else arguments.whole("number", number, 0, 10**15)
    result.evaluations = max(result.evaluations, number + 1)
    population = result.population
    if target_error is not None:
        target_error = arguments.positive("target_error", target_error)
    looks = looks_of(steps, target_error)
    state = initial_evaluation(population, number, result.state.step_size, observables, looks)
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
            target_error=target_error,
        )
    measured = probed(population, result.state.theta, finish(population, state))
    if measured is None:
        return None
    found = summarize(measured, moves=population.system.moves)
    notes = notes_of(population.system, population.wavefunction)
    found = replace(found, warnings=[*notes, *found.warnings])
    return found.aimed(target_error, steps)
