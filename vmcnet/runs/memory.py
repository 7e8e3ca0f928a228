"""Whether the walkers of a job fit into the memory that is free, said before anything starts."""

from __future__ import annotations

import resource
from pathlib import Path

from vmcnet.config import JobError
from vmcnet.sampling.sampler import DRAWN

STATES = 6.0  # vectors of parameters: theta, its gradient, the optimizer's, those of a checkpoint
COPIES = 3.0  # of all walkers on rank 0 while a checkpoint is made: gathered, in the file, written


def walkers_bytes(job, system) -> int:
    """Coordinates, spins and log psi of all walkers, at their largest number."""
    count = max(job.sampling.walkers, *(g.walkers for g in job.training.growth), 0)
    return count * (system.particles * (8 * system.dimensions + 1) + 8)


def need(job, system, wavefunction, ranks: int) -> float:
    """The least bytes that rank 0 needs for walkers, checkpoints, parameters, and the random
    numbers and pairs of a block.
    """
    walkers, block, n = walkers_bytes(job, system), job.sampling.block, system.particles
    drawn = block * n * max(system.dimensions, 1)
    drawn = min(job.sampling.steps * drawn, max(DRAWN, drawn))
    pairs = block * n * (n - 1) / 2 * system.dimensions if system.fermions or system.core else 0
    return (
        walkers * (COPIES + 2.0 / ranks)
        + 8.0 * (drawn + pairs)
        + 8.0 * STATES * wavefunction.layout.size
    )


def free() -> float:
    """Bytes that this process may still take: of the machine, of its control group, of ulimit."""
    found = [float("inf")]
    numbers = _numbers(Path("/proc/meminfo"))
    if "MemAvailable:" in numbers:
        found.append(1024.0 * numbers["MemAvailable:"])
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        found.append(limit - 1024.0 * _numbers(Path("/proc/self/status")).get("VmSize:", 0))
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            group = Path("/sys/fs/cgroup")
            found.append(float((group / most).read_text()) - float((group / used).read_text()))
        except (OSError, ValueError):
            pass
    return min(found)


def _numbers(path: Path) -> dict:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {w[0]: int(w[1]) for w in lines if len(w) > 1 and w[1].isdigit()}


def resident() -> float:
    """Bytes that this process holds."""
    return 1024.0 * _numbers(Path("/proc/self/status")).get("VmRSS:", 0)


def check_memory(job, system, wavefunction, ranks: int) -> None:
    """Raise JobError with what is needed and what is free where it cannot fit."""
    needed, left = need(job, system, wavefunction, ranks), free()
    if needed > left:
        most = max(job.sampling.walkers, *(g.walkers for g in job.training.growth), 0)
        raise JobError(
            f"{most} walkers in blocks of {job.sampling.block}, {system.particles} "
            f"{'particles' if system.dimensions else 'sites'} and {wavefunction.layout.size} "
            f"parameters need at least {needed / 1e9:.2g} GB on rank 0, and "
            f"{max(left, 0) / 1e9:.2g} GB are free: fewer sampling.walkers, or a smaller "
            "sampling.block"
        )
