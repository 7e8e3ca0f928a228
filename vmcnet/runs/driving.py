"""What is left to do of a run, under signals, watchdog and threads: for commands and Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from vmcnet.config import Job, check_resume
from vmcnet.engine.fitting import notes_of
from vmcnet.runs.evaluations import Evaluations
from vmcnet.runs.progress import say
from vmcnet.runs.stopping import FILE, REASONS


def goes_on(old: Job, wanted: Job, iteration: int, path: Path) -> Job:
    """The job to go on with: what is wanted, or more iterations where the run has them already."""
    if wanted.training.iterations < iteration:
        say(f"note: {path} has {iteration} iterations, more than the job asks for")
        training = wanted.training.model_copy(update={"iterations": iteration})
        wanted = wanted.model_copy(update={"training": training})
    check_resume(old, wanted, iteration)
    return wanted


def rest(session: Any) -> int:
    """An evaluation that was stopped, training, the job's evaluation; the stop flag, or 0."""
    evaluations = Evaluations(session)
    if session.comm.rank == 0:
        for note in notes_of(session.population.system, session.population.wavefunction):
            say(f"warning: {note}")
    plan, tables = session.job.evaluation.model_dump(), session.job.observable
    found = evaluations.unfinished()
    flag = evaluations.finish(found) if found else 0
    flag = flag or session.train()
    if not flag and plan["steps"] and not evaluations.done(plan, tables):
        flag = evaluations.run(plan, tables)
    return flag


@contextmanager
def driven(session: Any, work: Callable[[], int]) -> Iterator[int]:
    """work() -> the stop flag, while requests to stop are listened to; the run file says how it
    ended, and the lock is held until the block is left.
    """
    root = session.comm.rank == 0
    session.stop.listen()
    if root:
        session.stop.forget_old()
    session.watchdog.start()
    try:
        with threadpool_limits(session.job.run.threads):
            flag = work()
            session.mark(flag)
        if root:
            session.progress.close()
            if flag == FILE:
                session.stop.honoured()
        yield flag
    finally:
        if root:
            session.progress.close()
        session.close()


def stopped_line(session: Any, flag: int) -> str:
    return f"stopped by {REASONS[flag]} with a checkpoint; go on with: vmcnet resume {session.path}"
