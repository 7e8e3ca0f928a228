"""From a validated job to the objects that do the work."""

from __future__ import annotations

from vmcnet.config import Job, JobError
from vmcnet.optimizers import SGD, Adam
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.systems import QuantumDot, TrappedBosons
from vmcnet.wavefunctions import GaussianEnvelope, GaussianRBM, PadeJastrow, Product

SYSTEMS = {"quantum_dot": QuantumDot, "trapped_bosons": TrappedBosons}
WAVEFUNCTIONS = {"gaussian_rbm": GaussianRBM, "gaussian_envelope": GaussianEnvelope, "pade_jastrow": PadeJastrow}
OPTIMIZERS = {"sgd": SGD, "adam": Adam}
PROPOSALS = {"gaussian": Gaussian}


def _make(classes, table, key, *first):
    options = table.model_dump(exclude={"type"})
    try:
        return classes[table.type](*first, **options)
    except ValueError as error:
        raise JobError(f"{key}: {error}") from error


def build(job: Job):
    """system, wavefunction, optimizer and proposal of a job; raises JobError where the parts do not fit."""
    system = _make(SYSTEMS, job.system, "system")
    factors = [_make(WAVEFUNCTIONS, table, f"wavefunction.{k}", system) for k, table in enumerate(job.wavefunction)]
    if not any(isinstance(f, GaussianRBM | GaussianEnvelope) for f in factors):
        raise JobError("wavefunction: no factor decays at large distance, psi is not normalisable: add a gaussian_rbm or a gaussian_envelope")
    wavefunction = factors[0] if len(factors) == 1 else Product(factors)
    return system, wavefunction, _make(OPTIMIZERS, job.optimizer, "optimizer"), PROPOSALS[job.sampling.proposal]()
