"""Blocks of a rank in one call, where no bit of a block depends on those beside it.

Ownership and random words go by blocks; arithmetic need not. A small block costs more in calls
than in numbers, and several of them together cost one call. The parts of psi, of the Hamiltonian
and of sampling say `rowwise = True` where every number of a walker is made of that walker alone,
by loops whose order does not depend on how many there are; so does every operation of
vmcnet.calculus but products that a library makes (tests/calculus/test_rows.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from vmcnet.backend.arrays import namespace, on_host
from vmcnet.engine.own_parts import factors_of, own_class
from vmcnet.kernels.plain import Library
from vmcnet.sampling.sampler import DRAWN
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.amplitude import widest_value
from vmcnet.wavefunctions.base import rowwise

MOST = 1024  # walkers of a call on the host
NEAR = 2**20  # bytes of the widest array of a call on the host: it stays near the processor
# the same on a device: up to here a kernel hardly takes longer than its launch
FILLED = 2**23


class Together:
    """How a rank divides its blocks into runs that are evaluated together.

    On the host no bit depends on the runs. A device's libraries choose their loops by the shape of
    a call, so that there it is a fixed one: runs are groups of blocks at fixed numbers, of a size
    that follows from the job alone, and where a rank owns a part of a group it fills the group with
    copies of a block of its own, whose results are dropped.
    """

    def __init__(self, parts: Sequence, wavefunction, block: int):
        allowed = all(rowwise(part) for part in (wavefunction, *parts))
        self._block, self._allowed, self._width = block, allowed, 0
        self.size = 0 if allowed else 1  # blocks of a run; 0: not known yet
        self._alone: set = set()  # kinds of calls in which a library multiplies
        self._labels: dict = {}  # of a run on a device: its blocks' arrays of spins, and the joined
        self._claims = _claims(wavefunction, parts) if allowed else []
        self._compared: set = set()  # kinds of calls of which a run was compared with a block alone

    def each(self, *arguments, **named) -> Iterator:
        """As `cuts`: what `work` gives for every block of `own`, in their order."""
        for found in self.cuts(*arguments, **named):
            yield from found

    def cuts(
        self,
        kind,
        psi,
        members: dict,
        own: range,
        blocks: int,
        work: Callable,
        numbers: int = 0,
        alike: Callable | None = None,
    ) -> Iterator:
        """What `work` gives for the blocks of `own`, one or several at a time, in their order:
        work(run) -> a list with one result a block of the run (or what can be cut as one), or None
        where these cannot go together; it changes nothing.

        blocks: of all ranks. numbers: random ones that a block draws, of which a run keeps at most
        DRAWN. Where a library multiplied in a run on the host its blocks are done again, one by
        one, and so are all later ones of this kind. alike(a, b): whether two results of a block are
        the same; ValueError where the last one of the first run is another alone, because a class
        of a user says `rowwise` and is not.
        """
        for run in self._runs(psi, members[own[0]], own, blocks, numbers):
            yield from self._worked(kind, run, members, own, work, alike)

    def _runs(self, psi, walkers: Walkers, own: range, blocks: int, numbers: int = 0) -> list:
        """The runs, of consecutive blocks, in which the own ones are; on a device whole groups."""
        if self._allowed:
            self.size = self._fitting(psi, walkers, blocks)
        most = DRAWN // numbers if numbers else self.size
        if on_host(walkers.s):
            size = max(1, min(self.size, most))
            return [own[k : k + size] for k in range(0, len(own), size)]
        size = halved(self.size, most)
        groups = range(own[0] // size, own[-1] // size + 1)
        return [range(g * size, (g + 1) * size) for g in groups]

    def groups(self, psi, members: dict, own: range, blocks: int) -> list[tuple[list, slice]]:
        """The runs on a device: the blocks of a call, and which of them are no copies."""
        found = []
        for run in self._runs(psi, members[own[0]], own, blocks):
            first, last = max(run[0], own[0]) - run[0], min(run[-1], own[-1]) - run[0]
            found.append((_filled(run, own), slice(first, last + 1)))
        return found

    def _worked(
        self, kind, run: range, members: dict, own: range, work: Callable, alike: Callable | None
    ) -> Iterator:
        """What `work` gives for the own blocks of a run: of all together, or one by one."""
        mine, found, before = [b for b in run if b in own], None, Library.products
        if kind not in self._alone:
            found = work(_filled(run, own))
        if len(run) > 1 and Library.products != before and on_host(members[own[0]].s):
            self._alone.add(kind)
            found = None
        if found is None:
            yield from (work([b]) for b in mine)
            return
        if alike and self._claims and kind not in self._compared and len(run) > 1:
            self._compared.add(kind)
            if on_host(members[own[0]].s) and not alike(found[-1], work([run[-1]])[0]):
                raise ValueError(
                    f"{' or '.join(self._claims)}: rowwise = True, but walkers have other numbers "
                    "beside other blocks than alone: leave it out, or make every number of a "
                    "walker of that walker alone"
                )
        first = run.index(mine[0])
        yield found[first : first + len(mine)]

    def _fitting(self, psi, walkers: Walkers, blocks: int) -> int:
        width = self._width = self._width or max(1, widest_value(psi.reading, walkers))
        if on_host(walkers.s):
            return max(1, min(MOST, NEAR // width) // self._block)
        return halved(blocks, FILLED // width // self._block)

    def __getstate__(self) -> dict:
        return {**vars(self), "_labels": {}}

    def joined(self, run: list, members: dict, update: bool = False) -> Walkers:
        """The walkers of the blocks of a run. On a device the spins of a run that did not move stay
        the same array, by which psi knows them.
        """
        walkers = joined([members[b] for b in run], update)
        if len(run) == 1 or on_host(walkers.s):
            return walkers
        parts = [members[b].s for b in run]
        known, s = self._labels.get(tuple(run), ((), None))
        if len(known) != len(parts) or any(a is not b for a, b in zip(known, parts, strict=True)):
            s = walkers.s
            self._labels[tuple(run)] = parts, s
        return replace(walkers, s=s)


def _claims(wavefunction, parts: Iterable) -> list[str]:
    """The classes of a user's own among parts that say `rowwise`, orbitals among them."""
    factors = factors_of(wavefunction)
    orbitals = [vars(factor).get("orbitals") for factor in factors]
    return sorted({type(x).__name__ for x in (*factors, *orbitals, *parts) if own_class(x)})


def _filled(run: range, own: range) -> list:
    """The blocks of a run, an own one in place of every other."""
    return [min(max(b, own[0]), own[-1]) for b in run]


def halved(blocks: int, most: int) -> int:
    """`blocks` halved, rounded up, until it is at most `most`, and at least 1: ranks that are a
    power of two in number own whole groups.
    """
    while blocks > max(1, most):
        blocks = -(-blocks // 2)
    return blocks


def joined(members: list[Walkers], update: bool = False) -> Walkers:
    """The walkers of several blocks, one block after the other; `update`: with what psi keeps of
    them.
    """
    if len(members) == 1:
        return members[0]
    xp = namespace(members[0].s)
    r, s = xp.concatenate([w.r for w in members]), xp.concatenate([w.s for w in members])
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
