"""Many steps at once draw their random numbers in groups: bounded memory, and the same walkers as
one call a group.
"""

import gc
import tracemalloc

import numpy as np
import pytest

from vmcnet.backend.stream import Stream
from vmcnet.sampling import Gaussian, OneParticle, SpinFlip, sampler
from vmcnet.systems import QuantumDot, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM, PadeJastrow, Slater, SpinNetwork

DOT, LARGE = QuantumDot(), QuantumDot(12)
CHAIN = TransverseIsing([6])
CASES = {
    "gaussian": (DOT, Gaussian(), Slater(DOT) * PadeJastrow(DOT)),
    "langevin": (DOT, None, Slater(DOT) * PadeJastrow(DOT)),
    "one particle": (DOT, OneParticle(), Slater(DOT) * PadeJastrow(DOT)),
    "one particle, updates": (LARGE, OneParticle(), Slater(LARGE)),
    "flips, updates": (CHAIN, SpinFlip(CHAIN), BinaryRBM(CHAIN)),
    "flips": (CHAIN, SpinFlip(CHAIN), SpinNetwork(CHAIN)),
}


def begun(case, walkers=16):
    from vmcnet.sampling.langevin import Langevin

    system, moves, wavefunction = CASES[case]
    psi = wavefunction.bind(wavefunction.start(Stream(3, 3, 0, 0)))
    moves = moves or Langevin()
    return moves, psi, psi.renew(system.start(Stream(3, 0, 0, 0), walkers), moves.move)


def test_groups():
    assert sampler.groups(10, 100_000) == [10]  # what jobs have: all at once
    assert sampler.groups(10, sampler.DRAWN) == [1] * 10
    assert sampler.groups(7, sampler.DRAWN // 3) == [3, 3, 1]
    assert sampler.groups(0, 5) == [] and sum(sampler.groups(1_000_000, 12_345)) == 1_000_000


@pytest.mark.parametrize("case", CASES)
def test_a_call_of_many_steps_is_a_call_a_group(case, monkeypatch):
    moves, psi, walkers = begun(case)
    numbers = walkers.r.size or walkers.s.size
    monkeypatch.setattr(sampler, "DRAWN", 4 * numbers)
    together, counts = moves.sample(walkers, psi, 0.3, 10, Stream(3, 2, 0, 0))
    moves, psi, walkers = begun(case)
    stream, accepted, tried = Stream(3, 2, 0, 0), 0, 0
    for some in (4, 4, 2):
        walkers, one = moves.sample(psi.renew(walkers, moves.move), psi, 0.3, some, stream)
        accepted, tried = accepted + one.walkers, tried + one.tried
    assert np.array_equal(together.r, walkers.r) and np.array_equal(together.s, walkers.s)
    assert np.array_equal(counts.walkers, accepted) and counts.tried == tried > accepted.sum() > 0


def test_memory_does_not_grow_with_the_steps(monkeypatch):
    monkeypatch.setattr(sampler, "DRAWN", 2**14)
    peaks = []
    for steps in (300, 2400):
        moves, psi, walkers = begun("gaussian", 64)
        moves.sample(walkers, psi, 0.3, steps, Stream(3, 2, 0, 0))  # whatever is made once
        gc.collect()
        tracemalloc.start()
        moves.sample(walkers, psi, 0.3, steps, Stream(3, 2, 1, 0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 0.2 * 8 * 2400 * 64 * 4
