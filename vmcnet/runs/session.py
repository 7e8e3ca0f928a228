"""A run on disk: joins the loops with the run file, the checkpoints and the stop requests. Rank 0
alone touches files.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vmcnet.runs.building import build, device_of
from vmcnet.config import Job, job_text, parse_job
from vmcnet.engine.evaluation import EvaluationState, finish, initial_evaluation, run_evaluation
from vmcnet.engine.likelihood import DataPopulation
from vmcnet.engine.population import NonFiniteError, Population
from vmcnet.statistics.blocking import blocking_curve
from vmcnet.engine.trend import DivergedError, Trend
from vmcnet.runs.stopping import StopRequest, Watchdog
from vmcnet.storage.atomic import FileProblem, RunLock, keep, previous_path
from vmcnet.storage.checkpoint import Checkpoint, checkpoint_path, read_checkpoint, write_checkpoint
from vmcnet.storage.run_file import RunFile, conditions, writable
from vmcnet.storage.samples import read_samples
from vmcnet.engine.training import TrainingState, initial_state, run_training

KINDS = ("checkpoint", "evaluation", "rollback")


def on_root(comm, action):
    """action() on rank 0; its value, or its FileProblem or JobError, on every rank."""
    result = None
    if comm.rank == 0:
        try:
            result = (True, action())
        except (FileProblem, ValueError) as error:
            result = (False, error)
        except OSError as error:
            result = (
                False,
                FileProblem(
                    f"{error.filename}: {error.strerror}; check the path and its permissions"
                ),
            )
    ok, value = comm.broadcast(result)
    if not ok:
        raise value
    return value


class Session:
    """One run file under its lock. Made by `new` or `reopen`; `close` frees the lock."""

    def __init__(self, comm, job: Job, path: Path, progress):
        self.comm, self.job, self.path = comm, job, Path(path)
        self.progress = progress if comm.rank == 0 else (lambda *args: None)
        self.system, self.wavefunction, self.optimizer, self.natural, self.sampler = build(job)
        parts = (
            self.system,
            self.wavefunction,
            self.sampler,
            comm,
            job.seed,
            job.sampling.walkers,
            job.sampling.block,
            device_of(job, self.system, comm.local_rank),
        )
        if job.data:
            samples, self.digest = on_root(comm, lambda: read_samples(job.data.file, self.system))
            self.population = DataPopulation(samples, *parts)
        else:
            self.population, self.digest = Population(*parts), ""
        self.state: TrainingState | None = None
        self.file: RunFile | None = None  # on rank 0
        self.lock: RunLock | None = None  # on rank 0
        stop_file = self.path.with_name(self.path.name + ".STOP")
        self.stop = StopRequest(
            comm.rank, stop_file, job.run.wall_time, 60.0 * job.run.checkpoint_minutes
        )
        self.watchdog = Watchdog(
            comm,
            60.0 * job.run.watchdog_minutes,
            f"vmcnet resume {path} goes on from the last checkpoint",
        )
        self._good = (
            -1
        )  # iteration of the checkpoint on disk if training may go back to it, else -1

    @classmethod
    def new(cls, comm, job, path, progress, overwrite=False) -> Session:
        """A fresh run; refuses to touch an existing file without `overwrite`."""
        self = cls(comm, job, path, progress)

        def prepare():
            writable(self.path)
            self.lock = RunLock(self.path)
            if not overwrite and self.path.exists():
                raise FileProblem(
                    f"{self.path}: exists already; --overwrite replaces it, --continue goes on "
                    "with it, --output chooses another"
                )
            for main in (
                self.path,
                *(checkpoint_path(self.path, kind) for kind in KINDS),
            ):  # the run file first: a kill in between
                for old in (main, previous_path(main)):  # leaves nothing that looks like this run
                    old.unlink(missing_ok=True)
            self.file = RunFile.create(
                self.path, job_text(job), job.seed, comm.size, job.run.threads
            )
            self.file.attributes["data"] = self.digest

        try:
            on_root(comm, prepare)
        except BaseException:
            self.close()
            raise
        self.population.start()
        self.state = initial_state(
            self.wavefunction,
            self.optimizer,
            job.seed,
            job.sampling.step_size * self.system.length,
            self.natural,
        )
        self._checkpoint(self.state)  # before the run file: where that exists, resume works
        self._write_series()
        return self

    @classmethod
    def reopen(cls, comm, path, progress, adjust=None, previous=False) -> Session:
        """A run that exists: job from its file (adjust(job, iteration) -> job may change keys),
        state from its checkpoint.
        """
        path, held = Path(path), {}

        def read():
            file = RunFile.open(path, previous)
            held["lock"], held["file"] = RunLock(path), file
            main = checkpoint_path(path)
            source = previous_path(main) if previous else main
            checkpoint = read_checkpoint(source)
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
                file.write(keep_old=False)
            return job, checkpoint

        try:
            job, checkpoint = on_root(comm, read)
            self = cls(comm, job, path, progress)
        except BaseException:
            if "lock" in held:
                held["lock"].release()
            raise
        if comm.rank == 0:
            self.lock, self.file = held["lock"], held["file"]
        try:
            on_root(comm, self._compare_data)
        except BaseException:
            self.close()
            raise
        if comm.rank == 0:
            self._compare_conditions()
            self.file.attributes.update(job=job_text(job), ranks=comm.size)
        self._restore(checkpoint)
        return self

    def _restore(self, checkpoint: Checkpoint) -> None:
        a, n = checkpoint.arrays, checkpoint.numbers
        self.state = TrainingState(
            a["theta"],
            checkpoint.group("optimizer"),
            float(n["step_size"]),
            int(n["warmed"]),
            int(n["iteration"]),
            int(n["rollbacks"]),
            Trend(
                **{
                    k.removeprefix("trend_"): float(v)
                    for k, v in n.items()
                    if k.startswith("trend_")
                }
            ),
            checkpoint.group("natural"),
        )
        self._good = self.state.iteration if n["good"] else -1
        self.population.load(a["r"], a["s"])

    def close(self):
        self.watchdog.stop()
        if self.lock:
            self.lock.release()

    def _compare_data(self):
        if self.file.attributes.get("data", "") != self.digest:
            raise FileProblem(
                f"{self.job.data.file}: not the samples that this run began with (its SHA-256 "
                "differs): restore the file, or start a new run"
            )

    def _compare_conditions(self):
        for key, value in conditions(self.job.run.threads).items():
            old = self.file.attributes.get(f"condition_{key}")
            if old != value:
                print(
                    f"note: {key} was {old!r} when this run began and is {value!r} now: the last "
                    "digits may differ",
                    flush=True,
                )

    def _write_series(self, force=True):
        def write():
            self.file.parameters = {
                **self.wavefunction.layout.values(self.state.theta),
                "theta": self.state.theta,
            }
            self.file.write(force)

        on_root(self.comm, write)

    @contextmanager
    def _walkers_saved(self):
        """NaN or infinity stops all ranks together; the walkers that met it are kept for
        inspection. Checkpoints stay as they are.
        """
        try:
            yield
        except NonFiniteError as error:
            target = checkpoint_path(self.path, "nonfinite")
            r, s = self.population.collect()
            arrays = {"r": r, "s": s, "theta": self.state.theta}
            on_root(
                self.comm,
                lambda: write_checkpoint(target, Checkpoint(arrays, {"problem": str(error)})),
            )
            raise NonFiniteError(f"{error}; the walkers are in {target}") from error

    # training

    def train(self) -> int:
        """Warm-up and training from the state on; the stop flag, or 0 at the end."""

        def record(phase, done, total, row):
            if self.file and phase == "training":
                self.file.append(row)
                self.file.write(force=False)
            self.progress(phase, done, total, row)

        while True:
            try:
                with self._walkers_saved():
                    return run_training(
                        self.population,
                        self.optimizer,
                        self.state,
                        iterations=self.job.training.iterations,
                        steps=self.job.sampling.steps,
                        warmup=self.job.sampling.warmup,
                        record=record,
                        save=self.save,
                        poll=self._poll,
                        checkpoint_every=self.job.run.checkpoint_every,
                        divergence=0.0 if self.job.data else self.job.training.divergence,
                        clip=self.job.training.clip,
                        natural=self.natural,
                    )
            except (NonFiniteError, DivergedError) as error:
                self._roll_back(error)

    def _poll(self) -> int:
        self.watchdog.beat()
        return self.stop.poll()

    def _roll_back(self, error: RuntimeError) -> None:
        """Back to the last good checkpoint with half the step and random words of its own; raises
        the error where that is not to be.

        Good is a checkpoint at a whole multiple of checkpoint_every whose own energies were
        measured since, so that neither signals nor
        kills nor the clock have a say in where a run goes back to.
        """
        reached, count, allowed = (
            self.state.iteration,
            self.state.rollbacks + 1,
            self.job.training.rollbacks,
        )
        if self.state.warmed < self.job.sampling.warmup:
            raise error
        if count > allowed:
            raise type(error)(
                f"{error}; training.rollbacks = {allowed} are used up: lower "
                "optimizer.learning_rate"
            ) from error
        main, kept = checkpoint_path(self.path), checkpoint_path(self.path, "rollback")
        use_main = 0 <= self._good < reached
        found = on_root(
            self.comm,
            lambda: (
                read_checkpoint(main)
                if use_main
                else read_checkpoint(kept)
                if kept.exists()
                else None
            ),
        )
        if found is None or int(found.numbers["iteration"]) >= reached:
            raise type(error)(
                f"{error}; no good checkpoint before iteration {reached} to go back to: lower "
                "optimizer.learning_rate"
            ) from error
        self._restore(found)
        self.state.rollbacks = count
        if self.file:
            self.progress.close()
            print(
                f"rollback {count} of {allowed}: {error}; back from iteration {reached} to "
                f"{self.state.iteration}, "
                f"steps times {self.state.scale:g} from here on",
                flush=True,
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
                keep(main, checkpoint_path(self.path, "rollback"))
            write_checkpoint(main, Checkpoint(arrays, numbers))

        on_root(self.comm, write)
        self._good = state.iteration if good else -1
        self.stop.saved()

    # evaluation

    def unfinished(self) -> Checkpoint | None:
        """The evaluation that was stopped before its end, if there is one."""
        path = checkpoint_path(self.path, "evaluation")
        return on_root(self.comm, lambda: read_checkpoint(path) if path.exists() else None)

    def evaluated(self, plan: dict) -> bool:
        """Whether the run file holds this evaluation of the present parameters."""
        wanted = {**plan, "iteration": self.state.iteration}
        return on_root(
            self.comm,
            lambda: any(
                wanted.items() <= e["attributes"].items() for e in self.file.evaluations.values()
            ),
        )

    def evaluate(self, plan: dict) -> int:
        """A new evaluation, plan = {steps, interval, warmup}; the stop flag, or 0 when it is in the
        run file.
        """
        number = on_root(self.comm, lambda: max(self.file.evaluations, default=-1) + 1)
        return self._evaluate(
            initial_evaluation(self.population, number, self.state.step_size), plan
        )

    def finish_evaluation(self, found: Checkpoint) -> int:
        """Go on with the evaluation that was stopped. Training goes on afterwards from its own
        walkers.
        """
        members = dict(self.population.members)
        flag = self._evaluate(
            self._restore_evaluation(found),
            {k: int(found.numbers[k]) for k in ("steps", "interval", "warmup")},
        )
        self.population.members = members
        return flag

    def _evaluate(self, state: EvaluationState, plan: dict) -> int:
        path = checkpoint_path(self.path, "evaluation")

        def save(state):
            self._save_evaluation(path, state, plan)

        with self._walkers_saved():
            flag = run_evaluation(
                self.population,
                self.state.theta,
                state,
                **plan,
                record=self.progress,
                save=save,
                poll=self._poll,
                checkpoint_every=self.job.run.checkpoint_every,
            )
        if flag:
            return flag
        mean, m2, acceptance = finish(self.population, state)

        def write():
            curve = blocking_curve(state.series["energy"])
            self.file.evaluations[state.number] = {
                **{k: np.asarray(v) for k, v in state.series.items()},
                "walker_mean": mean,
                "walker_m2": m2,
                "walker_acceptance": acceptance,
                **{f"blocking/{k}": v for k, v in vars(curve).items()},
                "attributes": {
                    "names": ",".join(self.population.row.names),
                    "iteration": self.state.iteration,
                    **plan,
                },
            }
            self.file.write()
            for old in (path, previous_path(path)):
                old.unlink(missing_ok=True)

        on_root(self.comm, write)
        return 0

    def _save_evaluation(self, path, state, plan):
        r, s = self.population.collect()
        mean, m2, accepted = (
            self.comm.gather(x, self.population.blocks)
            for x in (state.mean, state.m2, state.accepted)
        )

        def write():
            arrays = {
                "theta": self.state.theta,
                "r": r,
                "s": s,
                "mean": mean,
                "m2": m2,
                "accepted": accepted,
            }
            arrays.update({f"series/{k}": np.asarray(v) for k, v in state.series.items()})
            numbers = {
                "run": self.file.attributes["run"],
                "number": state.number,
                "step_size": state.step_size,
                "warmed": state.warmed,
                "done": state.done,
                "tried": state.tried,
                **plan,
            }
            write_checkpoint(path, Checkpoint(arrays, numbers))

        on_root(self.comm, write)
        self.stop.saved()

    def _restore_evaluation(self, found: Checkpoint) -> EvaluationState:
        a, n = found.arrays, found.numbers
        if a["theta"].tobytes() != self.state.theta.tobytes():
            raise FileProblem(
                f"{checkpoint_path(self.path, 'evaluation')}: an unfinished evaluation of other "
                "parameters than those of "
                f"{checkpoint_path(self.path)}: delete it, then evaluate again"
            )
        self.population.load(a["r"], a["s"])
        own = self.population.own
        series = {
            k.removeprefix("series/"): v.tolist() for k, v in a.items() if k.startswith("series/")
        }
        return EvaluationState(
            int(n["number"]),
            float(n["step_size"]),
            a["mean"][own.start : own.stop].copy(),
            a["m2"][own.start : own.stop].copy(),
            a["accepted"][own.start : own.stop].copy(),
            int(n["tried"]),
            int(n["warmed"]),
            int(n["done"]),
            series,
        )
