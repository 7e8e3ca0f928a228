"""Classes of a user that a job names: found, made, and compared when a run goes on."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from vmcnet.arguments import shown
from vmcnet.backend.stream import Stream
from vmcnet.config import Job, JobError
from vmcnet.config.user import UserTable, user_tables
from vmcnet.observables import Observable
from vmcnet.optimizers import NaturalGradient, Optimizer
from vmcnet.runs.blame import blamed, fails_in, on_purpose, said, used
from vmcnet.sampling.sampler import Counts
from vmcnet.storage.atomic import FileProblem, json_object
from vmcnet.systems.base import System
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import Wavefunction

KINDS = {  # of the tables that may name classes
    "system": System,
    "wavefunction": Wavefunction,
    "optimizer": Optimizer,
    "natural_gradient": NaturalGradient,
    "observable": Observable,
    "sampling": object,  # what it does is tried, see try_sampler
}
LOADED: dict[str, object] = {}  # module by file: a job's module is executed once a process


def _module(table: UserTable, key: str):
    """The module, from the file beside the job or from where Python looks; JobError without one."""
    found = _found(table, key) if table.file is None else _beside(table, key)
    used(found, table.file)
    return found


def _found(table: UserTable, key: str) -> ModuleType:
    try:
        return import_module(table.module)
    except (Exception, SystemExit) as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name is not None
        if absent and f"{table.module}.".startswith(f"{error.name}."):
            raise JobError(
                f"{key}.type: the module {table.module!r} cannot be imported ({error}): put "
                f"{table.module}.py beside the job file, or install it"
            ) from error
        top = importlib.util.find_spec(table.module.partition(".")[0])
        roots = top.submodule_search_locations or [top.origin]
        raise JobError(f"{key}.type: {_import_fails(table.module, roots, error)}") from error


def _beside(table: UserTable, key: str) -> ModuleType:
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
            text = _import_fails(table.file, [table.file], error)
            raise JobError(f"{key}.type: {text}") from error
        LOADED[table.file] = module
    return LOADED[table.file]


def _import_fails(module: str, roots: Iterable[str], error: BaseException) -> str:
    """That a module, whose files or folders are `roots`, fails when it is imported, and where."""
    return f"{module} fails when it is imported: {fails_in(roots, error) or said(error)}"


def takes_system(cls) -> bool:
    """Whether the first argument of a class is called `system`."""
    return next(iter(inspect.signature(cls).parameters), None) == "system"


def made(table: UserTable, key: str, *first, system=None):
    """The object of a user's class, made with `first` and its arguments, and before these with the
    system, where one is given and the class takes it. JobError names what is missing or does not
    fit.
    """
    kind = KINDS[re.split("[. ]", key)[0]]
    module, name = _module(table, key), table.source.partition(":")[2]
    cls = vars(module).get(name)
    if not inspect.isclass(cls):
        own = [v for v in vars(module).values() if inspect.isclass(v)]
        known = sorted(v.__name__ for v in own if v.__module__ == module.__name__)
        raise JobError(
            f"{key}.type: {table.module} has no class {name!r}; it has {', '.join(known) or 'none'}"
        )
    try:
        signature = inspect.signature(cls)
    except ValueError as error:  # a class that is not written in Python
        raise JobError(f"{key}.type: {table.source} is no class of this kind") from error
    first = (system,) if system is not None and takes_system(cls) else first
    if not signature.parameters:  # a class that needs nothing, as an observable may be
        first = ()
    try:
        signature.bind(*first, **table.arguments)
    except TypeError as error:
        shown = ", ".join(list(signature.parameters)[len(first) :]) or "none"
        raise JobError(f"{key}: {name}: {error}; its keys are {shown}") from error
    try:
        made = cls(*first, **table.arguments)
    except (Exception, SystemExit) as error:
        if isinstance(error, ValueError | TypeError) and on_purpose(error):
            raise JobError(f"{key}: {name}: {error}") from error
        text = blamed(error)
        if text is None and error.__traceback__.tb_next is not None:
            raise  # in the program's own code
        raise JobError(f"{key}: {text or f'{name}: {error}'}") from error
    if not isinstance(made, kind):
        raise JobError(
            f"{key}.type: {table.source} is no subclass of {kind.__module__}.{kind.__name__}"
        )
    return made


def try_sampler(sampler, system, wavefunction, step: float) -> None:
    """JobError where one step of two walkers fails, or gives no walkers and counts."""
    stream = Stream(0, 0, 0, 0)
    psi = wavefunction.bind(wavefunction.start(stream))
    walkers = psi.renew(system.start(stream, 2), sampler.move)
    try:
        found = sampler.sample(walkers, psi, step, 1, stream)
    except Exception as error:
        text = blamed(error)
        if text is None:
            raise
        raise JobError(f"sampling.proposal: {text}") from error
    kinds = tuple(map(type, found)) if isinstance(found, tuple) else type(found)
    if kinds != (Walkers, Counts) or found[0].r.shape != walkers.r.shape:
        raise JobError(
            f"sampling.proposal: sample of {type(sampler).__name__} returns {shown(kinds)}; "
            "expected as many walkers as it was given, and Counts"
        )


def sources(job: Job) -> str:
    """module -> SHA-256 of its file, as JSON; "" for a job of the program's own classes."""
    found = {}
    for table in user_tables(job):
        path = Path(table.file or _module(table, table.module).__file__)
        found[table.module] = hashlib.sha256(path.read_bytes()).hexdigest()
    return json.dumps(found) if found else ""


def compare_sources(file, job: Job) -> None:
    """FileProblem where a module is not what it was when the run of a RunFile began."""
    before = json_object(file.path, file.attributes, "sources")
    now = json.loads(sources(job) or "{}")
    for module, digest in now.items():
        if before.get(module, digest) != digest:
            raise FileProblem(
                f"{file.path}: {module}.py is not what it was when this run began (its SHA-256 "
                "differs): restore it, or start a new run"
            )
