"""From a validated job to the objects that do the work."""

from __future__ import annotations

from importlib import import_module

from vmcnet.config import Job, JobError
from vmcnet.config.sampling import MOVES_SPINS
from vmcnet.config.table import Table
from vmcnet.config.user import UserTable
from vmcnet.engine.fitting import Misfit, device_for, fit, usable
from vmcnet.observables.base import joined
from vmcnet.runs.blame import blamed
from vmcnet.runs.own_classes import made, try_sampler
from vmcnet.sampling.defaults import MOVES, sampler, usual
from vmcnet.wavefunctions import Product

KEYS = {"system": "system", "wavefunction": "wavefunction", "sampler": "sampling.proposal"}


def _load(path: str):
    module, name = path.split(":")
    return vars(import_module(module))[name]


def _make(table, key, *first):
    """The object of a table; a table inside it becomes an object first."""
    if isinstance(table, UserTable):
        return made(table, key, *first)
    arguments = {name: value for name, value in table if name != "type"}
    arguments = {
        name: _make(value, f"{key}.{name}") if isinstance(value, Table) else value
        for name, value in arguments.items()
    }
    try:
        return _load(table.builds)(*first, **arguments)
    except ValueError as error:
        raise JobError(f"{key}: {error}") from error


def made_of(job: Job):
    """system, wavefunction, optimizer and natural gradient (or None) of a job, each as it is said;
    raises JobError for what is out of range, ValueError where they do not fit.
    """
    system = _make(job.system, "system")
    if job.data and (job.natural_gradient or job.training.clip is not None):
        raise JobError(
            "data: maximum likelihood has no local energies, leave out natural_gradient and "
            "training.clip"
        )
    factors = [
        _make(table, f"wavefunction.{k}", system) for k, table in enumerate(job.wavefunction)
    ]
    natural = _make(job.natural_gradient, "natural_gradient") if job.natural_gradient else None
    optimizer = _make(job.optimizer, "optimizer")
    for factor in factors:
        usable(system, factor)
    wavefunction = factors[0] if len(factors) == 1 else Product(factors)
    return system, wavefunction, optimizer, natural


def build(job: Job):
    """system, wavefunction, optimizer, natural gradient (or None) and sampler of a job; raises
    JobError where the parts do not fit.
    """
    try:
        system, wavefunction, optimizer, natural = made_of(job)
        sampler = fit(system, wavefunction, sampler_of(job.sampling, system, wavefunction))
    except Misfit as error:
        raise JobError(f"{KEYS[error.part]}: {error.text}") from error
    except JobError:  # of a proposal that names its key
        raise
    except ValueError as error:
        if blamed(error):  # a user's class: the place is said where errors are printed
            raise
        raise JobError(f"wavefunction: {error}") from error
    if isinstance(job.sampling.proposal, UserTable):
        try_sampler(sampler, system, wavefunction, job.sampling.step_size * system.length)
    observables_of(job.observable, system)
    return system, wavefunction, optimizer, natural, sampler


def sampler_of(table, system, wavefunction):
    if isinstance(table.proposal, UserTable):
        return made(table.proposal, KEYS["sampler"], system=system)
    name = table.proposal or usual(system, wavefunction)
    options = {k: v for k in ("scan", "acceptance") if (v := dict(table)[k]) is not None}
    if name not in MOVES[system.moves]:
        moved = next(k for k, names in MOVES.items() if name in names)
        raise Misfit(
            "sampler",
            f"{name} moves {moved}, and what moves in {type(system).__name__} are {system.moves}: "
            f"use one of {', '.join(MOVES[system.moves])}, or leave it out",
        )
    if options and name not in MOVES_SPINS:
        raise Misfit(
            "sampler",
            f"{' and '.join(options)} belong to {' and '.join(MOVES_SPINS)}, not to {name}",
        )
    try:
        return sampler(name, system, **options)
    except ValueError as error:
        raise Misfit("sampler", str(error)) from error


def observables_of(tables, system) -> list:
    """The objects of [[observable]] tables; raises JobError where one does not fit the system."""
    names = [table.source if isinstance(table, UserTable) else table.type for table in tables]
    found = [_make(t, f"observable {name}", system) for t, name in zip(tables, names, strict=True)]
    try:
        return joined((), found)
    except ValueError as error:
        raise JobError(str(error)) from error


def device_of(job: Job, system, wavefunction, sampler, local_rank: int = 0):
    """The device of a rank; raises JobError where the job asks for one that is not there, or that
    has no kernels for its spins.
    """
    run = job.run
    try:
        return device_for(system, wavefunction, sampler, run.device, run.precision, local_rank)
    except Misfit as error:
        raise JobError(f"run.{error}") from error
    except ValueError as error:
        raise JobError(f"run.device: {error}") from error
