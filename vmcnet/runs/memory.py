"""Whether the walkers of a job fit into the memory that is free, said before anything starts."""

from __future__ import annotations

import resource
from pathlib import Path

from vmcnet.config import JobError

COPIES = 3.0  # of all walkers on rank 0 while a checkpoint is made: gathered, in the file, written


def walkers_bytes(job, system) -> int:
    """Coordinates, spins and log psi of all walkers, at their largest number."""
    count = max(job.sampling.walkers, *(g.walkers for g in job.training.growth), 0)
    return count * (system.particles * (8 * system.dimensions + 1) + 8)


def need(job, system, ranks: int) -> float:
    """The least bytes that rank 0 needs for walkers, checkpoints and the random numbers of a
    block.
    """
    walkers = walkers_bytes(job, system)
    moves = job.sampling.steps * job.sampling.block * system.particles * max(system.dimensions, 1)
    return walkers * (COPIES + 2.0 / ranks) + 8.0 * moves


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


def check_memory(job, system, ranks: int) -> None:
    """Raise JobError with what is needed and what is free where it cannot fit."""
    needed, left = need(job, system, ranks), free()
    if needed > left:
        raise JobError(
            f"sampling.walkers = {job.sampling.walkers}: walkers, checkpoints and random numbers "
            f"need about {needed / 1e9:.2g} GB on rank 0, and {max(left, 0) / 1e9:.2g} GB are "
            "free: fewer walkers or sampling.steps, or a smaller sampling.block"
        )
