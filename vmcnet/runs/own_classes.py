"""Classes of a user that a job names: found, made, and compared when a run goes on."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import sys
import traceback
from importlib import import_module
from pathlib import Path

from vmcnet.arguments import shown
from vmcnet.backend.stream import Stream
from vmcnet.config import Job, JobError
from vmcnet.config.user import UserTable, user_tables
from vmcnet.sampling.sampler import Counts
from vmcnet.storage.atomic import FileProblem
from vmcnet.walkers import Walkers

LOADED: dict[str, object] = {}  # module by file: a job's module is executed once a process


def _module(table: UserTable, key: str):
    """The module, from the file beside the job or from where Python looks; JobError without one."""
    if table.file is None:
        try:
            return import_module(table.module)
        except (Exception, SystemExit) as error:
            raise JobError(
                f"{key}.type: the module {table.module!r} cannot be imported ({error}): put "
                f"{table.module}.py beside the job file, or install it"
            ) from error
    if table.file not in LOADED:
        path = Path(table.file)
        if not path.is_file():
            raise JobError(
                f"{key}.type: {path} is not there any more: put the module back, or start a new run"
            )
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # for what it imports from beside it
        spec = importlib.util.spec_from_file_location(table.module, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[table.module] = module  # before it runs, as dataclasses and pickles want
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(table.module, None)
            raise JobError(
                f"{key}.type: {path} fails when it is imported ({type(error).__name__}: {error})"
            ) from error
        LOADED[table.file] = module
    return LOADED[table.file]


def takes_system(cls) -> bool:
    """Whether the first argument of a class is called `system`."""
    return next(iter(inspect.signature(cls).parameters), None) == "system"


def made(table: UserTable, key: str, *first, system=None):
    """The object of a user's class, made with `first` and its arguments, and before these with the
    system, where one is given and the class takes it. JobError names what is missing or does not
    fit.
    """
    module, name = _module(table, key), table.source.partition(":")[2]
    cls = vars(module).get(name)
    if not inspect.isclass(cls):
        own = [v for v in vars(module).values() if inspect.isclass(v)]
        known = sorted(v.__name__ for v in own if v.__module__ == module.__name__)
        raise JobError(
            f"{key}.type: {table.module} has no class {name!r}; it has {', '.join(known) or 'none'}"
        )
    first = (system,) if system is not None and takes_system(cls) else first
    signature = inspect.signature(cls)
    try:
        signature.bind(*first, **table.arguments)
    except TypeError as error:
        shown = ", ".join(list(signature.parameters)[len(first) :]) or "none"
        raise JobError(f"{key}: {name}: {error}; its keys are {shown}") from error
    try:
        return cls(*first, **table.arguments)
    except (ValueError, TypeError) as error:
        raise JobError(f"{key}: {name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise JobError(f"{key}: {name} fails ({type(error).__name__}: {error})") from error


def try_sampler(sampler, system, wavefunction, step: float) -> None:
    """JobError where one step of two walkers fails, or gives no walkers and counts."""
    stream = Stream(0, 0, 0, 0)
    psi = wavefunction.bind(wavefunction.start(stream))
    walkers = psi.renew(system.start(stream, 2), sampler.move)
    try:
        found = sampler.sample(walkers, psi, step, 1, stream)
    except Exception as error:
        said = blamed(error) or f"{type(sampler).__name__}: {error}"
        raise JobError(f"sampling.proposal: {said}") from error
    kinds = tuple(map(type, found)) if isinstance(found, tuple) else type(found)
    if kinds != (Walkers, Counts) or found[0].r.shape != walkers.r.shape:
        raise JobError(
            f"sampling.proposal: sample of {type(sampler).__name__} returns {shown(kinds)}; "
            "expected as many walkers as it was given, and Counts"
        )


def blamed(error: BaseException) -> str | None:
    """Where in a class beside the job an error was raised, and which: file, line and function;
    None for an error from elsewhere.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in LOADED]
    if not frames or not isinstance(error, Exception):
        return None
    last = frames[-1]
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{last.filename}, line {last.lineno}, in {last.name}: {said}"


def sources(job: Job) -> str:
    """module -> SHA-256 of its file, as JSON; "" for a job of the program's own classes."""
    found = {}
    for table in user_tables(job):
        path = Path(table.file) if table.file else Path(_module(table, table.module).__file__)
        found[table.module] = hashlib.sha256(path.read_bytes()).hexdigest()
    return json.dumps(found) if found else ""


def compare_sources(file, job: Job) -> None:
    """FileProblem where a module is not what it was when the run of a RunFile began."""
    before = json.loads(file.attributes.get("sources") or "{}")
    now = json.loads(sources(job) or "{}")
    for module, digest in now.items():
        if before.get(module, digest) != digest:
            raise FileProblem(
                f"{file.path}: {module}.py is not what it was when this run began (its SHA-256 "
                "differs): restore it, or start a new run"
            )
