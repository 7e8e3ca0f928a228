"""From a validated job to the objects that do the work."""

from __future__ import annotations

from importlib import import_module

from vmcnet.backend.device import choose
from vmcnet.config import Job, JobError
from vmcnet.config.sampling import MOVES_SPINS
from vmcnet.config.table import Table
from vmcnet.observables.base import joined
from vmcnet.wavefunctions import Product

SAMPLERS = {
    "gaussian": "vmcnet.sampling.gaussian:Gaussian",
    "one_particle": "vmcnet.sampling.one_particle:OneParticle",
    "langevin": "vmcnet.sampling.langevin:Langevin",
}
SPIN_SAMPLERS = {
    "spin_flip": "vmcnet.sampling.spins:SpinFlip",
    "exchange": "vmcnet.sampling.spins:Exchange",
    "gibbs": "vmcnet.sampling.gibbs:Gibbs",
    "thermal": "vmcnet.sampling.thermal:Thermal",
}


def _load(path: str):
    module, name = path.split(":")
    return vars(import_module(module))[name]


def _make(table, key, *first):
    """The object of a table; a table inside it becomes an object first."""
    arguments = {name: value for name, value in table if name != "type"}
    arguments = {
        name: _make(value, f"{key}.{name}") if isinstance(value, Table) else value
        for name, value in arguments.items()
    }
    try:
        return _load(table.builds)(*first, **arguments)
    except ValueError as error:
        raise JobError(f"{key}: {error}") from error


def build(job: Job):
    """system, wavefunction, optimizer, natural gradient (or None) and sampler of a job; raises
    JobError where the parts do not fit.
    """
    system = _make(job.system, "system")
    _fit(job, system)
    if job.data and (job.natural_gradient or job.training.clip is not None):
        raise JobError(
            "data: maximum likelihood has no local energies, leave out natural_gradient and "
            "training.clip"
        )
    factors = [
        _make(table, f"wavefunction.{k}", system) for k, table in enumerate(job.wavefunction)
    ]
    wavefunction = factors[0] if len(factors) == 1 else Product(factors)
    if wavefunction.core < system.core:
        raise JobError(
            "wavefunction: no factor is 0 inside the hard cores (system.diameter = "
            f"{system.core}): add a hard_core_jastrow"
        )
    try:
        wavefunction.check_box(system.box)
    except ValueError as error:
        raise JobError(f"wavefunction: {error}") from error
    if system.dimensions and system.box is None and not wavefunction.decays:
        raise JobError(
            "wavefunction: no factor decays at large distance, psi is not normalisable: add a "
            "gaussian_envelope or another factor that decays"
        )
    observables_of(job.observable, system)
    natural = _make(job.natural_gradient, "natural_gradient") if job.natural_gradient else None
    return (
        system,
        wavefunction,
        _make(job.optimizer, "optimizer"),
        natural,
        _sampler(job.sampling, system, wavefunction),
    )


def _fit(job, system):
    """Refuse a proposal or a factor that moves or reads coordinates where the system has none, and
    the reverse.
    """
    kind, proposal = system.moves, job.sampling.proposal
    names = {"coordinates": list(SAMPLERS), "spins": list(SPIN_SAMPLERS), "colours": ["thermal"]}
    if proposal not in names[kind]:
        moved, names = next(k for k in names if proposal in names[k]), ", ".join(names[kind])
        raise JobError(
            f"sampling.proposal: {job.sampling.proposal} moves {moved}, and what moves in "
            f"{job.system.type} are {kind}: use one of {names}"
        )
    for k, table in enumerate(job.wavefunction):
        reads = _load(table.builds).reads
        if kind not in ([reads] if isinstance(reads, str) else reads):
            raise JobError(
                f"wavefunction.{k}: {table.type} is a function of "
                f"{reads if isinstance(reads, str) else ' or '.join(reads)}, and what moves in "
                f"{job.system.type} are {kind}"
            )


def _sampler(table, system, wavefunction):
    if table.proposal in SAMPLERS:
        return _load(SAMPLERS[table.proposal])()
    options = {k: v for k in ("scan", "acceptance") if (v := dict(table)[k]) is not None}
    try:
        sampler = _load(SPIN_SAMPLERS[table.proposal])(system, **options)
        sampler.check(wavefunction)
        return sampler
    except ValueError as error:
        raise JobError(f"sampling.proposal: {error}") from error


def observables_of(tables, system) -> list:
    """The objects of [[observable]] tables; raises JobError where one does not fit the system."""
    found = [_make(table, f"observable {table.type}", system) for table in tables]
    try:
        return joined((), found)
    except ValueError as error:
        raise JobError(str(error)) from error


def device_of(job: Job, system, local_rank: int = 0):
    """The device of a rank; raises JobError where the job asks for one that is not there, or that
    has no kernels for its spins.
    """
    kind = job.run.device
    if not system.dimensions:
        if job.run.precision != "float64":
            raise JobError(
                f"run.precision: the kernels of {job.system.type} are of float64: use float64"
            )
        machines = all(
            table.type == "binary_rbm" and table.weights == "real" for table in job.wavefunction
        )
        if kind == "gpu" and not (machines and job.sampling.proposal in MOVES_SPINS):
            raise JobError(
                "run.device: on a lattice a GPU serves real binary_rbm factors moved by "
                f"{' or '.join(MOVES_SPINS)}: use cpu"
            )
        kind = "cpu" if kind == "auto" else kind
    try:
        return choose(kind, job.run.precision, local_rank)
    except ValueError as error:
        raise JobError(f"run.device: {error}") from error
