"""From a validated job to the objects that do the work."""

from __future__ import annotations

from importlib import import_module

from vmcnet.config import Job, JobError
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM, Product


SAMPLERS = {"gaussian": "vmcnet.sampling.gaussian:Gaussian"}


def _load(path: str):
    module, name = path.split(":")
    return getattr(import_module(module), name)


def _make(table, key, *first):
    try:
        return _load(table.builds)(*first, **table.model_dump(exclude={"type"}))
    except ValueError as error:
        raise JobError(f"{key}: {error}") from error


def build(job: Job):
    """system, wavefunction, optimizer and sampler of a job; raises JobError where the parts do not fit."""
    system = _make(job.system, "system")
    factors = [_make(table, f"wavefunction.{k}", system) for k, table in enumerate(job.wavefunction)]
    if not any(isinstance(f, GaussianRBM | GaussianEnvelope) for f in factors):
        raise JobError("wavefunction: no factor decays at large distance, psi is not normalisable: add a gaussian_rbm or a gaussian_envelope")
    wavefunction = factors[0] if len(factors) == 1 else Product(factors)
    return system, wavefunction, _make(job.optimizer, "optimizer"), _load(SAMPLERS[job.sampling.proposal])()
