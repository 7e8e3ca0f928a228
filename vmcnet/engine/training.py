"""The training loop."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vmcnet.backend.stream import Stream
from vmcnet.engine.ending import training_warnings
from vmcnet.engine.fitting import (
    checked_growth,
    checked_learning,
    checked_training,
    device_for,
    fit,
    notes_of,
)
from vmcnet.engine.memory import check_memory
from vmcnet.engine.nonfinite import NonFiniteError
from vmcnet.engine.population import (
    PARAMETERS,
    ROLLBACK,
    TRAINING,
    WARMUP,
    Population,
)
from vmcnet.engine.series import Series, table_html
from vmcnet.engine.stop_flags import CHECKPOINT, STOP
from vmcnet.engine.transfer import parameters_of, transferred
from vmcnet.engine.trend import Trend
from vmcnet.optimizers import Adam
from vmcnet.optimizers.base import rate_of, started
from vmcnet.optimizers.natural_gradient import directed
from vmcnet.parallel.communicators import communicator
from vmcnet.sampling.metropolis import tuned_step
from vmcnet.statistics.format import with_error

WARMUP_GAIN, TRAINING_GAIN = 1.0, 0.1  # how fast the step size follows the acceptance


@dataclass(repr=False)
class TrainingState:
    """All that an iteration starts from, besides the walkers."""

    theta: np.ndarray
    optimizer: dict
    step_size: float
    warmed: int = 0  # warm-up iterations done
    iteration: int = 0  # training iterations done
    rollbacks: int = 0  # how often it went back; every attempt draws words of its own
    trend: Trend = field(default_factory=Trend)
    natural: dict = field(default_factory=dict)  # state of the natural gradient

    def __repr__(self) -> str:
        return f"<TrainingState: iteration {self.iteration}, {len(self.theta)} parameters>"

    @property
    def stage(self) -> int:
        """The stage of training's random words."""
        return TRAINING if self.rollbacks == 0 else ROLLBACK + self.rollbacks

    @property
    def scale(self) -> float:
        """Factor of every step: halved at each rollback."""
        return 0.5**self.rollbacks


@dataclass(repr=False)
class TrainingResult:
    """Final state, walkers, and one row an iteration; `flag` is the stop flag that ended the loop,
    or 0.
    """

    state: TrainingState
    population: Population
    series: dict = field(default_factory=Series)
    flag: int = 0
    evaluations: int = 0  # how many were made: each draws words of its own
    path: str | None = None  # of the run file, where there is one

    def __repr__(self) -> str:
        done, population = self.state.iteration, self.population
        lines = [
            f"TrainingResult: {population.system.describe()}",
            f"  psi = {population.wavefunction.describe()}: {len(self.state.theta)} parameters",
            f"  {done} iterations, {population.walkers} walkers",
        ]
        if len(self.series.get("energy", ())):
            energy, error = self.series["energy"][-1], self.series["error"][-1]
            lines[-1] += f", last energy {with_error(energy, error)} {population.system.units}"
        if self.path:
            lines[-1] += f", {self.path}"
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [line.strip().split(": ", 1) for line in repr(self).splitlines()]
        return table_html(("", ""), [[x[0], x[1] if len(x) > 1 else ""] for x in rows])

    @property
    def parameters(self) -> dict:
        """name -> array of the final parameters."""
        return self.population.wavefunction.layout.values(self.state.theta)

    @property
    def parameter_units(self) -> dict[str, float]:
        """name -> natural unit in this system."""
        return self.population.wavefunction.layout.units

    @property
    def warnings(self) -> list[str]:
        """What is doubtful about the end of this training."""
        people = self.population
        return training_warnings(self.series, people.walkers, people.system.moves, people.minimises)


def initial_state(
    wavefunction: Any, optimizer: Any, seed: int, step_size: float, natural: Any = None
) -> TrainingState:
    theta = wavefunction.start(Stream(seed, PARAMETERS, 0, 0))
    return TrainingState(
        theta,
        started(optimizer, len(theta)),
        step_size,
        natural=started(natural, len(theta)) if natural else {},
    )


@np.errstate(all="ignore")  # what is not finite is found in the rows and in the step
def run_training(
    population: Any,
    optimizer: Any,
    state: Any,
    *,
    iterations: int,
    steps: int,
    warmup: int,
    record: Any,
    save: Any,
    poll: Any,
    checkpoint_every: int = 0,
    divergence: float = 0.0,
    clip: float | None = None,
    natural: Any = None,
    growth: Any = (),
) -> Any:
    """Warm-up, then training iterations, from `state` on; returns the flag that stopped it, or 0 at
    the end.

    record(phase, done, total, row) is called on every rank after each iteration, save(state) where
    a checkpoint is due (a collective
    call), poll() -> this rank's stop flag; save is also called at the end of the warm-up. Raises,
    on all ranks together, NonFiniteError
    and, where the energy rises more than `divergence` standard deviations of E_L above its lowest,
    DivergedError; 0: never.
    Three collectives an iteration: the merging of the rows and the two of the exact sum; two more
    with `clip`, which limits the local energies in the gradient (never the reported ones); a
    natural gradient between gradient and optimizer adds its own. growth: (iteration, walkers)
    pairs, from which iteration on there are more walkers; three collectives more there.
    """
    sizes, told = dict(growth), None  # names of what the natural gradient tells
    target = population.sampler.target
    while state.warmed < warmup:
        summary, _ = population.advance(
            state.theta, WARMUP, state.warmed, steps, state.step_size, poll(), measure=False
        )
        state.step_size = tuned_step(
            state.step_size, summary.accepted, summary.tried, target, WARMUP_GAIN
        )
        state.warmed += 1
        record(
            "warmup",
            state.warmed,
            warmup,
            {"acceptance": summary.accepted / summary.tried, "step_size": state.step_size},
        )
        if summary.stop >= CHECKPOINT or state.warmed == warmup:
            save(state)
        if summary.stop >= STOP:
            return summary.stop
    while state.iteration < iterations:
        start, communication = time.perf_counter(), population.comm.seconds
        if sizes.get(state.iteration, 0) > population.walkers:
            population.grow(sizes[state.iteration])
        summary, energies = population.advance(
            state.theta, state.stage, state.iteration, steps, state.step_size, poll()
        )
        state.trend.check(summary.energy, summary.variance, divergence)
        weights = population.weights(summary, energies, clip)
        if natural is None:
            direction = gradient = population.gradient(state.theta, weights)
            solved: dict = {}
        else:
            tangents = population.tangents(state.theta, weights)
            gradient = tangents.gradient
            direction, state.natural, solved = directed(
                natural, tangents, state.natural, state.iteration
            )
        step, state.optimizer = optimizer.step(
            direction, state.optimizer, state.iteration, state.theta
        )
        step = state.scale * step
        if not np.isfinite(step).all():
            raise NonFiniteError(
                f"{_not_finite(population.wavefunction.layout, gradient, direction)} is NaN or "
                f"infinite at training iteration {state.iteration}, with the learning rate "
                f"{state.scale * rate_of(optimizer, state.iteration):g}"
            )
        row = {
            "energy": summary.energy,
            "error": float(np.sqrt(summary.variance / population.walkers)),
            "variance": summary.variance,
            **{f"terms/{name}": value for name, value in summary.terms.items()},
            "acceptance": summary.accepted / summary.tried,
            **summary.others,
            "stuck": summary.stuck,
            "step_size": state.step_size,
            "gradient_norm": float(np.sqrt(np.dot(gradient, gradient))),
            "learning_rate": state.scale * rate_of(optimizer, state.iteration),
            "step_norm": float(np.sqrt((step * step).sum())),
        }
        if told is None:
            told = set(solved)
        if told != set(solved) or told & set(row):
            raise ValueError(
                f"direction of {type(natural).__name__} returns a row of {sorted(solved)}; "
                f"expected the same names at every iteration, here {sorted(told - set(row))}"
            )
        row |= solved
        state.theta = state.theta + step
        state.step_size = tuned_step(
            state.step_size, summary.accepted, summary.tried, target, TRAINING_GAIN
        )
        state.iteration += 1
        row["seconds"] = time.perf_counter() - start
        row["communication"] = population.comm.seconds - communication
        record("training", state.iteration, iterations, row)
        due = checkpoint_every and state.iteration % checkpoint_every == 0
        if due or summary.stop >= CHECKPOINT or state.iteration == iterations:
            save(state)
        if summary.stop >= STOP and state.iteration < iterations:
            return summary.stop
    return 0


def _not_finite(layout: Any, gradient: np.ndarray, direction: np.ndarray) -> str:
    """What of an iteration is the first that is not finite: the gradient, the natural gradient's
    direction or the optimizer's step.
    """
    for name, found in (("gradient", gradient), ("natural gradient", direction)):
        bad = [e.name for e in layout.entries.values() if not np.isfinite(found[e.slice]).all()]
        if bad:
            return f"the {name} of {', '.join(bad[:3])}{', ...' if len(bad) > 3 else ''}"
    return "the optimizer's step"


def train(
    system: Any,
    wavefunction: Any,
    *,
    optimizer: Any = None,
    natural_gradient: Any = None,
    iterations: int = 300,
    walkers: int = 1024,
    block: int = 128,
    steps: int = 10,
    warmup: int = 50,
    step_size: float = 1.0,
    seed: int = 0,
    sampler: Any = None,
    clip: float | None = None,
    comm: Any = None,
    threads: int = 1,
    device: str = "cpu",
    precision: str = "float64",
    start: Any = None,
    growth: Any = (),
) -> TrainingResult:
    """Train `wavefunction` on `system` in memory: vmcnet.train without `output`, which says what
    the arguments mean. Raises ValueError for parts and arguments that do not fit, NonFiniteError
    when a local energy or the step is NaN or infinite.
    """
    comm = communicator(comm)
    optimizer = Adam() if optimizer is None else optimizer
    sampler = fit(system, wavefunction, sampler)
    if comm.rank == 0:
        for note in notes_of(system, wavefunction):
            warnings.warn(note, stacklevel=2)
    checked_learning(optimizer, natural_gradient)
    checked_training(iterations, walkers, block, steps, warmup, step_size, seed, clip, threads)
    growth = checked_growth(growth, walkers, block)
    most = max(walkers, *growth.values(), 0)
    check_memory(system, wavefunction, most, block, steps, comm.size, natural_gradient)
    population = Population(
        system,
        wavefunction,
        sampler,
        comm,
        seed,
        walkers,
        block,
        device_for(system, wavefunction, sampler, device, precision, comm.local_rank),
    )
    population.start()
    length = step_size * system.length
    state = initial_state(wavefunction, optimizer, seed, length, natural_gradient)
    series: dict[str, list] = {}

    if start is not None:
        found = transferred(wavefunction, state.theta, *parameters_of(start))
        if comm.rank == 0 and not found.whole:
            warnings.warn(f"start: {found}", stacklevel=2)
        state.theta = found.theta

    def record(phase: str, done: int, total: int, row: dict) -> None:
        if phase == "training":
            for name, value in row.items():
                series.setdefault(name, []).append(value)

    with threadpool_limits(threads):
        run_training(
            population,
            optimizer,
            state,
            iterations=iterations,
            steps=steps,
            warmup=warmup,
            record=record,
            save=lambda state: None,
            poll=lambda: 0,
            clip=clip,
            natural=natural_gradient,
            growth=growth,
        )
    return TrainingResult(state, population, Series({k: np.array(v) for k, v in series.items()}))
