"""A run on disk: joins training with the run file, the checkpoints and the stop requests. Rank 0
alone touches files.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

from vmcnet.config import Job, job_text, parse_job
from vmcnet.engine.nonfinite import NonFiniteError
from vmcnet.engine.training import TrainingState, initial_state, run_training
from vmcnet.engine.trend import DivergedError, Trend
from vmcnet.optimizers.natural_gradient import SingularMetric
from vmcnet.runs.fit import compare_conditions, compare_data, fit_training
from vmcnet.runs.own_classes import compare_sources, sources
from vmcnet.runs.parts import built_for
from vmcnet.runs.progress import say
from vmcnet.runs.root import on_root
from vmcnet.runs.starting import started
from vmcnet.runs.stopping import StopRequest, Watchdog
from vmcnet.runs.told import telling
from vmcnet.storage.atomic import FileProblem, keep
from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from vmcnet.storage.lock import RunLock, freed_on_error
from vmcnet.storage.paths import checkpoint_path, previous_path, resolved, stop_path
from vmcnet.storage.place import (
    adopt,
    check_output,
    clear,
    evaluation_damaged,
    previous_evaluation,
    replaced_by_others,
)
from vmcnet.storage.run_file import RunFile, now, writable


class Session:
    """One run file under its lock, and the training that it tells of. Made by `new` or `reopen`;
    `close` frees the lock.

    file and lock are rank 0's, None on other ranks.
    """

    def __init__(self, comm, job: Job, path: Path, progress, built, state, held, good=-1):
        self.comm, self.job, self.path, self.state = comm, job, path, state
        self.progress = progress if comm.rank == 0 else (lambda *args: None)
        self.population, self.optimizer, self.natural = built
        self.wavefunction = self.population.wavefunction
        self.file: RunFile | None = held.get("file")
        self.lock: RunLock | None = held.get("lock")
        self.stop = StopRequest(
            comm.rank,
            stop_path(path),
            job.run.wall_time,
            60.0 * job.run.checkpoint_minutes,
        )
        self.watchdog = Watchdog(
            comm,
            60.0 * job.run.watchdog_minutes,
            f"vmcnet resume {path} goes on from the last checkpoint",
        )
        if self.file:
            self.file.guard = self.guard
            if comm.mixed:
                self.file.attributes["mixed"] = comm.mixed
        # iteration of the checkpoint on disk if training may go back to it, else -1
        self._good = good

    @classmethod
    def new(cls, comm, job, path, progress, overwrite=False, source=None, given=None) -> Session:
        """A fresh run; refuses to touch an existing file without `overwrite`, which replaces run
        files alone, and never the job file `source`. given: parameters to start
        from, by name, and their units or None.
        """
        path, held = resolved(Path(path)), {}
        inputs = {source: "job file"} if source else {}
        if job.data:
            inputs[job.data.file] = "data file"
        if job.training.start_from:
            inputs[job.training.start_from] = "run that it starts from"
        on_root(comm, lambda: check_output(path, inputs, overwrite))
        *built, digest = built_for(comm, job)
        population, optimizer, natural = built
        population.start()
        step_size = job.sampling.step_size * population.system.length
        state = initial_state(population.wavefunction, optimizer, job.seed, step_size, natural)
        told = {}
        if job.training.start_from or given is not None:
            state.theta, told = started(comm, job, population.wavefunction, state.theta, given)

        def prepare():  # all that can be refused was: with `overwrite` files go from here on
            writable(path)
            held["lock"] = RunLock(path)
            if not overwrite and path.exists():
                raise FileProblem(
                    f"{path}: exists already; --overwrite replaces it, --continue goes on "
                    "with it, --output chooses another"
                )
            kept = clear(path, overwrite)
            if kept:
                say(f"note: files of another run lay in the folder of {path}: moved to {kept}")
            held["file"] = RunFile.create(
                path, job_text(job), job.seed, comm.size, job.run.threads, population.device.card
            )
            system, wavefunction = built[0].system, built[0].wavefunction
            held["file"].attributes.update(
                data=digest,
                units=system.units,
                about=telling(system, wavefunction),
                sources=sources(job),
                parameter_units=json.dumps(wavefunction.layout.units),
                **told,
            )

        with freed_on_error(held):
            on_root(comm, prepare)
            self = cls(comm, job, path, progress, built, state, held)
            self._checkpoint(state)  # before the run file: where that exists, resume works
            self._write_series()
        return self

    @classmethod
    def reopen(cls, comm, path, progress, adjust=None, previous=False, learns=True) -> Session:
        """A run that exists: job from its file (adjust(job, iteration) -> job may change keys),
        state from its checkpoint; with learns=False for evaluations, which need no data.
        """
        path, held = resolved(Path(path)), {}

        def read():
            file = RunFile.open(path, previous)
            held["lock"], held["file"] = RunLock(path), file
            adopt(path, file.attributes["run"])
            main = checkpoint_path(path)
            source = previous_path(main) if previous and not evaluation_damaged(path) else main
            if not source.exists():
                raise FileProblem(
                    f"{source}: no such checkpoint: vmcnet evaluate {path} --output NEW.h5 "
                    "evaluates the parameters of the run file, training.start_from begins a new "
                    "run with them"
                )
            checkpoint = read_checkpoint(source, "training")
            iteration = int(checkpoint.numbers["iteration"])
            if checkpoint.numbers["run"] != file.attributes["run"]:
                raise FileProblem(
                    f"{source}: belongs to another run than {path}: restore the pair, or start "
                    "anew with vmcnet run --overwrite"
                )
            job = parse_job(file.attributes["job"], (), str(path))
            job = adjust(job, iteration) if adjust else job
            file.cut(iteration, int(checkpoint.numbers["rollbacks"]))
            if previous:
                keep(source, main)
                previous_evaluation(path, checkpoint)
                file.write(keep_old=False)
            return job, checkpoint

        with freed_on_error(held):
            job, checkpoint = on_root(comm, read)
            *built, digest = built_for(comm, job, learns)
            on_root(comm, lambda: fit_training(path, checkpoint, job, *built))
            if learns:
                on_root(comm, lambda: compare_data(held["file"], job, digest))
            on_root(comm, lambda: compare_sources(held["file"], job))
            if comm.rank == 0:
                compare_conditions(held["file"], job, built[0].device.card)
                held["file"].attributes.update(
                    job=job_text(job), ranks=comm.size, state="running", resumed=now()
                )
            built[0].load(checkpoint.arrays["r"], checkpoint.arrays["s"])
            state, good = _state(checkpoint)
            return cls(comm, job, path, progress, built, state, held, good)

    def close(self):
        self.watchdog.stop()
        if self.lock:
            self.lock.release()

    def guard(self) -> None:
        """Before every write: the lock is still held, and the run file still this run's."""
        self.lock.check()
        if replaced_by_others(self.path, self.file.attributes["run"]):
            raise FileProblem(
                f"{self.path}: another file took its place while this run went on: it is left as "
                "it is, and this run ends"
            )

    def put(self, path: Path, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; rank 0."""
        self.guard()
        write_checkpoint(path, checkpoint)

    def mark(self, flag: int) -> None:
        """Write into the run file how this run ended: done, or stopped before its end; and the
        checkpoint, where somebody removed it.
        """
        if on_root(self.comm, lambda: not checkpoint_path(self.path).exists()):
            self._checkpoint(self.state)

        def write():
            ended = not flag and self.state.iteration >= self.job.training.iterations
            self.file.attributes["state"] = "done" if ended else "stopped"
            self.file.attributes.pop("phase", None)
            if not self.file.as_opened():
                self.file.write(keep_old=False)

        on_root(self.comm, write)

    def watched(self, phase: str, done: int, total: int, row: dict) -> None:
        """What is shown while the run goes on, and kept for those who open its file meanwhile."""
        if self.file:
            self.file.attributes["phase"] = f"{phase} {done}/{total}"
            self.file.write(force=False)
        self.progress(phase, done, total, row)

    def poll(self) -> int:
        """This rank's stop flag; called once an iteration."""
        self.watchdog.beat()
        return self.stop.poll()

    def _write_series(self, force=True):
        def write():
            self.file.parameters = {
                **self.wavefunction.layout.values(self.state.theta),
                "theta": self.state.theta,
            }
            self.file.write(force)

        on_root(self.comm, write)

    @contextmanager
    def walkers_saved(self):
        """NaN or infinity stops all ranks together; the walkers that met it are kept for
        inspection. Checkpoints stay as they are.
        """
        try:
            yield
        except NonFiniteError as error:
            target = checkpoint_path(self.path, "nonfinite")
            r, s = self.population.collect()
            arrays = {"r": r, "s": s, "theta": self.state.theta}
            kept = Checkpoint(arrays, {"problem": str(error)})
            on_root(self.comm, lambda: self.put(target, kept))
            raise NonFiniteError(f"{error}; the walkers are in {target}") from error

    def train(self) -> int:
        """Warm-up and training from the state on; the stop flag, or 0 at the end."""

        def record(phase, done, total, row):
            if self.file and phase == "training":
                self.file.append(row)
            self.watched(phase, done, total, row)

        while True:
            try:
                with self.walkers_saved():
                    return run_training(
                        self.population,
                        self.optimizer,
                        self.state,
                        iterations=self.job.training.iterations,
                        steps=self.job.sampling.steps,
                        warmup=self.job.sampling.warmup,
                        record=record,
                        save=self.save,
                        poll=self.poll,
                        checkpoint_every=self.job.run.checkpoint_every,
                        divergence=0.0 if self.job.data else self.job.training.divergence,
                        clip=self.job.training.clip,
                        natural=self.natural,
                        growth=[(g.iteration, g.walkers) for g in self.job.training.growth],
                    )
            except (NonFiniteError, DivergedError, SingularMetric) as error:
                self._roll_back(error)

    def _roll_back(self, error: RuntimeError) -> None:
        """Back to the last good checkpoint with half the step and random words of its own; raises
        the error where that is not to be.

        Good is a checkpoint at a whole multiple of checkpoint_every whose own energies were
        measured since, so that neither signals nor kills nor the clock have a say in it.
        """
        reached, count = self.state.iteration, self.state.rollbacks + 1
        allowed = self.job.training.rollbacks
        if self.state.warmed < self.job.sampling.warmup:
            raise error
        cure = ": lower optimizer.learning_rate" if reached else ""  # at first no step was made
        if count > allowed:
            raise type(error)(
                f"{error}; training.rollbacks = {allowed} are used up{cure}"
            ) from error
        main, kept = checkpoint_path(self.path), checkpoint_path(self.path, "rollback")
        use_main = 0 <= self._good < reached
        found = on_root(
            self.comm,
            lambda: (
                read_checkpoint(main, "training")
                if use_main
                else read_checkpoint(kept, "training")
                if kept.exists()
                else None
            ),
        )
        if found is None or int(found.numbers["iteration"]) >= reached:
            raise type(error)(
                f"{error}; no good checkpoint before iteration {reached} to go back to{cure}"
            ) from error
        self.state, self._good = _state(found)
        self.population.load(found.arrays["r"], found.arrays["s"])
        self.state.rollbacks = count
        if self.file:
            self.progress.close()
            say(
                f"rollback {count} of {allowed}: {error}; back from iteration {reached} to "
                f"{self.state.iteration}, "
                f"steps times {self.state.scale:g} from here on"
            )
            for name, value in (
                ("reached", reached),
                ("back_to", self.state.iteration),
                ("scale", self.state.scale),
            ):
                self.file.rollbacks.setdefault(name, []).append(value)
        self.save(self.state)
        if self.file:
            self.file.cut(
                self.state.iteration, count
            )  # only now: the checkpoint that stood until here needs the rows
        self._write_series()

    def save(self, state) -> None:
        """Series first, then the checkpoint: a checkpoint never points past the series.
        Collective.
        """
        self._write_series()
        self._checkpoint(state)

    def _checkpoint(self, state) -> None:
        r, s = self.population.collect()

        good = (
            state.warmed >= self.job.sampling.warmup
            and state.iteration % self.job.run.checkpoint_every == 0
        )

        def write():
            arrays = {
                "theta": state.theta,
                "r": r,
                "s": s,
                **{f"optimizer/{k}": v for k, v in state.optimizer.items()},
                **{f"natural/{k}": v for k, v in state.natural.items()},
            }
            numbers = {
                "run": self.file.attributes["run"],
                "step_size": state.step_size,
                "warmed": state.warmed,
                "iteration": state.iteration,
                "rollbacks": state.rollbacks,
                "good": int(good),
                **{f"trend_{k}": v for k, v in state.trend.numbers().items()},
                "parameters": ",".join(self.wavefunction.layout.entries),
                "seed": self.job.seed,
            }
            main = checkpoint_path(self.path)
            if 0 <= self._good < state.iteration:
                self.guard()
                keep(main, checkpoint_path(self.path, "rollback"))
            self.put(main, Checkpoint(arrays, numbers))

        on_root(self.comm, write)
        self._good = state.iteration if good else -1
        self.stop.saved()


def _state(checkpoint: Checkpoint) -> tuple[TrainingState, int]:
    """Where a checkpoint stands; its iteration if training may go back to it, else -1."""
    n = checkpoint.numbers
    trend = {k.removeprefix("trend_"): float(v) for k, v in n.items() if k.startswith("trend_")}
    state = TrainingState(
        checkpoint.arrays["theta"],
        checkpoint.group("optimizer"),
        float(n["step_size"]),
        int(n["warmed"]),
        int(n["iteration"]),
        int(n["rollbacks"]),
        Trend(**trend),
        checkpoint.group("natural"),
    )
    return state, state.iteration if n["good"] else -1
