"""From a validated job to the objects that do the work."""

from __future__ import annotations

from importlib import import_module

from vmcnet.config import Job, JobError
from vmcnet.config.table import Table
from vmcnet.wavefunctions import Product


SAMPLERS = {
    "gaussian": "vmcnet.sampling.gaussian:Gaussian",
    "one_particle": "vmcnet.sampling.one_particle:OneParticle",
    "langevin": "vmcnet.sampling.langevin:Langevin",
}


def _load(path: str):
    module, name = path.split(":")
    return getattr(import_module(module), name)


def _make(table, key, *first):
    """The object of a table; a table inside it becomes an object first."""
    arguments = {name: getattr(table, name) for name in type(table).model_fields if name != "type"}
    arguments = {name: _make(value, f"{key}.{name}") if isinstance(value, Table) else value for name, value in arguments.items()}
    try:
        return _load(table.builds)(*first, **arguments)
    except ValueError as error:
        raise JobError(f"{key}: {error}") from error


def build(job: Job):
    """system, wavefunction, optimizer and sampler of a job; raises JobError where the parts do not fit."""
    system = _make(job.system, "system")
    factors = [_make(table, f"wavefunction.{k}", system) for k, table in enumerate(job.wavefunction)]
    wavefunction = factors[0] if len(factors) == 1 else Product(factors)
    if not wavefunction.decays:
        raise JobError("wavefunction: no factor decays at large distance, psi is not normalisable: add a gaussian_envelope or another factor that decays")
    return system, wavefunction, _make(job.optimizer, "optimizer"), _load(SAMPLERS[job.sampling.proposal])()
