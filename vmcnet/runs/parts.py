"""From a job to the walkers of this rank and what trains them."""

from __future__ import annotations

from vmcnet.config import Job, JobError
from vmcnet.engine.likelihood import DataPopulation
from vmcnet.engine.memory import check_memory
from vmcnet.engine.population import Population
from vmcnet.runs.building import build, device_of
from vmcnet.runs.root import on_root
from vmcnet.storage.samples import read_samples


def check_job_memory(job: Job, system, wavefunction, natural, ranks: int) -> None:
    """JobError with what is needed and what is free where a job cannot fit."""
    sampling, growth = job.sampling, job.training.growth
    walkers = max(sampling.walkers, *(g.walkers for g in growth), 0)
    natural = None if job.data else natural
    try:
        check_memory(system, wavefunction, walkers, sampling.block, sampling.steps, ranks, natural)
    except ValueError as error:
        raise JobError(str(error)) from error


def built_for(comm, job: Job, learns=True):
    """The population, the optimizer and the natural gradient (or None) of a job, and the SHA-256 of
    its data ("": none, or not read because nothing `learns`).
    """
    system, wavefunction, optimizer, natural, sampler = build(job)
    on_root(comm, lambda: check_job_memory(job, system, wavefunction, natural, comm.size))
    parts = (
        system,
        wavefunction,
        sampler,
        comm,
        job.seed,
        job.sampling.walkers,
        job.sampling.block,
        device_of(job, system, wavefunction, sampler, comm.local_rank),
    )
    if not (job.data and learns):
        return Population(*parts), optimizer, natural, ""
    samples, digest = on_root(comm, lambda: read_samples(job.data.file, system))
    return DataPopulation(samples, *parts), optimizer, natural, digest
