"""Training from Python: in memory, or as a run on disk like that of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from vmcnet.arguments import shown
from vmcnet.config import Job, JobError, check_resume, job_text
from vmcnet.engine import training
from vmcnet.engine.fitting import checked_growth, checked_learning, checked_training, fit
from vmcnet.engine.series import Series
from vmcnet.engine.training import TrainingResult
from vmcnet.engine.transfer import parameters_of
from vmcnet.optimizers import Adam
from vmcnet.parallel.communicators import communicator
from vmcnet.runs.agreement import agree
from vmcnet.runs.driving import driven, goes_on, rest, stopped_line
from vmcnet.runs.job_of import changed, job_of
from vmcnet.runs.progress import Progress, Silent, say
from vmcnet.runs.reading import Run
from vmcnet.runs.root import on_root
from vmcnet.runs.session import Session
from vmcnet.runs.stopping import FILE, REQUEUE
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.paths import path_given


class Stopped(SystemExit):
    """A signal or the wall-time limit ended a run before its end, with a checkpoint. Where nobody
    catches it the program ends with status 85, as vmcnet run does: run me again.
    """


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
    growth: Sequence[tuple[int, int]] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> TrainingResult:
    """Train `wavefunction` on `system`, in memory or, with `output`, as a run on disk.

    optimizer: Adam() unless given; natural_gradient, for example optimizers.MinSR(), turns the
    gradient before the optimizer takes it; walkers must be a multiple of block; `steps` Metropolis
    steps an iteration; step_size in units of the system's length; sampler: one of vmcnet.sampling,
    the system's usual one unless given; clip: local energies in the gradient are limited to the
    median +- clip mean absolute deviations; threads of BLAS a rank, for natural gradients and large
    products (another number gives other last digits); device cpu, gpu or auto, precision float64 or
    float32 of the walkers (parameters and sums are float64). Under a launcher the ranks find each
    other; comm: a communicator of vmcnet.connect(). start: a result or a run of open_run,
    whose parameters are taken where name and shape agree, in units of the two systems; or name ->
    array, taken as they are. growth: (iteration, walkers) pairs, from which iteration on there are
    more walkers.

    output: the run file, with all that a job's run has: checkpoints, which `resume=True`,
    `vmcnet resume` or open_run(...).resume() go on from to the same bits on any number of ranks;
    rollbacks; the STOP file and signals; progress on standard error unless `quiet`. overwrite
    replaces a run file that is there. settings: further keys of a job by dotted names, such as
    {"run.checkpoint_every": 20, "run.wall_time": "01:00:00", "evaluation.steps": 600}; without that
    last one no evaluation is written. The objects are named in the file by their classes and
    arguments; classes of your own must lie in a module.

    Raises ValueError for parts and arguments that do not fit, or that no file can name; FileProblem
    where the file is there already or cannot be used; NonFiniteError or DivergedError where
    training fails; with `output` Stopped (a SystemExit) after a signal or the wall-time limit.
    """
    if output is None:
        for name, value in (
            ("overwrite", overwrite),
            ("resume", resume),
            ("settings", settings),
            ("quiet", quiet),
        ):
            if value:
                raise ValueError(f"{name}: belongs to a run on disk: give output= as well")
        return training.train(
            system,
            wavefunction,
            optimizer=optimizer,
            natural_gradient=natural_gradient,
            iterations=iterations,
            walkers=walkers,
            block=block,
            steps=steps,
            warmup=warmup,
            step_size=step_size,
            seed=seed,
            sampler=sampler,
            clip=clip,
            comm=comm,
            threads=threads,
            device=device,
            precision=precision,
            start=start,
            growth=growth,
        )
    comm = communicator(comm)
    if overwrite and resume:
        raise ValueError("overwrite and resume exclude each other")
    optimizer = Adam() if optimizer is None else optimizer
    sampler = fit(system, wavefunction, sampler)
    checked_learning(optimizer, natural_gradient)
    checked_training(iterations, walkers, block, steps, warmup, step_size, seed, clip, threads)
    later = checked_growth(growth, walkers, block)
    path = path_given("output", output)
    from_file = {"start_from": str(start.path.resolve())} if isinstance(start, Run) else {}
    tables: dict[str, Any] = {
        "seed": seed,
        "sampling": {
            "walkers": walkers,
            "block": block,
            "steps": steps,
            "warmup": warmup,
            "step_size": step_size,
        },
        "training": {
            "iterations": iterations,
            "clip": clip,
            "growth": [{"iteration": i, "walkers": w} for i, w in later.items()],
            **from_file,
        },
        "evaluation": {"steps": 0},
        "run": {"threads": threads, "device": device, "precision": precision},
    }
    job = job_of(
        path,
        system,
        wavefunction,
        optimizer,
        natural_gradient,
        sampler,
        tables,
        further_settings(settings, tables),
    )
    agree(comm, SimpleNamespace(job=job_text(job), output=path, resume=resume, overwrite=overwrite))
    progress = Silent() if quiet else Progress()
    there = on_root(comm, path.exists)
    if there and resume:
        return _driven(
            Session.reopen(comm, path, progress, lambda old, at: goes_on(old, job, at, path))
        )
    if there and not overwrite and not path.is_dir():
        raise FileProblem(
            f"{path}: exists already; overwrite=True replaces it, resume=True goes on with it, "
            "another output= leaves it alone"
        )
    given = None if start is None or from_file else parameters_of(start)
    return _driven(Session.new(comm, job, path, progress, overwrite, given=given))


OBJECTS = ("system", "wavefunction", "optimizer", "natural_gradient")


def further_settings(settings: Any, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a job by dotted names; ValueError where they are none, JobError for those of the
    objects and those that the arguments of train have set in `tables`.
    """
    if not isinstance(settings, Mapping | None):
        raise ValueError(
            f"settings must be a dictionary of keys of a job, got {shown(settings)}; for example "
            '{"run.checkpoint_every": 20}'
        )
    for key in settings or {}:
        table, _, name = str(key).partition(".")
        if table in OBJECTS:
            raise JobError(f"settings: {key}: give it to the {table} where that is made")
        head, there = name.split(".")[0], tables.get(table)
        given = isinstance(there, dict) and table != "evaluation" and head in there
        if given or key == "seed":
            argument = {"": "seed", "start_from": "start"}.get(head, head)
            raise JobError(f"settings: {key}: give it as the argument {argument}= of train")
    return dict(settings or {})


def resumed(path: Path, comm: Any, settings: Mapping[str, Any], quiet: bool) -> TrainingResult:
    """The run of a file goes on where its checkpoint stands, with changed keys of the job."""

    def adjust(old: Job, iteration: int) -> Job:
        new = changed(old.model_dump(), settings, str(path))
        check_resume(old, new, iteration)
        return new

    agree(comm, SimpleNamespace(file=path, changes=repr(sorted(settings.items()))))
    return _driven(Session.reopen(comm, path, Silent() if quiet else Progress(), adjust))


def _kept(file: Any) -> tuple[dict, int]:
    """The series of a RunFile, and the number of the next evaluation."""
    return file.training, 1 + max(file.evaluations, default=-1)


def _driven(session: Session) -> TrainingResult:
    """Whatever is left of a run; raises Stopped where a signal or the clock ended it."""
    comm = session.comm
    try:
        with driven(session, lambda: rest(session)) as flag:
            if flag and comm.rank == 0:
                say(stopped_line(session, flag))
            if flag > FILE:
                raise Stopped(REQUEUE)
            series, evaluations = on_root(comm, lambda: _kept(session.file))
    finally:
        session.stop.deaf()
    series = Series({name: np.asarray(x) for name, x in series.items()})
    return TrainingResult(
        session.state, session.population, series, flag, evaluations, str(session.path)
    )
