"""Rows of blocks: moments merged along their tree, non-finite values counted, flags and hashes
carried.
"""

import numpy as np
import pytest

from vmcnet.engine.nonfinite import NonFiniteError
from vmcnet.engine.population import Population
from vmcnet.estimators.energy import LocalEnergies, Row
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.parallel.exact_sum import merged_rows
from vmcnet.parameters import digest
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.sampler import Counts
from vmcnet.systems import TrappedBosons
from vmcnet.wavefunctions import GaussianEnvelope


def rows(blocks, stop=(0, 0, 0), hashes=(5, 5, 5)):
    row = Row(["a", "b"])
    made = [
        row.make(
            row.numbers(LocalEnergies(x.sum(axis=0), {"a": x[0], "b": x[1]})),
            [Counts(3, 8, 0)],
            [b],
            f,
            h,
        )[0]
        for b, (x, f, h) in enumerate(zip(blocks, stop, hashes, strict=True))
    ]
    return row.read(merged_rows(SerialCommunicator(), np.stack(made), len(made), row.kinds))


BLOCKS = np.random.default_rng(0).normal(1e4, 1.0, (3, 2, 16))


def test_merged_moments():
    summary = rows(BLOCKS)
    total = BLOCKS.sum(axis=1).ravel()
    assert summary.energy == pytest.approx(total.mean(), rel=1e-14)
    assert summary.variance == pytest.approx(total.var(ddof=1), rel=1e-9)
    assert summary.terms["b"] == pytest.approx(BLOCKS[:, 1].mean(), rel=1e-14)
    assert (summary.accepted, summary.tried, summary.nonfinite, summary.stop) == (9, 24, 0, 0)


def test_flags():
    assert rows(BLOCKS, stop=(0, 3, 1)).stop == 3
    assert rows(BLOCKS).same_theta and not rows(BLOCKS, hashes=(5, 5, 6)).same_theta
    high = digest(np.ones(2)) & (2**64 - 1)
    assert not rows(BLOCKS, hashes=(high, high, high ^ 1)).same_theta
    assert not rows(BLOCKS, hashes=(high, high, high ^ (1 << 63))).same_theta


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_walker_that_is_not_finite_never_leaves_silently(value):
    blocks = BLOCKS.copy()
    blocks[1, 0, 4] = value
    with np.errstate(all="ignore"):  # of the block's own mean
        summary = rows(blocks)
    assert (
        summary.nonfinite == 1
        and summary.first_nonfinite_block == 1
        and not np.isfinite(summary.energy)
    )

    class Broken:
        def local(self, walkers, psi):
            out = np.ones(len(walkers.r))
            out[3] = value
            return out

    system = TrappedBosons(1)
    system.terms = {"broken": Broken()}
    psi = GaussianEnvelope(system)
    population = Population(system, psi, Gaussian(), SerialCommunicator(), 1, 16, 8)
    population.start()
    with pytest.raises(
        NonFiniteError, match=r"2 local energies.*block 0 \(rank 0\) at training iteration 7"
    ):
        population.advance(np.array([-0.7]), 2, 7, 1, 0.5)
