"""Whether walkers and parameters fit into the memory that is free, said before anything starts."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

from vmcnet.backend.stream import Stream
from vmcnet.sampling.sampler import DRAWN

STATES = 6.0  # vectors of parameters: theta, its gradient, the optimizer's, those of a checkpoint
DRAWS = 10.0  # the same where parameters are drawn: words, integers, normals, the product
COPIES = 3.0  # of all walkers on rank 0 while a checkpoint is made: gathered, in the file, written


def need(
    system: Any, wavefunction: Any, walkers: int, block: int, steps: int, ranks: int, natural: Any
) -> float:
    """The least bytes that rank 0 needs for walkers, checkpoints, parameters, the random numbers,
    pairs and widest layer of a block, and what a natural gradient solves.
    """
    n, size = system.particles, wavefunction.layout.size
    states = walkers * (n * (8 * system.dimensions + 1) + 8)
    drawn = block * n * max(system.dimensions, 1)
    drawn = min(steps * drawn, max(DRAWN, drawn))
    pairs = block * n * (n - 1) / 2 * system.dimensions if system.fermions or system.core else 0
    shapes = [e.shape for e in wavefunction.layout.entries.values()]
    widest = max((shape[-1] for shape in shapes if len(shape) > 1), default=0)
    solved = matrix_memory(natural, system, wavefunction, walkers, ranks) if natural else 0.0
    return (
        states * (COPIES + 2.0 / ranks)
        + 8.0 * (drawn + pairs + block * widest)
        + 8.0 * STATES * size
        + solved
    )


def matrix_memory(
    natural: Any, system: Any, wavefunction: Any, walkers: int, ranks: int = 1
) -> float:
    """Bytes on rank 0 of the matrix that a natural gradient solves: of its lower triangle a share
    in float64, as much in float32 while it is factorised, and all factors, in float64 at worst. The
    Gram matrix has a row a walker, two where log psi is complex.
    """
    size, rows = wavefunction.layout.size, walkers
    if natural.form in ("gram", "auto"):
        stream = Stream(0, 0, 0, 0)
        psi, one = wavefunction.bind(wavefunction.start(stream)), system.start(stream, 1)
        rows *= 2 if psi.log(one.r, one.s).dtype.kind == "c" else 1
    side = {"metric": size, "gram": rows, "none": 0, "auto": min(size, rows)}[natural.form]
    return (16.0 / ranks + 8.0) * side**2 / 2


def check_memory(
    system: Any,
    wavefunction: Any,
    walkers: int,
    block: int,
    steps: int,
    ranks: int = 1,
    natural: Any = None,
) -> None:
    """Raise ValueError with what is needed and what is free where it cannot fit."""
    needed, left = need(system, wavefunction, walkers, block, steps, ranks, natural), free()
    if needed > left:
        cures = ["fewer walkers", "a smaller block"]
        cures += ["a smaller wavefunction"] if wavefunction.layout.size > walkers else []
        cures += ["another natural gradient"] if natural else []
        raise ValueError(
            f"{walkers} walkers in blocks of {block}, {system.particles} "
            f"{'particles' if system.dimensions else 'sites'} and {wavefunction.layout.size} "
            f"parameters need at least {needed / 1e9:.2g} GB on rank 0, and "
            f"{max(left, 0) / 1e9:.2g} GB are free: {', or '.join(cures)}"
        )


def check_parameters(size: int) -> None:
    """Raise ValueError where the parameters alone do not fit."""
    needed, left = 8.0 * DRAWS * size, free()
    if needed > left:
        raise ValueError(
            f"{size:.3g} parameters need at least {needed / 1e9:.2g} GB, and "
            f"{max(left, 0) / 1e9:.2g} GB are free: take fewer hidden units or narrower layers"
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
