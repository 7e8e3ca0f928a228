"""A run file opened from Python: what a run found, and its wavefunction to work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vmcnet.arguments import shown
from vmcnet.config import Job, parse_job
from vmcnet.config.user import UserTable
from vmcnet.engine.evaluation import EvaluationResult, evaluate
from vmcnet.engine.fitting import notes_of
from vmcnet.engine.limits import Limits, limits
from vmcnet.engine.population import Population
from vmcnet.engine.series import EvaluationList, Named, Series, table_html
from vmcnet.engine.training import TrainingResult, initial_state, run_training
from vmcnet.exact.divergence import enumerated_divergence
from vmcnet.observables.finite_size import FiniteSize, finite_size
from vmcnet.observables.pairs import StaticStructureFactor
from vmcnet.parallel.communicators import communicator
from vmcnet.runs.building import build, device_of, observables_of
from vmcnet.runs.contents import evaluation_result
from vmcnet.runs.doubts import counted, doubts
from vmcnet.runs.fit import fit_report
from vmcnet.runs.starting import parameter_units
from vmcnet.runs.state import standing
from vmcnet.runs.told import told
from vmcnet.statistics.format import with_error
from vmcnet.statistics.zero_variance import ZeroVariance, along_training
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint
from vmcnet.storage.paths import checkpoint_path, existing, path_given
from vmcnet.storage.run_file import RunFile
from vmcnet.walkers import Walkers

LARGEST_ENUMERATION = 2**18  # states of a classical model whose distribution is compared
TUNING = 50  # iterations of warm-up where walkers start anew


class Run:
    """What `open_run` gives: a run file as it was when opened; `resume` alone writes to it.

    path; job (Job) and attributes (name -> number or text: version, seed, host, conditions).
    training: name -> (T,) arrays, one entry an iteration; parameters: name -> array; evaluations:
    list of EvaluationResult in the order in which they were made. training and evaluations have
    to_pandas() and to_xarray(). warnings: what makes the numbers doubtful.
    """

    def __init__(self, file: RunFile):
        self.file = file
        self.path, self.attributes = self.file.path, self.file.attributes
        self.training = Series({k: np.asarray(v) for k, v in self.file.training.items()})
        self._further = 0

    def __getstate__(self) -> dict[str, Any]:
        """What was read; what follows from it, classes of a user among it, is built anew."""
        return {k: v for k, v in vars(self).items() if k not in vars(Run)}

    @cached_property
    def job(self) -> Job:
        return parse_job(self.attributes["job"], (), str(self.path))

    @cached_property
    def _built(self) -> tuple:
        built = build(self.job)
        fit_report(self.file, *built[:2])
        return built

    @cached_property
    def _told(self) -> tuple:
        found = told(self.file)
        fit_report(self.file, *found)
        return found

    @property
    def told_system(self) -> Any:
        """The system as the file tells of it: for a user's class without importing it."""
        return self._told[0]

    @property
    def told_wavefunction(self) -> Any:
        return self._told[1]

    @property
    def system(self) -> Any:
        """The system; a user's class is imported here."""
        return self._built[0]

    @property
    def wavefunction(self) -> Any:
        """The trial wavefunction, without parameters; `psi` has them."""
        return self._built[1]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name -> array, as they stand in the file; start= of vmc.train takes them."""
        return Named({k: v for k, v in self.file.parameters.items() if k != "theta"})

    @property
    def parameter_units(self) -> dict[str, float]:
        """name -> natural unit in this system; empty where the file is older than them."""
        return parameter_units(self.file)

    @cached_property
    def psi(self) -> Any:
        """The wavefunction at these parameters: psi.log(r, s) (W,), psi.jet(walkers)."""
        return self.wavefunction.bind(np.asarray(self.file.parameters["theta"]))

    def finite_size(self, number: int = -1) -> FiniteSize:
        """Corrections to evaluation `number`, the last unless given; see
        observables.finite_size.
        """
        if not self.evaluations:
            raise ValueError(f"{self.path}: no evaluation yet: vmcnet evaluate {self.path}")
        try:
            return finite_size(self.told_system, self.evaluations[number])
        except ValueError as error:
            raise ValueError(
                f"{self.path}: {error}; vmcnet evaluate {self.path} --observable "
                f"{StaticStructureFactor.name}"
                if self.told_system.plasmon
                else f"{self.path}: {error}"
            ) from error

    @cached_property
    def evaluations(self) -> EvaluationList:
        """EvaluationResults in the order in which they were made."""
        return self.evaluated()

    def evaluated(self, blocking: str = "pyblock") -> EvaluationList:
        """The same with another criterion of the blocking error."""
        return EvaluationList(
            replace(found, warnings=[*self.notes, *found.warnings])
            for found in (
                evaluation_result(content, self.told_system, blocking)
                for _, content in sorted(self.file.evaluations.items())
            )
        )

    @cached_property
    def notes(self) -> list[str]:
        """What a user should know of system and wavefunction although it is no mistake."""
        return notes_of(self.told_system, self.told_wavefunction)

    @property
    def warnings(self) -> dict[str, list[str]]:
        """All that makes the numbers doubtful: "wavefunction", "training", "evaluation N" -> texts;
        what has none is left out.
        """
        return self.doubts(self.evaluations)

    def doubts(self, results: Sequence[EvaluationResult]) -> dict[str, list[str]]:
        """warnings, of these results of the evaluations."""
        numbered = dict(zip(sorted(self.file.evaluations), results, strict=True))
        return doubts(self.file, self.job, self.told_system, self.notes, numbered)

    @cached_property
    def zero_variance(self) -> ZeroVariance | None:
        """The energy at variance 0 by a line along a training that minimises the energy; None where
        training is another or short.
        """
        if self.job.data is not None or self.told_system.temperature is not None:
            return None
        series = (self.file.training.get(k, ()) for k in ("energy", "variance", "error"))
        return along_training(*map(np.asarray, series))

    @cached_property
    def divergence(self) -> float | None:
        """Kullback-Leibler divergence of |psi|^2 from exp(-E/T) in nats, by enumeration; None where
        the system is no classical one, or has more than 2^18 states.
        """
        system, wavefunction = self._told
        if (
            system.temperature is None
            or not wavefunction.layout.size
            or len(system.labels_of_site) ** system.particles > LARGEST_ENUMERATION
        ):
            return None
        psi = wavefunction.bind(np.asarray(self.file.parameters["theta"]))
        return float(enumerated_divergence(psi, *system.enumerated()))

    @property
    def state(self) -> str:
        """running, stopped (to be resumed) or done, as far as the file and its host tell."""
        return standing(self.file).word

    @cached_property
    def walkers(self) -> Walkers:
        """All walkers of the last checkpoint, r (W, n, d), s (W, n), with log_psi; raises
        FileProblem where there is none.
        """
        found = self._checkpoint()
        r, s = (
            x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])  # without -1: lattices have d = 0
            for x in (found.arrays["r"], found.arrays["s"])
        )
        return Walkers(r, s, self.psi.log(r, s))

    def _checkpoint_path(self) -> Path:
        return existing(checkpoint_path(self.path), self.path)

    def _checkpoint(self) -> Checkpoint:
        found = read_checkpoint(self._checkpoint_path(), "training")
        if found.numbers["run"] != self.attributes["run"]:
            raise FileProblem(
                f"{self._checkpoint_path()}: belongs to another run than {self.path}: restore "
                "the pair"
            )
        return found

    def evaluate(
        self,
        *,
        steps: int | None = None,
        interval: int | None = None,
        warmup: int | None = None,
        observables: Sequence | None = None,
        target_error: float | None = None,
        comm: Any = None,
    ) -> EvaluationResult | None:
        """Evaluate these parameters in memory; what is not given is as in the job. observables:
        objects of vmcnet.observables or of classes of your own; target_error as for vmc.evaluate.

        Walkers go on from the checkpoint; where there is none they start anew. Every call draws
        random numbers of its own. Rank 0 gets the result, other ranks None. Raises as vmc.evaluate.
        """
        plan = self.job.evaluation
        given = {"steps": steps, "interval": interval, "warmup": warmup}
        defaults = {"steps": plan.steps or 600, "interval": plan.interval, "warmup": plan.warmup}
        number = max(self.file.evaluations, default=-1) + 1 + self._further
        self._further += 1
        return evaluate(
            self._result(communicator(comm)),
            number=number,
            threads=self.job.run.threads,
            target_error=target_error,
            observables=observables_of(self.job.observable, self.system)
            if observables is None
            else observables,
            **{k: defaults[k] if v is None else v for k, v in given.items()},
        )

    def resume(
        self,
        *,
        iterations: int | None = None,
        settings: Mapping[str, Any] | None = None,
        quiet: bool = False,
        comm: Any = None,
    ) -> Run:
        """Go on where the last checkpoint stands, as `vmcnet resume`, on any number of ranks: the
        file is written; the run as it is afterwards.

        iterations: train up to so many; settings: changed keys of the job by dotted names. Raises
        JobError for keys that may not change, FileProblem without a checkpoint, Stopped as
        vmc.train.
        """
        from vmcnet.runs.training import resumed

        if not isinstance(settings, Mapping | None):
            raise ValueError(
                f"settings must be a dictionary of keys of the job, got {shown(settings)}"
            )
        more = {} if iterations is None else {"training.iterations": iterations}
        if more and "training.iterations" in (settings or {}):
            raise ValueError("iterations and settings['training.iterations'] exclude each other")
        resumed(self.path, communicator(comm), {**(settings or {}), **more}, quiet)
        return open_run(self.path)

    def limits(
        self,
        candidates: Sequence | None = None,
        *,
        snapshots: int = 8,
        interval: int = 25,
        comm: Any = None,
    ) -> Limits | None:
        """What could be added to this wavefunction, and what that would gain: as vmc.limits."""
        result = self._result(communicator(comm))
        return limits(result, candidates, snapshots=snapshots, interval=interval)

    def _result(self, comm: Any) -> TrainingResult:
        """The run as vmc.train would have left it."""
        system, wavefunction, optimizer, natural, sampler = self._built
        sampling = self.job.sampling
        population = Population(
            system,
            wavefunction,
            sampler,
            comm,
            self.job.seed,
            sampling.walkers,
            sampling.block,
            device_of(self.job, system, wavefunction, sampler, comm.local_rank),
        )
        step_size = sampling.step_size * system.length
        state = initial_state(wavefunction, optimizer, self.job.seed, step_size, natural)
        state.theta = np.array(self.file.parameters["theta"])
        if self._checkpoint_path().exists():
            found = self._checkpoint()
            population.load(found.arrays["r"], found.arrays["s"])
            state.step_size = float(found.numbers["step_size"])
        else:
            population.start()
            run_training(
                population,
                optimizer,
                state,
                iterations=0,
                steps=sampling.steps,
                warmup=max(TUNING, sampling.warmup),
                record=lambda *args: None,
                save=lambda state: None,
                poll=lambda: 0,
            )
        return TrainingResult(state, population, dict(self.training))

    def __repr__(self) -> str:
        job = self.job
        factors = " x ".join(_named(table) for table in job.wavefunction)
        lines = [f"Run {self.path}: {_named(job.system)}, {factors}", f"  {standing(self.file)}"]
        if self.file.rows:
            last, error = self.training["energy"][-1], self.training["error"][-1]
            lines[1] += f", last energy {with_error(last, error)}"
        if self.file.evaluations:
            number = max(self.file.evaluations)
            lines.append(f"  evaluation {number}: {self.evaluations[-1]}")
        count = counted(self.warnings)
        lines[-1] += f"; {count} warning{'s' if count > 1 else ''}: see .warnings" if count else ""
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, *rest = repr(self).splitlines()
        return table_html((first,), [[line.strip()] for line in rest])


def open_run(path: str | Path) -> Run:
    """A run file, opened for reading; raises FileProblem where it is missing, damaged or of
    another version, ValueError where `path` is no path.
    """
    return Run(RunFile.open(path_given("open_run", path)))


def _named(table: Any) -> str:
    return table.source if isinstance(table, UserTable) else table.type
