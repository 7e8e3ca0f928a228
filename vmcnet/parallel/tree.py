"""The binary tree over the blocks along which their rows are merged, whoever owns them.

A node of level l holds the blocks [i 2^l, (i + 1) 2^l), the last of a level what there is of them;
its row is made of those of its two halves. So the tree depends on the number of blocks alone. A
range of blocks is a few whole nodes: what a rank merges by itself, and all that it has to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


def nodes(first: int, stop: int, blocks: int) -> list[int]:
    """First blocks of the largest nodes that make up the blocks [first, stop) of all `blocks`."""
    found = []
    while first < stop:
        size = 1
        while first % (2 * size) == 0 and size < blocks:
            if min(first + 2 * size, blocks) > stop:
                break
            size *= 2
        found.append(first)
        first += size
    return found


def merges(starts: list[int], stop: int, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (M, 2) of positions in `starts`, first blocks of the nodes that make up a range of
    blocks up to `stop`, to be merged one after the other into the first of each; and the positions
    that are left, one a node of the range.
    """
    first = np.asarray(starts)
    place, pairs, size = np.arange(len(first)), [np.empty((0, 2), np.int64)], 1
    while size < blocks and len(first) > 1:
        end = np.append(first[1:], stop)
        whole = (first[:-1] % (2 * size) == 0) & (end[:-1] == first[:-1] + size)
        left = np.flatnonzero(whole & (end[1:] == np.minimum(first[:-1] + 2 * size, blocks)))
        pairs.append(np.stack([place[left], place[left + 1]], axis=1))
        first, place, size = np.delete(first, left + 1), np.delete(place, left + 1), 2 * size
    return np.concatenate(pairs), place


@dataclass(frozen=True)
class Round:
    """What a rank does with `partner`: of `rows` rows, in the order of blocks, its own are `mine`
    and the partner's `theirs`; the pairs are merged, and the rows `left` are its own from then on.
    """

    partner: int
    rows: int
    mine: slice
    theirs: slice
    pairs: np.ndarray
    left: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How a rank comes to the row of all blocks: it merges its own, pairs and left, and goes on
    round by round.

    With 2^k ranks there are k rounds, in which rank r exchanges rows with r xor 2^i. Of another
    number some pairs of neighbours make one first: `helper` is the neighbour whose rows this rank
    takes in before and which it tells the result, `teller` the one that does so for this rank.
    """

    pairs: np.ndarray
    left: np.ndarray
    rounds: tuple[Round, ...] = ()
    helper: int | None = None
    teller: int | None = None


def plan_of(rank: int, size: int, blocks: int, owned: Callable[[int], range]) -> Plan:
    """The plan of one of `size` ranks; owned(rank): the blocks of a rank, in the order of ranks."""
    teams = 1 << (size.bit_length() - 1)
    pairs_of_ranks = size - teams  # the first teams are of two ranks

    def first(team: int) -> int:
        return 2 * team if team < pairs_of_ranks else team + pairs_of_ranks

    def span(ranks: range) -> tuple[int, int]:
        return owned(ranks[0]).start, owned(ranks[-1]).stop

    def meeting(partner: int, ours: range, others: range) -> Round:
        (begin, end), (low, high) = span(ours), span(others)
        own, new = nodes(begin, end, blocks), nodes(low, high, blocks)
        ahead, behind = (len(new), 0) if low < begin else (0, len(own))
        mine, theirs = slice(ahead, ahead + len(own)), slice(behind, behind + len(new))
        pairs, left = merges(sorted(own + new), max(end, high), blocks)
        return Round(partner, len(own) + len(new), mine, theirs, pairs, left)

    own = owned(rank)
    pairs, left = merges(list(own), own.stop, blocks)
    if rank < 2 * pairs_of_ranks and rank % 2:
        return Plan(pairs, left, teller=rank - 1)
    helper = rank + 1 if rank < 2 * pairs_of_ranks else None
    team = rank // 2 if helper else rank - pairs_of_ranks
    rounds, width = [], 1
    if helper:
        rounds.append(meeting(helper, range(rank, rank + 1), range(helper, helper + 1)))
    while width < teams:
        a, b = team // width * width, (team ^ width) // width * width
        ours, others = (range(first(t), first(t + width)) for t in (a, b))
        rounds.append(meeting(first(team ^ width), ours, others))
        width *= 2
    return Plan(pairs, left, tuple(rounds), helper)
