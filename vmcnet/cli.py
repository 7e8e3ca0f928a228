"""The command line: vmcnet run | resume | evaluate | report | sweep | watch | check | jobs | ..."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import re
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from vmcnet.arguments import closest_hint
from vmcnet.statistics.blocking import METHODS
from vmcnet.version import VERSION

EXAMPLES = {
    "run": (
        "run job.toml",
        "run job.toml --set optimizer.learning_rate=0.01 --output runs/slow.h5",
        "run job.toml --continue        # go on where it stands, or start",
    ),
    "resume": ("resume runs/dot.h5", "resume runs/dot.h5 --set training.iterations=800"),
    "evaluate": (
        "evaluate runs/dot.h5 --steps 5000",
        "evaluate runs/dot.h5 --steps 100000 --target-error 1e-5",
        "evaluate dot-of-a-colleague.h5 --output runs/again.h5",
    ),
    "limits": ("limits runs/dot.h5",),
    "report": (
        "report runs/dot.h5",
        "report runs/*.h5 --table",
        "report runs/dot.h5 --html dot.html",
        "report runs/*.h5 --csv > runs.csv",
    ),
    "sweep": (
        "sweep job.toml optimizer.learning_rate 0.005 0.01 0.02",
        "sweep job.toml system.omega 0.1 0.5 1.0 --array omega.sbatch   # then sbatch omega.sbatch",
    ),
    "watch": ("watch runs/dot.h5",),
    "check": ("check job.toml",),
    "jobs": ("jobs", "jobs quantum_dot_2"),
    "completion": ("completion bash > ~/.local/share/bash-completion/completions/vmcnet",),
    "info": ("info",),
}


class Parser(argparse.ArgumentParser):
    """A mistake is one line."""

    def parse_known_args(self, args=None, namespace=None):
        """What a command does not know is refused in its own name."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str):
        choice = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
        option = re.search(r"unrecognized arguments: (--[^ =]+)", message)
        hint = ""
        if choice:
            hint = closest_hint(choice[1], (name.strip("' ") for name in choice[2].split(",")))
        elif option:
            own = [o for a in self._actions for o in a.option_strings if o.startswith("--")]
            hint = closest_hint(option[1], own)
        hint = hint or f"; {self.prog} --help says more"
        self.exit(2, f"vmcnet: {message}{hint}\n")


def parser() -> argparse.ArgumentParser:
    main = Parser(
        prog="vmcnet",
        description=(
            "Variational Monte Carlo with trainable wavefunctions, on any number of MPI ranks."
        ),
    )
    main.add_argument("--version", action="version", version=f"vmcnet {VERSION}")
    commands = main.add_subparsers(dest="command", required=True, metavar="command")

    def add(name, text):
        return commands.add_parser(
            name,
            help=text,
            description=text,
            epilog="for example:\n" + "\n".join(f"  vmcnet {line}" for line in EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    run = add("run", "train and evaluate as a job file says")
    run.add_argument("job", type=Path, help="job file (TOML)")
    run.add_argument("--output", help="run file; default runs/NAME.h5 with the job's name")
    run.add_argument("--overwrite", action="store_true", help="replace a run file of vmcnet")
    run.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="resume the run file if it is there, else start",
    )
    resume = add("resume", "go on where the last checkpoint stands, on any number of ranks")
    resume.add_argument(
        "--previous", action="store_true", help="start from the checkpoint before the last"
    )
    evaluate = add("evaluate", "parameters frozen: long chains and errors")
    for name, text in (
        ("steps", "measurements"),
        ("interval", "Metropolis steps between measurements"),
        ("warmup", "equilibration, in measurements"),
    ):
        evaluate.add_argument(f"--{name}", type=int, help=f"{text}; default from the job")
    evaluate.add_argument(
        "--output",
        metavar="NEW",
        help="write another file, of these parameters with fresh walkers: needs no checkpoint",
    )
    evaluate.add_argument(
        "--target-error",
        type=float,
        metavar="ERROR",
        help="end where the error of the total energy is at most this; steps is the limit then",
    )
    evaluate.add_argument(
        "--observable",
        action="append",
        default=[],
        metavar="NAME[, KEY=VALUE ...]",
        help="measure this too, for example 'density, bins=40'; may be given several times",
    )
    limits = add("limits", "which additions to a run's wavefunction would lower its energy")
    limits.add_argument("--snapshots", type=int, default=8, help="sets of walkers; default 8")
    limits.add_argument(
        "--interval", type=int, default=25, help="Metropolis steps between them; default 25"
    )
    limits.add_argument(
        "--candidate",
        action="append",
        default=[],
        metavar="NAME",
        help="look at this one only, for example 'wider network'; may be given several times",
    )
    report = add("report", "the table of energies of run files")
    report.add_argument("file", type=Path, nargs="+", help="run file")
    report.add_argument(
        "--twists",
        action="store_true",
        help="the average over the twists of one job, of the run files of all; --json, --html too",
    )
    report.add_argument(
        "--blocking",
        choices=METHODS,
        default="pyblock",
        help="criterion of the blocking error; default pyblock",
    )
    report.add_argument(
        "--finite-size",
        action="store_true",
        help="corrections to an electron gas in a finite box, from S(k); with --json too",
    )
    report.add_argument(
        "--table",
        action="store_true",
        help="one line a run, the keys that differ beside or below",
    )
    report.add_argument("--json", action="store_true", help="all numbers as JSON")
    report.add_argument(
        "--csv",
        action="store_true",
        help="one line a run, as CSV, full digits, energies of all particles together",
    )
    report.add_argument(
        "--html", type=Path, metavar="PAGE", help="write one page that needs nothing else"
    )
    report.add_argument(
        "--plot", type=Path, metavar="FOLDER", help="write every figure as PNG and SVG"
    )
    for command in (resume, evaluate, limits):
        command.add_argument("file", type=Path, help="run file")
    sweep = add(
        "sweep", "run a job for several values of one key, one after the other or as a SLURM array"
    )
    sweep.add_argument("job", type=Path, help="job file (TOML)")
    sweep.add_argument("key", help="key of the job, as system.omega")
    sweep.add_argument("values", nargs="+", help="its values")
    sweep.add_argument(
        "--folder", type=Path, default=Path("runs"), help="of the run files; default runs"
    )
    sweep.add_argument(
        "--array",
        type=Path,
        metavar="SCRIPT",
        help="run nothing: write a SLURM array of these runs, a task each, to be submitted",
    )
    for command in (run, resume, evaluate, sweep):
        command.add_argument("--quiet", action="store_true", help="no progress, results alone")
    watch = add("watch", "show a run while it goes on, from its file")
    watch.add_argument("file", type=Path, help="run file")
    watch.add_argument("--interval", type=float, default=2.0, help="seconds; default 2")
    watch.add_argument("--once", action="store_true", help="show it once")
    check = add(
        "check", "validate a job file, print its sizes, memory and cost; runs a single block"
    )
    check.add_argument("job", type=Path, nargs="?", help="job file (TOML)")
    check.add_argument(
        "--reference",
        action="store_true",
        help="print the reference of all keys as Markdown instead",
    )
    for command in (run, resume, check, sweep):
        command.add_argument(
            "--set",
            dest="settings",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="override a key of the job",
        )
    jobs = add("jobs", "list the job files that come with vmcnet, or copy one")
    jobs.add_argument("name", nargs="?", help="copy this one")
    jobs.add_argument(
        "folder", type=Path, nargs="?", default=Path("."), help="where to; default: here"
    )
    completion = add("completion", "print the completion of this command line for a shell")
    completion.add_argument("shell", choices=("bash", "zsh"))
    add("info", "MPI, GPU, BLAS threads, HDF5, versions: what to paste into a bug report")
    return main


def main(arguments=None) -> None:
    """The command line; exits with its status. A run goes on whoever listens to it."""
    listened = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Unheard(sys.stdout), Unheard(sys.stderr, needed=False)
    try:
        known = parser()
        options = known.parse_args(arguments)
        options.parser = known
        _threads()
        _main(options, alone=arguments is None)
    finally:
        sys.stdout, sys.stderr = listened


def _compiles() -> None:
    from vmcnet.config import JobError

    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise JobError("NUMBA_DISABLE_JIT is set: vmcnet needs compiled kernels: unset it")


def _threads() -> None:
    """Leave with one line where numba would end in a traceback when it is imported."""
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not (threads.isdecimal() and int(threads)):
        text = f"NUMBA_NUM_THREADS is {threads!r:.60}: expected a number above 0: unset it"
        print(f"vmcnet: {text}", file=sys.stderr, flush=True)
        sys.exit(2)


class Unheard:
    """A standard stream that may be closed, break or know few letters: what cannot be written is
    left out, and the work goes on.
    """

    def __init__(self, stream, needed=True):
        self._needed = needed  # what cannot be written to a full disk is an error
        self._stream = stream if stream is not None else open(os.devnull, "w")  # noqa: SIM115
        if hasattr(self._stream, "reconfigure"):  # a caller's stream need not have it
            self._stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """Nobody reads any more, a pipe or a terminal: what follows goes nowhere."""
        if self._needed and error.errno not in (errno.EPIPE, errno.EIO):
            raise error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name):
        return getattr(self._stream, name)  # all else that a stream has


@contextmanager
def _no_garbage(alone: bool):
    """Imports make none. A process that runs this command alone does not look for it meanwhile, nor
    later among what they made: a tenth of a start.
    """
    if alone:
        gc.disable()
    yield
    if alone:
        gc.freeze()
        gc.enable()


def _main(options, alone: bool) -> None:
    comm = None
    try:
        with _no_garbage(alone):
            from threadpoolctl import threadpool_limits

            from vmcnet import commands, kernels
            from vmcnet.parallel.communicators import connect
            from vmcnet.runs.agreement import agree

        try:
            kernels.route()
        except ValueError as error:
            raise commands.JobError(str(error)) from None
        if options.command not in ("report", "jobs"):
            _compiles()
        if options.command in ("run", "resume", "evaluate", "limits", "sweep"):
            comm = connect()
            agree(comm, options)
        with threadpool_limits(1):  # small matrices; a run's own work has run.threads
            code = vars(commands)[options.command](options, comm)
    except BaseException as error:
        code = _failure(error, comm)
        if comm is not None and comm.size > 1:
            sys.stdout.flush()
            time.sleep(0.5)  # launchers drop what they have not yet read of a process that aborts
            comm.abort(code)
    sys.stdout.flush()
    sys.exit(code)


def _failure(error: BaseException, comm) -> int:
    """Print what happened; the exit status. A user's mistake is one line, said by rank 0 alone."""
    from vmcnet.config import JobError
    from vmcnet.engine.nonfinite import NonFiniteError
    from vmcnet.engine.observing import ObservableError
    from vmcnet.engine.population import RanksDisagree
    from vmcnet.engine.trend import DivergedError
    from vmcnet.optimizers.natural_gradient import SingularMetric
    from vmcnet.parallel.communicators import LaunchError
    from vmcnet.runs.blame import blamed, called_by
    from vmcnet.storage.atomic import FileProblem

    rank = comm.rank if comm is not None else 0
    known = JobError, FileProblem, NonFiniteError, ObservableError
    own = None if isinstance(error, known) else blamed(error)
    error = error if own is None else JobError(own)
    if isinstance(
        error,
        JobError
        | FileProblem
        | LaunchError
        | NonFiniteError
        | ObservableError
        | DivergedError
        | SingularMetric
        | RanksDisagree,
    ):
        if rank:
            # rank 0 has the same error; it ends this rank too when its files are closed
            time.sleep(12.0)
        print(f"vmcnet: {error}", file=sys.stderr, flush=True)
        numbers = NonFiniteError | DivergedError | SingularMetric | RanksDisagree
        return 1 if isinstance(error, numbers) else 2
    if isinstance(error, KeyboardInterrupt):
        print(
            "vmcnet: interrupted; vmcnet resume goes on from the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        return 130
    if isinstance(error, MemoryError):
        print(
            f"vmcnet: out of memory ({error or 'no more to be had'}): fewer sampling.walkers, "
            "smaller sampling.block, or more ranks",
            file=sys.stderr,
            flush=True,
        )
        return 2
    if isinstance(error, OSError):  # standard output on a full disk, for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print(
            f"vmcnet: {error}; if a run was under way, vmcnet resume goes on from its last "
            "checkpoint",
            file=sys.stderr,
            flush=True,
        )
        return 2
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    text = "".join(traceback.format_exception(error))
    lines = [*text.rstrip().splitlines(), *called_by(error)]
    print(
        "\n".join(f"[rank {rank}] {line}" for line in lines),
        file=sys.stderr,
        flush=True,
    )
    return 1
