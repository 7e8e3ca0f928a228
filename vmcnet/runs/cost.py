"""What a job will cost: one block is moved and measured, the rest is multiplication."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from dataclasses import dataclass, replace

from vmcnet.backend.stream import Stream
from vmcnet.engine.population import PARAMETERS, TRAINING, Population
from vmcnet.engine.tangents import KEEP
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.runs.memory import COPIES, resident

FIRST, SMALL = 2, 32  # walkers of the first and of the second look
PATIENCE, MEMORY = 30.0, 2e9  # seconds and bytes that a whole block may take
# moments of walkers at the end of an evaluation: own, gathered, joined, in the file, written
MOMENTS = 5.0
LONG = 5.0  # seconds of a look that is not repeated
FORMAT = 12_000  # bytes of a checkpoint that holds no arrays


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one block for one sampler step, one set of local energies, one gradient; the
    peak of memory (bytes) on the way, what of it a block keeps, and what libraries and compiled
    code hold.
    """

    step: float
    energies: float
    gradient: float
    memory: int
    kept: int
    libraries: int = 0

    def times(self, ratio: float) -> Cost:
        return Cost(
            ratio * self.step,
            ratio * self.energies,
            ratio * self.gradient,
            int(ratio * self.memory),
            int(ratio * self.kept),
            self.libraries,
        )


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

    A few walkers come first, then more; where the next look would take long or need much memory,
    its figures are those of the last one times the ratio of walkers.
    """
    looks, libraries = sorted({min(block, FIRST), min(block, SMALL), block}), 0
    for walkers, following in itertools.pairwise([*looks, None]):
        cost = _timed(system, wavefunction, sampler, seed, walkers, step_size, device, steps)
        libraries = libraries or resident()
        cost = replace(cost, libraries=libraries)
        if following is None:
            break
        ratio, once = following / walkers, steps * cost.step + cost.energies + cost.gradient
        # what the first look takes is mostly the same for more walkers, unless it is long
        late = once > LONG / 5 if following == SMALL else 5 * ratio * once > PATIENCE
        if late or ratio * cost.memory > MEMORY:
            return cost.times(block / walkers)
    return cost


def rank_memory(cost: Cost, job, system, wavefunction, natural, checkpoint: int, ranks: int = 1):
    """Bytes of rank 0 beside the libraries: what all its blocks keep, and above it the largest of
    one block's work with the arrays of a natural gradient, a checkpoint in the making, and the
    moments of all walkers at the end of an evaluation.
    """
    walkers = max(job.sampling.walkers, *(g.walkers for g in job.training.growth), 0)
    blocks = -(-(walkers // job.sampling.block) // ranks)
    work = max(cost.memory - cost.kept, COPIES * checkpoint * walkers / job.sampling.walkers)
    if natural and not job.data:
        own = blocks * job.sampling.block
        work += metric_memory(natural, wavefunction.layout.size, walkers, own)
    moments = 4 * 8.0 * walkers * (1 + len(system.terms)) if job.evaluation.steps else 0.0
    return blocks * cost.kept + max(work, MOMENTS * moments)


def metric_memory(natural, size: int, walkers: int, own: int) -> float:
    """Bytes of the log-derivatives of `own` walkers and of the matrix that is solved, with its
    factor.
    """
    sides = {"metric": size, "gram": walkers, "none": 0, "auto": min(size, walkers)}
    side = sides[natural.form]
    return min(8.0 * own * size, KEEP) + 3 * 8.0 * side**2


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

    first = once()
    again = [once() for _ in range(3)] if sum(first) < LONG else [first]
    seconds = [min(x) for x in zip(*again, strict=True)]
    tracemalloc.start()
    once()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Cost(seconds[0] / steps, seconds[1], seconds[2], peak, kept)
