"""What each command does."""

from __future__ import annotations

import sys
from pathlib import Path

from vmcnet.config import JobError, check_resume, job_text, load_job, parse_job, reference_page
from vmcnet.stopping import FILE, REASONS, REQUEUE


def run(options, comm) -> int:
    from vmcnet.session import Session

    job = load_job(options.job, options.settings)
    path = options.output or Path("runs") / f"{job.name}.h5"
    if options.overwrite and options.go_on:
        raise JobError("--overwrite and --continue exclude each other")
    from vmcnet.session import on_root

    def adjust(old, iteration):
        check_resume(old, job, iteration)
        return job

    if options.go_on and on_root(comm, path.exists):
        return _drive(Session.reopen(comm, path, _progress(comm), adjust), comm)
    return _drive(Session.new(comm, job, path, _progress(comm), options.overwrite), comm)


def resume(options, comm) -> int:
    from vmcnet.session import Session

    def adjust(old, iteration):
        new = parse_job(job_text(old), options.settings, str(options.file))
        check_resume(old, new, iteration)
        return new

    return _drive(Session.reopen(comm, options.file, _progress(comm), adjust, options.previous), comm)


def evaluate(options, comm) -> int:
    from vmcnet.session import Session

    session = Session.reopen(comm, options.file, _progress(comm))
    defaults = session.job.evaluation
    plan = [getattr(defaults, k) if getattr(options, k) is None else getattr(options, k) for k in ("steps", "interval", "warmup")]
    for name, value, least in zip(("steps", "interval", "warmup"), plan, (2, 1, 0), strict=True):
        if value < least:
            raise JobError(f"--{name} {value}: expected at least {least}")
    return _within(session, lambda: session.evaluate(*plan), comm)


def _drive(session, comm) -> int:
    """Training, then the job's evaluation: whatever is left of both."""
    from vmcnet.session import on_root
    from vmcnet.storage.checkpoint import checkpoint_path

    def work():
        flag = session.train()
        if flag:
            return flag
        plan = session.job.evaluation
        unfinished = on_root(comm, lambda: checkpoint_path(session.path, "evaluation").exists())
        last = on_root(comm, lambda: max((e["attributes"]["iteration"] for e in session.file.evaluations.values()), default=-1))
        if unfinished or (plan.steps >= 2 and last < session.state.iteration):
            return session.evaluate(plan.steps, plan.interval, plan.warmup, resume=unfinished)
        return 0

    return _within(session, work, comm)


def _within(session, work, comm) -> int:
    from threadpoolctl import threadpool_limits

    session.stop.listen()
    try:
        with threadpool_limits(session.job.run.threads):
            flag = work()
        if comm.rank == 0:
            session.progress.close()
            if flag:
                print(f"stopped by {REASONS[flag]} with a checkpoint; go on with: vmcnet resume {session.path}")
            else:
                _print_report(session.file)
        return REQUEUE if flag > FILE else 0
    finally:
        session.close()


def _progress(comm):
    from vmcnet.progress import Progress

    return Progress()


def _print_report(file) -> None:
    from vmcnet.building import build
    from vmcnet.report import report_lines

    system, wavefunction, _, _ = build(parse_job(file.attributes["job"], (), str(file.path)))
    print("\n".join(report_lines(file, system, wavefunction)))


def report(options, comm) -> int:
    from vmcnet.storage.run_file import RunFile

    for path in options.file:
        _print_report(RunFile.open(path))
    return 0


def check(options, comm) -> int:
    if options.reference:
        print(reference_page(), end="")
        return 0
    if options.job is None:
        raise JobError("check needs a job file, or --reference")
    from vmcnet.building import build

    job = load_job(options.job, options.settings)
    system, wavefunction, optimizer, _ = build(job)
    blocks = job.sampling.walkers // job.sampling.block
    coordinates = system.particles * system.dimensions
    print(f"{options.job}: valid")
    print(f"  {system.describe()}, reference {system.reference[0]:.7f} {system.units} ({system.reference[1]})" if system.reference else f"  {system.describe()}")
    print(f"  psi = {wavefunction.describe()}: {wavefunction.layout.size} parameters")
    print(f"  {job.sampling.walkers} walkers in {blocks} blocks of {job.sampling.block}: at most {blocks} ranks")
    evaluations = job.training.iterations * (job.sampling.steps + 2) + job.evaluation.steps * (job.evaluation.interval + 1)
    print(f"  about {evaluations * job.sampling.walkers:.2e} evaluations of psi, {job.training.iterations * job.sampling.walkers:.2e} of its Laplacian")
    checkpoint = 8 * (job.sampling.walkers * coordinates + 3 * wavefunction.layout.size) / 1e6
    print(f"  checkpoint about {checkpoint:.2f} MB, {job.run.threads} BLAS thread(s) a rank")
    return 0


def info(options, comm) -> int:
    import platform

    from vmcnet.parallel import launched_processes
    from vmcnet.storage.run_file import conditions
    from vmcnet.version import VERSION

    print(f"vmcnet {VERSION}, {platform.platform()}, Python {platform.python_version()}")
    for key, value in conditions(1).items():
        if key not in ("python", "threads"):
            print(f"  {key}: {value}")
    count, variable = launched_processes()
    print(f"  launcher: {variable}={count}" if variable else "  launcher: none")
    try:
        from vmcnet.parallel import MPICommunicator

        comm = MPICommunicator()
        print(f"  MPI: {comm.library}, world of {comm.size}")
    except (ImportError, RuntimeError) as error:
        print(f"  MPI: not available ({error})")
    try:
        import cupy

        print(f"  CuPy {cupy.__version__}: {cupy.cuda.runtime.getDeviceCount() if cupy.cuda.is_available() else 0} devices")
    except ImportError:
        print("  CuPy: not installed")
    sys.stdout.flush()
    return 0
