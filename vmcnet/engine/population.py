"""The walkers of one rank: its blocks, how they start, how they move, what they are measured
for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vmcnet.backend.arrays import keep_memory, namespace, on_host, seen, to_host
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream, Streams
from vmcnet.engine.device_tangents import DeviceTangents, Group
from vmcnet.engine.nonfinite import NonFiniteError, told
from vmcnet.engine.sheet import Sheet, look
from vmcnet.engine.tangents import BlockTangents
from vmcnet.engine.together import Together, parted, slices
from vmcnet.estimators.energy import (
    LocalEnergies,
    Row,
    centred,
    clipped,
    local_energies,
    medians,
)
from vmcnet.estimators.gradient import block_sums
from vmcnet.estimators.log_derivatives import LogDerivatives
from vmcnet.estimators.run_derivatives import RunDerivatives
from vmcnet.kernels.numba_merge import MEAN, SUM
from vmcnet.parallel.communicators import owned_blocks
from vmcnet.parallel.exact_sum import exact_sum, merged_rows
from vmcnet.parameters import digest
from vmcnet.sampling.sampler import Counts
from vmcnet.walkers import Walkers

# stages: no two use the same random words
START, WARMUP, TRAINING, PARAMETERS, DATA, LIMITS, TWISTS = 0, 1, 2, 3, 4, 5, 6
ROLLBACK, EVALUATION = 100, 1000


class RanksDisagree(RuntimeError):
    """The ranks hold different parameters: a bug, or broken hardware."""


class Population:
    """The blocks that this rank owns. Every number depends on (seed, stage, iteration, block)
    alone, never on the rank.
    """

    minimises = True  # its gradient is that of the energy

    def __init__(
        self,
        system,
        wavefunction,
        sampler,
        comm,
        seed: int,
        walkers: int,
        block: int,
        device: Device | None = None,
    ):
        if wavefunction.core < system.core:
            raise ValueError(
                f"hard cores of diameter {system.core}: psi must vanish inside them, but "
                f"{wavefunction.name} does so below "
                f"{wavefunction.core} only: multiply by a HardCoreJastrow (hard_core_jastrow in a "
                "job file)"
            )
        wavefunction.check_box(system.box)
        keep_memory()
        self.system, self.wavefunction, self.sampler, self.comm, self.seed = (
            system,
            wavefunction,
            sampler,
            comm,
            seed,
        )
        self.device = device or Device()
        self.block = block
        self._resize(walkers)
        self.row = Row(system.terms)
        parts = *system.terms.values(), sampler
        self._together = Together(parts, wavefunction, block)
        self.members: dict[int, Walkers] = {}
        self.counts: dict[int, Counts] = {}  # of the last advance
        self._psi, self._at = None, None  # psi at the last theta, and a copy of that

    def __repr__(self):
        return f"<Population: {self.walkers} walkers in {self.blocks} blocks of {self.block}>"

    @property
    def together(self) -> int:
        """Blocks that are evaluated in one call; 0: none was yet."""
        return self._together.size

    def __getstate__(self):
        """For pickle: walkers as host arrays; what psi keeps of them is made anew."""
        members = {b: (to_host(w.r), to_host(w.s)) for b, w in self.members.items()}
        return {**vars(self), "members": members}

    def __setstate__(self, state):
        vars(self).update(state)
        self.members = {
            b: Walkers(*self.device.place(r, s)) for b, (r, s) in state["members"].items()
        }

    def bound(self, theta):
        """psi at theta: one for all that is asked there, whose parameters go to a device once; what
        log_psi does is written down once for all theta.
        """
        if self._psi is None or not np.array_equal(self._at, theta):
            self._psi = self.wavefunction.bind(theta) if self._psi is None else self._psi.at(theta)
            self._at = np.array(theta)
        return self._psi

    def _resize(self, walkers: int) -> None:
        if walkers % self.block:
            raise ValueError(
                f"{walkers} walkers do not fill blocks of {self.block}: use "
                f"{self.block * max(1, round(walkers / self.block))}"
            )
        self.walkers, self.blocks = walkers, walkers // self.block
        self.own = owned_blocks(self.comm.rank, self.comm.size, self.blocks)

    def start(self) -> None:
        """Fresh walkers from the system's starting distribution."""
        for b in self.own:
            fresh = self.system.start(Stream(self.seed, START, 0, b), self.block)
            self.members[b] = Walkers(*self.device.place(fresh.r, fresh.s))

    def load(self, r: np.ndarray, s: np.ndarray) -> None:
        """Walkers of all blocks (B, W, n, d), (B, W, n), as many as there are: this rank takes its
        own.
        """
        self._resize(len(r) * self.block)
        self.members = {
            b: Walkers(*self.device.place(np.array(r[b]), np.array(s[b]))) for b in self.own
        }

    def grow(self, walkers: int) -> None:
        """More walkers: blocks that are new start as copies of the old ones, in turn, and go their
        own ways from the next move on. Collective.
        """
        r, s = self.comm.broadcast(self.collect())
        self._resize(walkers)
        copies = np.arange(self.blocks) % len(r)
        self.load(r[copies], s[copies])

    def collect(self):
        """Walkers of all blocks on rank 0, (B, W, n, d) and (B, W, n); None elsewhere. Two
        collectives.
        """
        r = self.comm.gather(np.stack([to_host(self.members[b].r) for b in self.own]), self.blocks)
        s = self.comm.gather(np.stack([to_host(self.members[b].s) for b in self.own]), self.blocks)
        return r, s

    def advance(
        self,
        theta,
        stage: int,
        iteration: int,
        steps: int,
        step_size: float,
        stop: int = 0,
        measure=True,
        observing=None,
    ):
        """Move every block by `steps` steps, measure local energies and, with `observing`, what it
        observes; merge the rows: one collective.

        Returns the summary, the same on every rank, and the local energies of the own blocks.
        """
        with np.errstate(
            all="ignore"
        ):  # what is not finite is counted in the rows, and stops all ranks
            rows, energies = self._move(
                theta, stage, iteration, steps, step_size, stop, measure, observing
            )
            kinds = self.row.kinds
            if observing:
                kinds = np.concatenate([kinds, observing.kinds])
            row = merged_rows(self.comm, rows, self.blocks, kinds)
        summary = self.row.read(row[: self.row.length])
        self._check(theta, summary, stage, iteration)
        if observing:
            summary.observed.update(observing.join(row[self.row.length :]))
        return summary, energies

    def _move(self, theta, stage, iteration, steps, step_size, stop, measure, observing):
        psi, hash64 = self.bound(theta), digest(theta) & (2**64 - 1)

        def moved(run):
            """Walkers, local energies and what is to be seen of every block of a run."""
            old = self._wrapped(self._together.joined(run, self.members))
            walkers, counts = psi.renew(old, self.sampler.move), Counts(0, 0, 0)
            if len(run) > 1 and not self._joins(walkers):
                return None
            if steps:
                stream = self._stream(stage, iteration, run)
                walkers, counts = self.sampler.sample(
                    walkers, psi, float(step_size), steps, stream
                )  # a NumPy scalar would promote float32
            local = local_energies(self.system.terms, walkers, psi) if measure else None
            parts = parted(walkers, len(run))
            if walkers.s is old.s and not on_host(old.s):  # psi may know spins by their array
                parts = [replace(w, s=self.members[b].s) for w, b in zip(parts, run, strict=True)]
            sheet = Sheet(self.row.numbers(local) if measure else None, counts, len(run))
            energies = local.parted(slices(walkers.s, len(run))) if measure else [None] * len(run)
            return [(*pair, sheet, k) for k, pair in enumerate(zip(parts, energies, strict=True))]

        energies, kind = {}, ("move", bool(steps), measure)
        first = self.members[self.own[0]]
        numbers = steps * max(first.r.size, first.s.size)
        found = list(
            self._together.each(
                kind, psi, self.members, self.own, self.blocks, moved, numbers, _alike
            )
        )
        look([sheet for _, _, sheet, _ in found])
        shown = [sheet.parts[k] for _, _, sheet, k in found]
        for b, (walkers, local, _, _), (numbers, counts) in zip(
            self.own, found, shown, strict=True
        ):
            self.members[b], self.counts[b] = walkers, counts
            if measure:
                seen_parts = numbers[: len(self.row.names)]
                energies[b] = LocalEnergies(local.total, local.terms, seen_parts)
        numbers = np.concatenate([n for n, _ in shown], axis=1) if measure else None
        rows = self.row.make(numbers, [c for _, c in shown], self.own, stop, hash64)
        if observing:
            groups = [([b], slice(0, 1)) for b in self.own]
            if not on_host(first.s):
                groups = self._together.groups(psi, self.members, self.own, self.blocks)
            further = observing.measure(groups, self.members, psi)
            rows = np.concatenate([rows, further], axis=1)
        return rows, energies

    def _joins(self, walkers) -> bool:
        """Whether the walkers of several blocks can be moved together: one by one where a move
        touches that little, and psi offers no update for it.
        """
        return self.sampler.move is None or (walkers.update is not None and walkers.update.joins)

    def _stream(self, stage: int, iteration: int, run: list):
        """The random numbers of a run of blocks: every block has its own."""
        streams = [self.device.stream(self.seed, stage, iteration, b) for b in run]
        return streams[0] if len(run) == 1 else Streams(streams)

    def _wrapped(self, walkers: Walkers) -> Walkers:
        """In a box coordinates return to the cell at every iteration: |psi| is the same there, and
        diffusing walkers lose no digits.
        """
        box = self.system.box
        return walkers if box is None else replace(walkers, r=box.wrap(walkers.r), log_psi=None)

    def window(self, energies, k: float) -> tuple[float, float]:
        """Centre and half width of a clipping window: the median of the blocks' medians of E_L, k
        times the mean of their mean absolute deviations. One all-gather, of two numbers a block.
        """
        found = self.comm.allgather(medians([energies[b] for b in self.own]), self.blocks)
        return float(np.median(found[:, 0])), k * float(found[:, 1].mean())

    def weights(self, summary, energies, clip: float | None = None) -> dict:
        """Own block -> conj(E_L - <E>) (W,), the weights of the gradient, in units of the system's
        `energy_unit`.

        With `clip` E_L is first limited to the median +- clip times the mean absolute deviation,
        and <E> is the mean of what results: otherwise <O E_L> - <O><E_L> would not be a covariance.
        The window and that mean cost a collective each.
        """
        total = energies[self.own[0]].total
        total = namespace(total).concatenate([energies[b].total for b in self.own])
        mean = summary.complex_energy
        if clip is not None:
            total = clipped(total, *self.window(energies, clip))
            means = to_host(total.reshape(len(self.own), -1).mean(axis=1))
            rows = np.stack([np.ones(len(means)), means.real, means.imag], axis=1)
            row = merged_rows(self.comm, rows, self.blocks, np.array([SUM, MEAN, MEAN]))
            mean = complex(*row[1:])
        weights = centred(total, mean)
        if self.system.energy_unit != 1.0:
            weights = weights / self.system.energy_unit
        cuts = slices(weights, len(self.own))
        return {b: weights[cut] for b, cut in zip(self.own, cuts, strict=True)}

    def gradient(self, theta, weights) -> np.ndarray:
        """2 Re <(E_L - <E>)* O> over all walkers (P,) from the `weights`, the same bits on any
        number of ranks: one exact sum.
        """
        psi = self.bound(theta)

        def share(run):
            walkers = self._together.joined(run, self.members, update=True)
            weight = [weights[b] for b in run]
            weight = weight[0] if len(run) == 1 else namespace(weight[0]).concatenate(weight)
            return block_sums(walkers, psi, weight, len(run))

        sums = self._together.each("gradient", psi, self.members, self.own, self.blocks, share)
        shares = 2.0 / self.walkers * np.asarray(seen(list(sums)), dtype=np.float64)
        return exact_sum(self.comm, shares, self.blocks)

    def tangents(self, theta, weights) -> BlockTangents | DeviceTangents:
        """The log-derivatives of all walkers, where these are, with the gradient that belongs to
        them, for natural gradients: one exact sum.
        """
        psi = self.bound(theta)

        def pieces(run):
            walkers = self._together.joined(run, self.members, update=True)
            return psi.log_derivative_pieces(walkers)

        def there(run):
            return RunDerivatives(pieces(run), len(run))

        def derived(run):
            return LogDerivatives.of(pieces(run), len(run))

        def derive():
            members, own = self.members, self.own
            return self._together.cuts("derivatives", psi, members, own, self.blocks, derived)

        if not on_host(self.members[self.own[0]].s):
            groups = self._together.groups(psi, self.members, self.own, self.blocks)
            groups = [Group(members, own, there) for members, own in groups]
            return DeviceTangents(self.comm, groups, self.blocks, self.walkers, weights)

        return BlockTangents(
            self.comm,
            self.own,
            self.blocks,
            self.walkers,
            derive,
            weights,
        )

    def _check(self, theta, summary, stage, iteration):
        if not summary.same_theta:
            raise RanksDisagree(f"iteration {iteration}: the ranks hold different parameters")
        if summary.nonfinite:
            block = summary.first_nonfinite_block
            rank = next(
                k
                for k in range(self.comm.size)
                if block in owned_blocks(k, self.comm.size, self.blocks)
            )
            name = (
                "warm-up" if stage == WARMUP else "training" if stage < EVALUATION else "evaluation"
            )
            cause = ""
            if name == "warm-up" or (stage == TRAINING and not iteration):
                cause = ", before anything was learned"
            elif name == "training":
                cause = ": usually the learning rate is too high"
            raise NonFiniteError(
                f"{summary.nonfinite} local energies or log psi are NaN or infinite, first in "
                f"block {block} (rank {rank}) at {name} iteration {iteration}: "
                + told(self, theta, block, cause)
            )


def _alike(first: tuple, second: tuple) -> bool:
    """Whether two results of one block have the same walkers, log psi and local energies."""
    (a, p, *_), (b, q, *_) = first, second
    pairs = [(a.r, b.r), (a.s, b.s), (a.log_psi, b.log_psi)]
    pairs += [] if p is None else [(p.total, q.total)]
    return all(x is y or np.array_equal(x, y, equal_nan=x.dtype.kind in "fc") for x, y in pairs)
