"""The evaluations of a run: in the run file when they have ended, in a checkpoint of their own
until then.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from vmcnet.config import parse_observables
from vmcnet.engine.evaluation import EvaluationState, finish, initial_evaluation, run_evaluation
from vmcnet.engine.observing import Halves
from vmcnet.engine.precision import looks_of
from vmcnet.engine.singular import probed
from vmcnet.runs.building import observables_of
from vmcnet.runs.contents import content_of
from vmcnet.runs.fit import fit_evaluation
from vmcnet.runs.root import on_root
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.checkpoint import Checkpoint, read_checkpoint
from vmcnet.storage.paths import checkpoint_path, previous_path

PLAN = ("steps", "interval", "warmup")
NO_TARGET = 0.0  # target_error of an evaluation without one, in files


class Evaluations:
    """Evaluations of the parameters at which a Session stands; every method is a collective call.

    A plan is {steps, interval, warmup, target_error}, as the table [evaluation] of a job has it;
    `tables` are
    the [[observable]] tables of what is measured beside what the system measures by itself.
    """

    def __init__(self, session):
        self.session, self.comm, self.population = session, session.comm, session.population
        self.path = checkpoint_path(session.path, "evaluation")

    def unfinished(self) -> Checkpoint | None:
        """The evaluation that was stopped before its end, if there is one."""

        def read():
            if not self.path.exists():
                return None
            found = read_checkpoint(self.path, "evaluation")
            run = self.session.file.attributes["run"]
            fit_evaluation(self.path, found, self.session.job, self.population, run)
            return found

        return on_root(self.comm, read)

    def done(self, plan: dict, tables=()) -> bool:
        """Whether the run file holds this evaluation of the present parameters, with the tables as
        they are now; files before these were kept tell observables by name alone.
        """
        wanted = {**plan, "iteration": self.session.state.iteration}
        target = wanted.pop("target_error") or NO_TARGET
        names, asked = {table.type for table in tables}, set(_asked(tables).split(","))

        def holds(attributes):
            alike = attributes.get("target_error", NO_TARGET) == target
            measured = set(str(attributes.get("observables", "")).split(","))
            known = str(attributes["asked"]).split(",") if "asked" in attributes else None
            same = names <= measured if known is None else asked <= {*known, ""}
            return alike and same and wanted.items() <= attributes.items()

        def found():
            ended = self.session.file.evaluations.values()
            return any(holds(content["attributes"]) for content in ended)

        return on_root(self.comm, found)

    def run(self, plan: dict, tables=()) -> int:
        """A new evaluation; the stop flag, or 0 when it is in the run file."""
        observables = observables_of(tables, self.population.system)
        number = on_root(self.comm, lambda: max(self.session.file.evaluations, default=-1) + 1)
        step_size = self.session.state.step_size
        looks = looks_of(plan["steps"], plan["target_error"])
        state = initial_evaluation(self.population, number, step_size, observables, looks)
        members = dict(self.population.members)
        flag = self._run(state, plan, tables)
        self.population.members = members  # training's: its checkpoint may have to be written anew
        return flag

    def finish(self, found: Checkpoint) -> int:
        """Go on with the evaluation that was stopped. Training goes on afterwards from its own
        walkers.
        """
        if found.arrays["theta"].tobytes() != self.session.state.theta.tobytes():
            raise FileProblem(
                f"{self.path}: an unfinished evaluation of other parameters than those of "
                f"{checkpoint_path(self.session.path)}: delete it, then evaluate again"
            )
        members = dict(self.population.members)
        self.population.load(found.arrays["r"], found.arrays["s"])
        plan = {name: int(found.numbers[name]) for name in PLAN}
        plan["target_error"] = float(found.numbers.get("target_error", NO_TARGET)) or None
        tables = parse_observables(json.loads(found.numbers["observables"]), str(self.path))
        flag = self._run(self._state(found, plan, tables), plan, tables)
        self.population.members = members
        return flag

    def _run(self, state: EvaluationState, plan: dict, tables) -> int:
        session = self.session
        if not state.warmed and not state.done:
            self._save(state, plan, tables)  # what was asked for survives a kill
        with session.walkers_saved():
            flag = run_evaluation(
                self.population,
                session.state.theta,
                state,
                **plan,
                record=session.watched,
                save=lambda state: self._save(state, plan, tables),
                poll=session.poll,
                checkpoint_every=session.job.run.checkpoint_every,
            )
        if flag:
            return flag
        measured = finish(self.population, state)
        measured = probed(self.population, session.state.theta, measured)

        def write():
            attributes = {"iteration": session.state.iteration, **_written(plan)}
            attributes["asked"] = _asked(tables)
            session.file.evaluations[state.number] = content_of(measured, attributes)
            session.file.write()
            for old in (self.path, previous_path(self.path)):
                old.unlink(missing_ok=True)

        on_root(self.comm, write)
        return 0

    def _save(self, state: EvaluationState, plan: dict, tables) -> None:
        comm, blocks = self.comm, self.population.blocks
        r, s = self.population.collect()
        arrays = {"theta": self.session.state.theta, "r": r, "s": s}
        for name, halves in state.moments.items():
            arrays[f"mean/{name}"] = comm.gather(halves.mean, blocks)
            arrays[f"m2/{name}"] = comm.gather(halves.m2, blocks)
        arrays["accepted"] = comm.gather(state.accepted, blocks)
        arrays["tail"] = comm.reduce_sum(state.tail)

        def write():
            series = {f"series/{k}": np.asarray(v) for k, v in state.series.items()}
            numbers = {
                "run": self.session.file.attributes["run"],
                "number": state.number,
                "step_size": state.step_size,
                "warmed": state.warmed,
                "done": state.done,
                "tried": state.tried,
                "centre": state.centre,
                "observables": json.dumps([table.model_dump() for table in tables]),
                **_written(plan),
            }
            self.session.put(self.path, Checkpoint({**arrays, **series}, numbers))

        on_root(self.comm, write)
        self.session.stop.saved()

    def _state(self, found: Checkpoint, plan: dict, tables) -> EvaluationState:
        """Where a checkpoint stands, with the moments of the own blocks."""
        a, n, own = found.arrays, found.numbers, self.population.own
        part = slice(own.start, own.stop)
        observables = observables_of(tables, self.population.system)
        looks = looks_of(plan["steps"], plan["target_error"])
        state = initial_evaluation(
            self.population, int(n["number"]), float(n["step_size"]), observables, looks
        )
        state.moments = {
            name: Halves(a[f"mean/{name}"][part].copy(), a[f"m2/{name}"][part].copy())
            for name in state.moments
        }
        state.accepted = a["accepted"][part].copy()
        if self.comm.rank == 0:  # counts of all walkers: they are summed over the ranks at the end
            state.tail = a["tail"].copy()
        state.centre = float(n["centre"])
        state.tried, state.warmed, state.done = int(n["tried"]), int(n["warmed"]), int(n["done"])
        state.series = {k: list(v) for k, v in found.group("series").items()}
        return state


def _asked(tables) -> str:
    """What tells the tables of observables from others: a digest each."""
    texts = [json.dumps(table.model_dump(), sort_keys=True) for table in tables]
    return ",".join(hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts)


def _written(plan: dict) -> dict:
    """A plan as files keep it."""
    return {**plan, "target_error": plan["target_error"] or NO_TARGET}
