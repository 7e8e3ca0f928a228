"""What each command does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vmcnet.config import (
    JobError,
    changed_keys,
    check_resume,
    evaluation_plan,
    inherited,
    job_text,
    load_job,
    parse_job,
    parse_observables,
    reference_page,
)
from vmcnet.runs.progress import say
from vmcnet.runs.stopping import FILE, REQUEUE


def run(options, comm) -> int:
    from vmcnet.runs.root import on_root

    job = on_root(comm, lambda: load_job(options.job, options.settings))
    path = _output(options, job)
    if options.overwrite and options.go_on:
        raise JobError("--overwrite and --continue exclude each other")
    if job.twists is None:
        return _run(job, path, options, comm)
    return _run_twists(job, path, options, comm)


def _output(options, job) -> Path:
    if options.output is None:
        return Path("runs") / f"{job.name}.h5"
    if not options.output or options.output.endswith(os.sep):
        raise JobError(f"--output {options.output!r}: names a folder: name a file")
    return Path(options.output)


def _run(job, path, options, comm) -> int:
    from vmcnet.runs.driving import goes_on
    from vmcnet.runs.rehearsal import rehearsed
    from vmcnet.runs.root import on_root
    from vmcnet.runs.session import Session
    from vmcnet.storage.paths import resolved

    def adjust(old, iteration):
        wanted = inherited(old, job)
        for key in changed_keys(job, wanted):
            say(f"note: {key} stays as it was when the run began, the job does not say it")
        return goes_on(old, wanted, iteration, path)

    if options.go_on and on_root(comm, lambda: resolved(path).exists()):
        return _drive(Session.reopen(comm, path, _progress(options), adjust), comm)
    with rehearsed(comm, job):
        session = Session.new(comm, job, path, _progress(options), options.overwrite, options.job)
    return _drive(session, comm)


def _run_twists(job, path, options, comm) -> int:
    """One run after the other, a twist each, and the average of all; twists.number: one run."""
    from vmcnet.runs.twists import average_lines, chosen, path_of, twist_average, twisted, twists

    count = len(twists(job))
    if job.twists.number is not None:
        twist = chosen(job)[0]
        return _run(
            twisted(job, twist),
            path if options.output else path_of(path, twist, count),
            options,
            comm,
        )
    paths = []
    for twist in chosen(job):
        paths.append(path_of(path, twist, count))
        code = _run(twisted(job, twist), paths[-1], options, comm)
        if code:
            return code
    if comm.rank == 0:
        print("\n".join(average_lines(twist_average(paths))))
    return 0


def sweep(options, comm) -> int:
    """Every value's run goes on where it stands: a sweep that was stopped is given again."""
    from vmcnet.runs.sweep import swept, swept_lines, write_array

    runs = swept(options.job, options.key, options.values, options.settings, options.folder)
    if options.array:
        if comm.rank == 0:
            print("\n".join(write_array(options.array, options.job, options.key, runs)))
        return 0
    options.overwrite, options.go_on = False, True
    for run in runs:
        if comm.rank == 0:
            say(f"{options.key} = {run.value}: {run.path}")
        options.settings = run.settings
        code = _run(run.job, run.path, options, comm)
        if code:
            return code
    if comm.rank == 0:
        print("\n".join(swept_lines(runs)))
    return 0


def watch(options, comm) -> int:
    from vmcnet.runs.watch import watch as show

    if not options.interval > 0:
        raise JobError(f"--interval {options.interval}: expected seconds above 0")
    try:
        show(options.file, sys.stdout, options.interval, options.once)
    except KeyboardInterrupt:  # the run goes on
        print()
    return 0


def completion(options, comm) -> int:
    from vmcnet.runs.completion import script

    print(script(options.parser, options.shell), end="")
    return 0


def resume(options, comm) -> int:
    from vmcnet.runs.session import Session

    def adjust(old, iteration):
        new = parse_job(job_text(old), options.settings, str(options.file), Path())
        check_resume(old, new, iteration)
        return new

    return _drive(
        Session.reopen(comm, options.file, _progress(options), adjust, options.previous), comm
    )


def evaluate(options, comm) -> int:
    from vmcnet.runs.evaluations import Evaluations
    from vmcnet.runs.session import Session

    if options.output is not None:
        return _evaluate_anew(options, comm)
    parse_observables(options.observable, "--observable")  # before anything is opened
    session = Session.reopen(comm, options.file, _progress(options), learns=False)
    evaluations = Evaluations(session)

    def work():
        plan, tables = _plan(options, session.job)
        found = evaluations.unfinished()
        if found:
            raise JobError(
                f"{options.file}: an evaluation stands at {found.numbers['done']} of "
                f"{found.numbers['steps']} measurements; "
                f"vmcnet resume {options.file} ends it, then evaluate again"
            )
        return evaluations.run(plan, tables)

    return _within(session, work, comm)


def _plan(options, job) -> tuple[dict, list]:
    """Plan and [[observable]] tables of an evaluation: the job's, with what was asked for."""
    asked = parse_observables(options.observable, "--observable")
    kept = [t for t in job.observable if t.type not in {a.type for a in asked}]
    keys = ("steps", "interval", "warmup", "target_error")
    given = {k: v for k in keys if (v := vars(options)[k]) is not None}
    plan = evaluation_plan({**job.evaluation.model_dump(), **given}).model_dump()
    return plan, [*kept, *asked]


def _evaluate_anew(options, comm) -> int:
    """A run of no iterations that starts from the parameters of another, and its evaluation."""
    from vmcnet.runs.reading import TUNING
    from vmcnet.runs.root import on_root
    from vmcnet.runs.session import Session
    from vmcnet.storage.run_file import RunFile

    def derived():
        if Path(options.output).is_file():
            raise JobError(f"--output {options.output}: exists already: choose another name")
        job = parse_job(RunFile.open(options.file).attributes["job"], (), str(options.file))
        plan, tables = _plan(options, job)
        start = {"iterations": 0, "growth": [], "start_from": str(options.file.resolve())}
        sampling = {"warmup": max(TUNING, job.sampling.warmup)}  # the step size is tuned anew
        return job.model_copy(
            update={
                "sampling": job.sampling.model_copy(update=sampling),
                "training": job.training.model_copy(update=start),
                "evaluation": job.evaluation.model_copy(update=plan),
                "observable": tables,
                "data": None,
            }
        )

    job = on_root(comm, derived)
    path = _output(options, job)
    return _drive(Session.new(comm, job, path, _progress(options)), comm)


def _drive(session, comm) -> int:
    """What is left to do: an evaluation that was stopped, training, the job's evaluation."""
    from vmcnet.runs.driving import rest

    return _within(session, lambda: rest(session), comm)


def _within(session, work, comm) -> int:
    from vmcnet.runs.driving import driven, stopped_line

    with driven(session, work) as flag:
        if comm.rank == 0:
            if flag:
                print(stopped_line(session, flag))
            else:
                from vmcnet.runs.reading import Run

                _print_report(Run(session.file))
    return REQUEUE if flag > FILE else 0


def _progress(options):
    from vmcnet.runs.progress import Progress, Silent

    return Silent() if options.quiet else Progress()


def _print_report(run, blocking: str = "pyblock") -> dict:
    from vmcnet.runs.report import report_lines
    from vmcnet.runs.summary import summary

    found = summary(run, blocking)
    print("\n".join(report_lines(found)))
    return found


def limits(options, comm) -> int:
    """What limits the wavefunction of a run."""
    from threadpoolctl import threadpool_limits

    from vmcnet.runs.reading import open_run

    run, plan = open_run(options.file), {k: vars(options)[k] for k in ("snapshots", "interval")}
    with threadpool_limits(run.job.run.threads):
        try:
            found = run.limits(options.candidate, **plan, comm=comm)
        except ValueError as error:
            raise JobError(f"{options.file}: {error}") from error
    if comm.rank == 0:
        print(f"{options.file}: {run.wavefunction.describe()}\n{found}")
    return 0


def report(options, comm) -> int:
    from vmcnet.runs.outputs import asked_for, opened, other_reports
    from vmcnet.runs.report import finite_size_lines

    forms = asked_for(options)
    if options.twists:
        from vmcnet.runs.outputs import twists_report

        twists_report(options)
        return 0
    runs, problems = opened(options.file)
    if runs and forms:
        other_reports(runs, options)
    else:
        for run in runs:
            found = _print_report(run, options.blocking)
            if options.finite_size:
                try:
                    print("\n".join(finite_size_lines(found, run.finite_size())))
                except ValueError as error:
                    problems.append(str(error))
    for problem in problems:
        print(f"vmcnet: {problem}", file=sys.stderr)
    return 2 if problems or not runs else 0


def check(options, comm) -> int:
    if options.reference:
        print(reference_page(), end="")
        return 0
    if options.job is None:
        raise JobError("check needs a job file, or --reference")
    from vmcnet.engine.fitting import notes_of
    from vmcnet.observables.base import joined
    from vmcnet.runs.building import build, device_of, observables_of
    from vmcnet.runs.report import describe_system
    from vmcnet.runs.starting import starting
    from vmcnet.storage.samples import read_samples

    job = load_job(options.job, options.settings)
    if job.twists:
        from vmcnet.runs.twists import chosen, twisted

        runs = chosen(job)
        job = twisted(job, runs[0])
    system, wavefunction, optimizer, natural, sampler = build(job)
    device = device_of(job, system, wavefunction, sampler)
    data = read_samples(job.data.file, system)[0] if job.data else None
    start = starting(job, wavefunction) if job.training.start_from else None
    print(f"{options.job}: valid")
    if job.twists:
        print(f"  {len(runs)} runs, a twist each; of one of them:")
    print(f"  {describe_system(system, wavefunction)}")
    print(f"  psi = {wavefunction.describe()}: {wavefunction.layout.size} parameters")
    for note in notes_of(system, wavefunction):
        print(f"  warning: {note}")
    if natural:
        print(f"  natural gradient: {natural.describe()}")
    measured = joined(system.observables, observables_of(job.observable, system))
    if measured:
        print(f"  evaluations measure {', '.join(o.name for o in measured)}")
    if start:
        print(f"  start from {job.training.start_from}: {start}")
    if data:
        print(f"  data: {len(data.s)} samples in {job.data.file}")
    parts = system, wavefunction, optimizer, natural, sampler, device
    print("\n".join(_cost_lines(job, *parts, observables_of(job.observable, system))))
    return 0


def _cost_lines(
    job, system, wavefunction, optimizer, natural, sampler, device, observables
) -> list[str]:
    """Sizes, ranks, memory and time, from one block that is moved and measured."""
    from threadpoolctl import threadpool_limits

    from vmcnet.runs.cost import checkpoint_size, measure, rank_memory
    from vmcnet.runs.parts import check_job_memory

    sampling, evaluation, iterations = job.sampling, job.evaluation, job.training.iterations
    blocks = sampling.walkers // sampling.block
    try:
        check_job_memory(job, system, wavefunction, natural, 1)
    except JobError as error:
        return [f"  warning: not on this machine, on one rank: {error}"]
    checkpoint = checkpoint_size(system, wavefunction, optimizer, natural, sampling.walkers)
    step_size = sampling.step_size * system.length
    with threadpool_limits(job.run.threads):
        parts = system, wavefunction, sampler, job.seed, sampling.block, step_size, device
        cost = measure(*parts, None if job.data else natural, observables)
    parts = job, system, wavefunction, natural, observables, checkpoint
    arrays = rank_memory(cost, *parts) / 1e6
    grown, moved, last = 0, 0, blocks  # blocks times iterations
    for row in (g for g in job.training.growth if g.iteration < iterations):
        grown, moved = grown + last * (row.iteration - moved), row.iteration
        last = row.walkers // sampling.block
    grown += last * (iterations - moved)
    training = (
        grown * (sampling.steps * cost.step + cost.energies + cost.gradient)
        + blocks * sampling.warmup * sampling.steps * cost.step
    )
    measuring = last * (
        evaluation.steps * (evaluation.interval * cost.step + cost.energies)
        + evaluation.warmup * evaluation.interval * cost.step
    )
    return [
        f"  {sampling.walkers} walkers in {blocks} blocks of {sampling.block}: 1 to {blocks} "
        f"ranks, evenly loaded where ranks divide {blocks}",
        f"  a block here: {1e3 * cost.step:.3g} ms a Metropolis step, {1e3 * cost.energies:.3g} ms "
        f"its local energies, {1e3 * cost.gradient:.3g} ms its gradient",
        f"  about {training + measuring:.3g} cpu-seconds: {iterations} iterations {training:.3g}, "
        f"{evaluation.steps} measurements {measuring:.3g}",
        f"  memory of one rank about {cost.libraries / 1e6 + arrays:.3g} MB, of it {arrays:.3g} MB "
        f"beside the libraries, checkpoint {checkpoint / 1e6:.2g} MB, "
        f"{job.run.threads} BLAS thread(s), device {device.describe()}",
    ]


def jobs(options, comm) -> int:
    from vmcnet.runs.examples import copied, listed

    if options.name is None:
        print("\n".join(listed()))
        print("vmcnet jobs NAME copies one here")
    else:
        print(copied(options.name, options.folder))
    return 0


def info(options, comm) -> int:
    import platform

    from vmcnet.backend.device import card, found
    from vmcnet.parallel.communicators import launched_processes
    from vmcnet.storage.run_file import conditions
    from vmcnet.version import VERSION

    print(f"vmcnet {VERSION}, {platform.platform()}, Python {platform.python_version()}")
    for key, value in conditions(1).items():
        if key not in ("python", "threads"):
            print(f"  {key}: {value}")
    count, variable = launched_processes()
    print(f"  launcher: {variable}={count}" if variable else "  launcher: none")
    try:
        from vmcnet.parallel.communicators import MPICommunicator

        comm = MPICommunicator()
        print(f"  MPI: {comm.implementation}, world of {comm.size}")
    except (ImportError, RuntimeError) as error:
        print(f"  MPI: not available ({error})")
    cupy, problem = found()
    print(f"  GPU: {f'{cupy.cuda.runtime.getDeviceCount()} of {card(cupy)}' if cupy else problem}")
    sys.stdout.flush()
    return 0
