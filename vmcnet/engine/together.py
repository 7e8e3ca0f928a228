"""Blocks of a rank in one call, where no bit of a block depends on those beside it.

Ownership and random words go by blocks; arithmetic need not. A small block costs more in calls
than in numbers, and several of them together cost one call. The parts of psi, of the Hamiltonian
and of sampling say `rowwise = True` where every number of a walker is made of that walker alone,
by loops whose order does not depend on how many there are; so does every operation of
vmcnet.calculus but products that a library makes (tests/calculus/test_rows.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from vmcnet.kernels.plain import Library
from vmcnet.sampling.sampler import DRAWN
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.amplitude import widest_value
from vmcnet.wavefunctions.base import rowwise

MOST = 1024  # walkers of a call
NEAR = 2**20  # bytes of the widest array of a call: it stays near the processor


class Together:
    """How a rank divides its blocks into runs that are evaluated together."""

    def __init__(self, parts: Iterable, wavefunction, block: int):
        allowed = all(rowwise(part) for part in (wavefunction, *parts))
        self._block, self.size = block, 0 if allowed else 1  # blocks of a run; 0: not known yet
        self._alone: set = set()  # kinds of calls in which a library multiplies

    def each(self, kind, psi, members: dict, own, work: Callable, numbers: int = 0) -> Iterator:
        """What `work` gives for every block of `own`, in their order: work(run) -> a list with one
        result a block of the run, or None where these cannot go together; it changes nothing.

        numbers: random ones that a block draws, of which a run keeps at most DRAWN. Where a library
        multiplied in a run its blocks are done again, one by one, and so are all later ones of this
        kind.
        """
        own = list(own)
        if not self.size:
            self.size = self._fitting(psi, members[own[0]])
        most = DRAWN // numbers if numbers else self.size
        size = 1 if kind in self._alone else max(1, min(self.size, most))
        for k in range(0, len(own), size):
            run, before = own[k : k + size], Library.products
            found = work(run)
            if len(run) > 1 and Library.products != before:
                self._alone.add(kind)
                found = None
            yield from [x for b in run for x in work([b])] if found is None else found

    def _fitting(self, psi, walkers: Walkers) -> int:
        if not isinstance(walkers.r, np.ndarray):
            return 1
        width = max(1, widest_value(psi.reading, walkers))
        return max(1, min(MOST, NEAR // width) // self._block)


def joined(members: list[Walkers], update: bool = False) -> Walkers:
    """The walkers of several blocks, one block after the other; `update`: with what psi keeps of
    them.
    """
    if len(members) == 1:
        return members[0]
    r, s = np.concatenate([w.r for w in members]), np.concatenate([w.s for w in members])
    updates = [w.update for w in members]
    tables = updates[0].joined(updates[1:]) if update and updates[0] is not None else None
    return Walkers(r, s, None, tables, len(members))


def parted(walkers: Walkers, blocks: int) -> list[Walkers]:
    """The walkers of every block."""
    if blocks == 1:
        return [walkers]
    none, cuts = [None] * blocks, slices(walkers.s, blocks)
    logs = none if walkers.log_psi is None else [walkers.log_psi[c] for c in cuts]
    updates = none if walkers.update is None else walkers.update.parted(blocks)
    return [
        Walkers(walkers.r[c], walkers.s[c], log, update)
        for c, log, update in zip(cuts, logs, updates, strict=True)
    ]


def slices(array, blocks: int) -> list[slice]:
    """Where each block stands along the walkers' axis."""
    size = len(array) // blocks
    return [slice(k * size, (k + 1) * size) for k in range(blocks)]
