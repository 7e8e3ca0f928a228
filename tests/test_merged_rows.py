"""Rows of blocks merged along the tree of the blocks: the same on any number of ranks."""

from functools import partial

import numpy as np
import pytest

from vmcnet.kernels.numba_merge import MAXIMUM, MEAN, SUM, merge
from vmcnet.parallel.communicators import SerialCommunicator, owned_blocks
from vmcnet.parallel.exact_sum import merged_rows
from vmcnet.parallel.tree import merges, nodes, plan_of
from vmcnet.statistics.moments import Moments
from vmcnet.statistics.moments import merge as union


def written(rows, pairs):
    """Texts in place of rows: what was merged with what."""
    for i, j in pairs:
        rows[i] = f"({rows[i]} {rows[j]})"


def on_ranks(size, blocks, rows_of, merging):
    """The rows with which every rank ends, all ranks in one process, and how many each told."""
    plans = [plan_of(r, size, blocks, partial(owned_blocks, size=size, blocks=blocks))
             for r in range(size)]  # fmt: skip
    rows, told, done = [], [0] * size, [0] * size
    for rank, plan in enumerate(plans):
        own = rows_of(owned_blocks(rank, size, blocks))
        merging(own, plan.pairs)
        rows.append([own[k] for k in plan.left])
    while any(done[r] < len(p.rounds) for r, p in enumerate(plans)):
        before, told_by_now = [list(x) for x in rows], list(done)
        for rank, plan in enumerate(plans):
            if done[rank] == len(plan.rounds):
                continue
            meeting = plan.rounds[done[rank]]
            partner, helps = plans[meeting.partner], meeting.partner == plan.helper
            if not helps and (
                told_by_now[meeting.partner] == len(partner.rounds)
                or partner.rounds[told_by_now[meeting.partner]].partner != rank
            ):
                continue  # the partner is not there yet
            both = [None] * meeting.rows
            both[meeting.mine], both[meeting.theirs] = before[rank], before[meeting.partner]
            both = np.array(both) if isinstance(both[0], np.ndarray) else both
            assert len(both) == meeting.rows
            told[rank] = max(told[rank], len(before[rank]))
            merging(both, meeting.pairs)
            rows[rank], done[rank] = [both[k] for k in meeting.left], done[rank] + 1
    for plan, found in zip(plans, list(rows), strict=True):
        if plan.helper is not None:
            rows[plan.helper] = found
    assert all(len(found) == 1 for found in rows)
    return [found[0] for found in rows], max(told)


def test_any_number_of_ranks_merges_along_one_tree():
    one, _ = on_ranks(1, 13, lambda own: [str(b) for b in own], written)
    assert one == ["((((0 1) (2 3)) ((4 5) (6 7))) (((8 9) (10 11)) 12))"]
    for blocks in (1, 2, 5, 13, 16, 27):
        tree, _ = on_ranks(1, blocks, lambda own: [str(b) for b in own], written)
        for size in range(2, blocks + 1):
            found, _ = on_ranks(size, blocks, lambda own: [str(b) for b in own], written)
            assert found == size * tree, (size, blocks)


def test_what_a_rank_merges_alone_is_the_nodes_of_its_range():
    for blocks in range(1, 24):
        for first in range(blocks):
            for stop in range(first + 1, blocks + 1):
                _, left = merges(list(range(first, stop)), stop, blocks)
                assert (first + left).tolist() == nodes(first, stop, blocks)


def test_ranks_tell_one_row_or_few():
    """2^k ranks with 2^m blocks each send one row, others twice the logarithm of the blocks."""
    for size, blocks, most in ((64, 512, 1), (256, 256, 1), (48, 512, 17), (5, 1000, 19)):
        _, told = on_ranks(size, blocks, lambda own: [str(b) for b in own], written)
        assert told <= most


KINDS = np.array([SUM, SUM, MAXIMUM, MEAN, MEAN, MEAN, 4, 5])


def rows_of_numbers(blocks):
    rng = np.random.default_rng(blocks)
    rows = rng.normal(size=(blocks, len(KINDS)))
    rows[:, 0], rows[:, 6:] = 128, rows[:, 6:] ** 2
    return rows


def plain(rows):
    """The twin, by the moments of two samples: level by level, neighbours first."""
    nodes = [(r[:3], Moments(r[0], r[3:6], np.append(0.0, r[6:]))) for r in rows]
    while len(nodes) > 1:
        joined = []
        for (a, x), (b, y) in zip(nodes[::2], nodes[1::2], strict=False):
            joined.append((np.array([a[0] + b[0], a[1] + b[1], max(a[2], b[2])]), union(x, y)))
        nodes = joined + nodes[2 * len(joined) :]
    fixed, moments = nodes[0]
    return np.concatenate([fixed, moments.mean, moments.m2[1:]])


@pytest.mark.parametrize("blocks", [1, 2, 7, 64, 100])
def test_rows_of_numbers(blocks):
    """Close to the plain twin, and bit by bit the same on ranks that share the blocks."""
    rows = rows_of_numbers(blocks)
    found = merged_rows(SerialCommunicator(), rows.copy(), blocks, KINDS)
    np.testing.assert_allclose(found, plain(rows), rtol=1e-13, atol=1e-13)
    for size in {2, 3, 4, 7, 31} & set(range(blocks + 1)):
        shared, _ = on_ranks(
            size, blocks, lambda own: rows[list(own)], lambda x, pairs: merge(x, pairs, KINDS)
        )
        assert all(other.tobytes() == found.tobytes() for other in shared)


def test_no_count_and_what_is_not_finite():
    """A warm-up has no energies: counts of 0, means that stay; NaN goes through, others stay."""
    rows = rows_of_numbers(4)
    rows[:, 0], rows[:, 3:] = 0.0, 0.0
    found = merged_rows(SerialCommunicator(), rows.copy(), 4, KINDS)
    assert found[0] == 0.0 and not found[3:].any() and found[1] == pytest.approx(rows[:, 1].sum())
    rows = rows_of_numbers(4)
    rows[2, 4] = np.nan
    found = merged_rows(SerialCommunicator(), rows.copy(), 4, KINDS)
    assert np.isnan(found[[4, 6]]).all() and np.isfinite(np.delete(found, [4, 6])).all()
