"""What a job will cost: one block is moved and measured, the rest is multiplication."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from dataclasses import dataclass, replace

from vmcnet.backend.stream import Stream
from vmcnet.engine.memory import COPIES, matrix_memory, resident
from vmcnet.engine.observing import Observing
from vmcnet.engine.population import PARAMETERS, TRAINING, Population
from vmcnet.engine.tangents import KEEP
from vmcnet.optimizers.base import started
from vmcnet.parallel.communicators import SerialCommunicator

FIRST, SMALL = 2, 32  # walkers of the first and of the second look
PATIENCE, MEMORY = 30.0, 2e9  # seconds and bytes that a whole block may take
# moments of walkers at the end of an evaluation: own, gathered, joined, in the file, written
MOMENTS = 5.0
LONG = 5.0  # seconds of a look that is not repeated
FORMAT = 12_000  # bytes of a checkpoint that holds no arrays


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one block for one sampler step, one set of local energies, one gradient; the
    peak of memory (bytes) on the way, what of it a block keeps, how many blocks are evaluated
    together, what its log-derivatives take, and what libraries and compiled code hold.
    """

    step: float
    energies: float
    gradient: float
    memory: int
    kept: int
    together: int = 1
    rows: int = 0
    libraries: int = 0

    def times(self, ratio: float) -> Cost:
        return Cost(
            ratio * self.step,
            ratio * self.energies,
            ratio * self.gradient,
            int(ratio * self.memory),
            int(ratio * self.kept),
            1,
            int(ratio * self.rows),
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
    natural=None,
    observables=(),
    steps: int = 4,
) -> Cost:
    """Time one block, minimum of 3 after a first call that compiles and warms up; the gradient is
    that of all log-derivatives where a `natural` gradient needs them.

    A few walkers come first, then more; where the next look would take long or need much memory,
    its figures are those of the last one times the ratio of walkers.
    """
    looks, libraries = sorted({min(block, FIRST), min(block, SMALL), block}), 0
    for walkers, following in itertools.pairwise([*looks, None]):
        parts = (
            system,
            wavefunction,
            sampler,
            seed,
            walkers,
            step_size,
            device,
            natural,
            observables,
            steps,
        )
        cost = _timed(*parts)
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


def rank_memory(
    cost: Cost, job, system, wavefunction, natural, observables, checkpoint: int, ranks: int = 1
):
    """Bytes of rank 0 beside the libraries: what all its blocks keep, and above it, in training,
    the work of blocks that are evaluated together with the arrays of a natural gradient, or a
    checkpoint in the making; in an evaluation what is measured of every walker, and its moments.
    """
    block = job.sampling.block
    walkers = max(job.sampling.walkers, *(g.walkers for g in job.training.growth), 0)
    blocks = -(-(walkers // block) // ranks)
    work = (cost.memory - cost.kept) * min(cost.together, blocks)
    training = work
    if natural and not job.data:
        training += min(blocks * cost.rows, KEEP)
        training += matrix_memory(natural, system, wavefunction, walkers, ranks)
    measured, moments = 0.0, 0.0
    if job.evaluation.steps:
        observing = Observing(system, observables, block, walkers // block)
        moments = 4 * 8.0 * walkers * (1 + len(system.terms))
        for name, size in observing.sizes.items():
            measured += 8.0 * blocks * block * size
            moments += 4 * 8.0 * (walkers // block) * observing.groups[name] * size
    saved = COPIES * checkpoint * walkers / job.sampling.walkers
    evaluation = measured + max(moments / ranks + work, MOMENTS * moments)
    return blocks * cost.kept + max(training, saved, evaluation)


def checkpoint_size(system, wavefunction, optimizer, natural, walkers: int) -> int:
    """Bytes of a checkpoint: coordinates, spins, theta, the states of both, and the format."""
    states = [*started(optimizer, 1), *(started(natural, 1) if natural else ())]
    numbers = walkers * system.particles * system.dimensions
    numbers += wavefunction.layout.size * (1 + len(states))
    return 8 * numbers + walkers * system.particles + FORMAT


def _timed(
    system, wavefunction, sampler, seed, block, step_size, device, natural, observables, steps
) -> Cost:
    population = Population(
        system, wavefunction, sampler, SerialCommunicator(), seed, block, block, device
    )
    population.start()
    theta = wavefunction.start(Stream(seed, PARAMETERS, 0, 0))

    rows = [0]

    def once():
        marks = [time.process_time()]
        population.advance(theta, TRAINING, 0, steps, step_size, measure=False)
        marks.append(time.process_time())
        summary, energies = population.advance(theta, TRAINING, 0, 0, step_size)
        marks.append(time.process_time())
        weights = population.weights(summary, energies)
        made = (population.tangents if natural else population.gradient)(theta, weights)
        rows[0] = made.nbytes if natural else 0
        marks.append(time.process_time())
        return [b - a for a, b in itertools.pairwise(marks)]

    first = once()
    observing = Observing(system, observables, block, 1)
    population.advance(theta, TRAINING, 0, 0, step_size, observing=observing)  # does it fail?
    again = [once() for _ in range(3)] if sum(first) < LONG else [first]
    seconds = [min(x) for x in zip(*again, strict=True)]
    tracemalloc.start()
    once()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    together = max(1, population.together)
    return Cost(seconds[0] / steps, seconds[1], seconds[2], peak, kept, together, rows[0])
