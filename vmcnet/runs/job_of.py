"""The job of objects made in Python: what `vmc.train(output=...)` writes into its run file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from vmcnet.arguments import shown
from vmcnet.backend.stream import Stream
from vmcnet.config import Job, JobError, parse_job
from vmcnet.config.explain import variants
from vmcnet.config.sampling import MOVES_SPINS
from vmcnet.config.table import Table
from vmcnet.engine.own_parts import factors_of
from vmcnet.estimators.energy import local_energies
from vmcnet.optimizers.base import started
from vmcnet.runs.building import build
from vmcnet.runs.own_classes import LOADED, takes_system
from vmcnet.sampling.defaults import SAMPLERS, usual

USUAL = {"scan": "random", "acceptance": "metropolis"}
ELSEWHERE = "train without output=, or make a class of your own that needs no such argument"


def job_of(
    path: Path,
    system: Any,
    wavefunction: Any,
    optimizer: Any,
    natural_gradient: Any,
    sampler: Any,
    tables: dict[str, dict],
    settings: Mapping[str, Any],
) -> Job:
    """The job that makes these objects again, with the further keys of `tables` and, by dotted
    names, `settings`.

    Raises JobError, in one line, for what no job can name: an object that was changed after it was
    made, a function among its arguments, a class that lies in no module of its own.
    """
    kinds = Job.model_fields
    data: dict[str, Any] = {
        "name": re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)[:100].lstrip("_.-") or "run",
        **tables,
        "system": table_of(system, "system", kinds["system"]),
        "wavefunction": [
            table_of(factor, f"wavefunction.{k}", kinds["wavefunction"], system)
            for k, factor in enumerate(factors_of(wavefunction))
        ],
        "optimizer": table_of(optimizer, "optimizer", kinds["optimizer"]),
    }
    if natural_gradient is not None:
        data["natural_gradient"] = table_of(
            natural_gradient, "natural_gradient", kinds["natural_gradient"]
        )
    sampling = _sampling(sampler, usual(system, wavefunction), system)
    data["sampling"] = {**data["sampling"], **sampling}
    job = changed(data, settings, f"output = {path}")
    _compare(job, system, wavefunction, optimizer, natural_gradient, sampler)
    return job


def changed(data: dict[str, Any], settings: Mapping[str, Any], source: str) -> Job:
    """The job of `data` with changed keys, by dotted names; raises JobError that names `source`."""
    for key, value in settings.items():
        _set(data, key, value)
    return parse_job(tomli_w.dumps(_without_none(data)), (), source)


def table_of(made: Any, key: str, field: Any, *first: Any) -> dict[str, Any]:
    """The table of a job that makes this object; `field` of the Job says which there are."""
    cls, arguments = type(made), _arguments(made, key, *first)
    for name, model in variants(field.annotation).items():
        if model.builds and _class(model.builds) is cls:
            return {"type": name, **_keys(arguments, model, key, cls)}
    return _own(cls, arguments, key)


def _class(builds: str) -> Any:
    module, name = builds.split(":")
    return getattr(import_module(module), name)  # the class that a table names


def _arguments(made: Any, key: str, *first: Any) -> dict[str, Any]:
    """What an object was made with, by name, its system left out."""
    cls = type(made)
    # only objects of classes that derive from Recording tell it
    given: tuple[tuple, dict] = getattr(made, "made_with", ((), {}))
    if not hasattr(made, "made_with") and cls.__init__ is not object.__init__:  # a dataclass, say
        raise JobError(f"{key}: {cls.__name__} does not tell what it was made with: {ELSEWHERE}")
    signature = inspect.signature(cls)
    bound = signature.bind(*given[0], **given[1])
    arguments = dict(bound.arguments)
    if first:
        arguments.pop(next(iter(signature.parameters)), None)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL and arguments.pop(name, None):
            raise JobError(f"{key}: {cls.__name__} takes *{name}, which no job can name")
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name, {})
    return arguments


def _keys(arguments: dict, model: type[Table], key: str, cls: type) -> dict[str, Any]:
    """Arguments as keys of a table; those that say the default are left out."""
    found = {}
    defaults = inspect.signature(cls).parameters
    for name, value in arguments.items():
        if value is None or value is defaults[name].default:
            continue
        field = model.model_fields.get(name)
        if field is None:
            raise JobError(
                f"{key}: {cls.__name__} was made with {name} = {shown(value)}, which a run file "
                f"cannot hold: {ELSEWHERE}"
            )
        inner = variants(field.annotation)
        if inner and hasattr(value, "made_with"):  # an object, as a network, not a plain value
            found[name] = table_of(value, f"{key}.{name}", field)
        else:
            found[name] = _plain(value, f"{key}.{name}")
    return found


def _plain(value: Any, key: str) -> Any:
    """A value as TOML knows it; JobError for what it does not know."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(x, key) for x in value]
    if isinstance(value, dict):
        return {str(k): _plain(x, key) for k, x in value.items() if x is not None}
    if isinstance(value, bool | int | float | str):
        return value
    raise JobError(f"{key} = {shown(value)}: no value that a run file can hold: {ELSEWHERE}")


def _own(cls: type, arguments: dict, key: str) -> dict[str, Any]:
    """The table of a user's class; its module must be there when the run goes on."""
    module = cls.__module__
    where = inspect.getsourcefile(cls) if module != "__main__" else None
    if where is None or "." in cls.__qualname__:
        raise JobError(
            f"{key}: {cls.__name__} is defined in "
            f"{'a function or class' if '.' in cls.__qualname__ else 'the program that runs'}; a "
            "run file names classes as module:Class, so that vmcnet resume finds them: move it to "
            "a file of its own, beside your program, and import it from there"
        )
    if module.split(".")[0] == "vmcnet":
        raise JobError(f"{key}: {cls.__name__} has no name in job files: {ELSEWHERE}")
    found = {"type": "user", "source": f"{module}:{cls.__name__}"}
    if "." not in module:
        found["file"] = str(Path(where).resolve())
        LOADED.setdefault(found["file"], import_module(module))
    given = {k: _plain(v, f"{key}.{k}") for k, v in arguments.items() if v is not None}
    return {**found, "arguments": given}


def _sampling(sampler: Any, usual_name: str, system: Any) -> dict[str, Any]:
    """Keys of [sampling] that make a sampler; the usual ones are left out."""
    cls = type(sampler)
    for name, path in SAMPLERS.items():
        if _class(path) is cls:
            # samplers of spins keep their options under the names of the keys
            options = {k: getattr(sampler, k) for k in USUAL if name in MOVES_SPINS}
            found = {k: v for k, v in options.items() if v != USUAL[k]}
            return found if name == usual_name else {"proposal": name, **found}
    first = (system,) if takes_system(cls) else ()
    return {"proposal": _own(cls, _arguments(sampler, "sampler", *first), "sampler")}


def _set(data: dict, key: str, value: Any) -> None:
    """A key of `data` by its dotted name, such as run.checkpoint_every."""
    node: Any = data
    *path, last = str(key).split(".")
    for part in path:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise JobError(f"settings: {key}: {part} is no table of single keys")
    node[last] = _plain(value, f"settings: {key}")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def _numbers(made: Any) -> dict[str, Any]:
    """The plain values of an object, and of the samplers inside it."""
    found = {} if made is None else vars(made)
    plain = {k: v for k, v in found.items() if isinstance(v, bool | int | float | str)}
    # samplers are told by their method: the Protocol cannot be asked at run time
    inner = {k: (type(v), _numbers(v)) for k, v in found.items() if hasattr(v, "sample")}
    return plain | inner


def _compare(job: Job, *given: Any) -> None:
    """JobError unless what the job makes does the same as what was given: local energies of two
    walkers at the starting parameters, and the optimizer's first steps.
    """
    system, wavefunction, optimizer, natural, sampler = given
    again = build(job)

    def seen(system: Any, wavefunction: Any) -> tuple:
        stream = Stream(job.seed, 0, 0, 0)
        theta, walkers = wavefunction.start(stream), system.start(stream, 2)
        psi = wavefunction.bind(theta)
        with np.errstate(all="ignore"):
            energies = local_energies(system.terms, psi.renew(walkers), psi)
        parts = [theta, energies.total, *energies.terms.values()]
        return [np.asarray(x).tobytes() for x in parts], list(wavefunction.layout.entries)

    def steps(optimizer: Any) -> list:
        direction, state, found = np.linspace(-1.0, 2.0, 5), started(optimizer, 5), []
        for k in (0, 1, 50):
            step, state = optimizer.step(direction, state, k, direction)
            found += [step.tobytes(), optimizer.rate(k)]
        return found

    different = {
        "system and wavefunction": seen(system, wavefunction) != seen(*again[:2]),
        "optimizer": steps(optimizer) != steps(again[2]),
        "sampler": _numbers(sampler) != _numbers(again[4]),
        "natural_gradient": _numbers(natural) != _numbers(again[3]),
    }
    for name, apart in different.items():
        if apart:
            raise JobError(
                f"{name}: changed after being made, or made for another system: what the classes "
                "were given makes something else; make it anew, with this system"
            )
