"""The evaluations of a run: in the run file when they have ended, in a checkpoint of their own
until then.
"""

from __future__ import annotations

import numpy as np

from vmcnet.engine.evaluation import EvaluationState, finish, initial_evaluation, run_evaluation
from vmcnet.runs.root import on_root
from vmcnet.statistics.blocking import blocking_curve
from vmcnet.storage.atomic import FileProblem, previous_path
from vmcnet.storage.checkpoint import Checkpoint, checkpoint_path, read_checkpoint, write_checkpoint

PLAN = ("steps", "interval", "warmup")


class Evaluations:
    """Evaluations of the parameters at which a Session stands; every method is a collective call.

    A plan is {steps, interval, warmup}, as the table [evaluation] of a job has them.
    """

    def __init__(self, session):
        self.session, self.comm, self.population = session, session.comm, session.population
        self.path = checkpoint_path(session.path, "evaluation")

    def unfinished(self) -> Checkpoint | None:
        """The evaluation that was stopped before its end, if there is one."""
        return on_root(
            self.comm, lambda: read_checkpoint(self.path) if self.path.exists() else None
        )

    def done(self, plan: dict) -> bool:
        """Whether the run file holds this evaluation of the present parameters."""
        wanted = {**plan, "iteration": self.session.state.iteration}

        def found():
            ended = self.session.file.evaluations.values()
            return any(wanted.items() <= content["attributes"].items() for content in ended)

        return on_root(self.comm, found)

    def run(self, plan: dict) -> int:
        """A new evaluation; the stop flag, or 0 when it is in the run file."""
        number = on_root(self.comm, lambda: max(self.session.file.evaluations, default=-1) + 1)
        step_size = self.session.state.step_size
        return self._run(initial_evaluation(self.population, number, step_size), plan)

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
        flag = self._run(_state(found, self.population.own), plan)
        self.population.members = members
        return flag

    def _run(self, state: EvaluationState, plan: dict) -> int:
        session = self.session
        with session.walkers_saved():
            flag = run_evaluation(
                self.population,
                session.state.theta,
                state,
                **plan,
                record=session.progress,
                save=lambda state: self._save(state, plan),
                poll=session.poll,
                checkpoint_every=session.job.run.checkpoint_every,
            )
        if flag:
            return flag
        mean, m2, acceptance = finish(self.population, state)

        def write():
            curve = blocking_curve(state.series["energy"])
            session.file.evaluations[state.number] = {
                **{k: np.asarray(v) for k, v in state.series.items()},
                "walker_mean": mean,
                "walker_m2": m2,
                "walker_acceptance": acceptance,
                **{f"blocking/{k}": v for k, v in vars(curve).items()},
                "attributes": {
                    "names": ",".join(self.population.row.names),
                    "iteration": session.state.iteration,
                    **plan,
                },
            }
            session.file.write()
            for old in (self.path, previous_path(self.path)):
                old.unlink(missing_ok=True)

        on_root(self.comm, write)
        return 0

    def _save(self, state: EvaluationState, plan: dict) -> None:
        r, s = self.population.collect()
        mean, m2, accepted = (
            self.comm.gather(x, self.population.blocks)
            for x in (state.mean, state.m2, state.accepted)
        )

        def write():
            arrays = {
                "theta": self.session.state.theta,
                "r": r,
                "s": s,
                "mean": mean,
                "m2": m2,
                "accepted": accepted,
            }
            arrays.update({f"series/{k}": np.asarray(v) for k, v in state.series.items()})
            numbers = {
                "run": self.session.file.attributes["run"],
                "number": state.number,
                "step_size": state.step_size,
                "warmed": state.warmed,
                "done": state.done,
                "tried": state.tried,
                **plan,
            }
            write_checkpoint(self.path, Checkpoint(arrays, numbers))

        on_root(self.comm, write)
        self.session.stop.saved()


def _state(found: Checkpoint, own: range) -> EvaluationState:
    """Where a checkpoint stands, with the moments of the own blocks."""
    a, n = found.arrays, found.numbers
    part = slice(own.start, own.stop)
    return EvaluationState(
        int(n["number"]),
        float(n["step_size"]),
        a["mean"][part].copy(),
        a["m2"][part].copy(),
        a["accepted"][part].copy(),
        int(n["tried"]),
        int(n["warmed"]),
        int(n["done"]),
        {k: v.tolist() for k, v in found.group("series").items()},
    )
