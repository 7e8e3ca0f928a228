"""What a job will cost: one block is moved and measured, the rest is multiplication."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from dataclasses import dataclass

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import PARAMETERS, TRAINING, Population
from vmcnet.parallel.communicators import SerialCommunicator

SMALL = 32  # walkers of the first look
PATIENCE, MEMORY = 30.0, 2e9  # seconds and bytes that a whole block may take
FORMAT = 12_000  # bytes of a checkpoint that holds no arrays


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one block for one sampler step, one set of local energies, one gradient; the
    peak of memory (bytes) on the way.
    """

    step: float
    energies: float
    gradient: float
    memory: int


def measure(
    system,
    wavefunction,
    sampler,
    seed: int,
    block: int,
    step_size: float,
    device=None,
    steps: int = 4,
) -> Cost:
    """Time one block, minimum of 3 after a first call that compiles and warms up.

    A small block comes first; where the whole one would take long or need much memory, its figures
    are those of the small one times the ratio of walkers.
    """
    small = min(block, SMALL)
    cost = _timed(system, wavefunction, sampler, seed, small, step_size, device, steps)
    ratio = block / small
    seconds = 5 * ratio * (steps * cost.step + cost.energies + cost.gradient)
    if small == block:
        return cost
    if seconds < PATIENCE and ratio * cost.memory < MEMORY:
        return _timed(system, wavefunction, sampler, seed, block, step_size, device, steps)
    return Cost(
        ratio * cost.step, ratio * cost.energies, ratio * cost.gradient, int(ratio * cost.memory)
    )


def checkpoint_size(system, wavefunction, optimizer, natural, walkers: int) -> int:
    """Bytes of a checkpoint: coordinates, spins, theta, the states of both, and the format."""
    states = [*optimizer.start(1), *(natural.start(1) if natural else ())]
    numbers = walkers * system.particles * system.dimensions
    numbers += wavefunction.layout.size * (1 + len(states))
    return 8 * numbers + walkers * system.particles + FORMAT


def _timed(system, wavefunction, sampler, seed, block, step_size, device, steps) -> Cost:
    population = Population(
        system, wavefunction, sampler, SerialCommunicator(), seed, block, block, device
    )
    population.start()
    theta = wavefunction.start(Stream(seed, PARAMETERS, 0, 0))

    def once():
        marks = [time.process_time()]
        population.advance(theta, TRAINING, 0, steps, step_size, measure=False)
        marks.append(time.process_time())
        summary, energies = population.advance(theta, TRAINING, 0, 0, step_size)
        marks.append(time.process_time())
        population.gradient(theta, population.weights(summary, energies))
        marks.append(time.process_time())
        return [b - a for a, b in itertools.pairwise(marks)]

    once()
    seconds = [min(x) for x in zip(*(once() for _ in range(3)), strict=True)]
    tracemalloc.start()
    once()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Cost(seconds[0] / steps, seconds[1], seconds[2], peak)
