"""Moves of coordinates and exchanges of spin labels in turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import namespace
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.sampler import Counts, Sampler, Unseen
from vmcnet.walkers import Walkers


class LabelExchange(Sampler):
    """s_i <-> s_j of two particles with different labels, drawn anew for every walker and move:
    coordinates stay.

    i uniform among all particles, j among those of other labels: the numbers of either label do not
    change, so the proposal is symmetric. For psi that takes the labels of its walkers. By itself it
    does not move coordinates: see Alternating.
    """

    name = "label_exchange"

    def check(self, system: Any, wavefunction: Any) -> None:
        """ValueError where all labels are equal, or psi does not read them."""
        if len({*system.spins.tolist()}) < 2:
            raise ValueError(
                f"{self.name} exchanges different labels, and all particles have one: use gaussian"
            )

    @staticmethod
    def proposed(s: Any, uniforms: Any) -> Any:
        """Labels with one pair exchanged in every walker, (W, n), from uniforms (2, W)."""
        xp, (count, n) = namespace(s), s.shape
        w = xp.arange(count)
        i = xp.minimum((uniforms[0] * n).astype(xp.int64), n - 1)
        other = s != s[w, i][:, None]
        number = other.sum(axis=1)
        k = xp.minimum((uniforms[1] * number).astype(xp.int64), number - 1)
        j = xp.argmax(xp.cumsum(other, axis=1) == k[:, None] + 1, axis=1)
        trial = s.copy()
        trial[w, i], trial[w, j] = s[w, j], s[w, i]
        return trial

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts | Unseen]:
        """`steps` exchanges of every walker; `step` is not used."""
        r, s, log, xp = walkers.r, walkers.s, walkers.log_psi, namespace(walkers.r)
        accepted, bad = xp.zeros(len(s), xp.int64), xp.zeros(len(s), xp.int64)
        for _ in range(steps):
            uniforms = xp.asarray(stream.uniform((3, len(s))))
            trial = self.proposed(s, uniforms[:2])
            trial_log = psi.log(r, trial)
            accept = xp.log(uniforms[2]) < 2.0 * (trial_log.real - log.real)
            bad += xp.isnan(trial_log.real)
            s, log = xp.where(accept[:, None], trial, s), xp.where(accept, trial_log, log)
            accepted += accept
        return Walkers(r, s, log), Counts.of(accepted, bad, steps)


class Alternating(Sampler):
    """A step is one step of `coordinates` and then `exchanges` exchanges of two labels.

    Labels that move are a check of fixed ones: psi is antisymmetric, so that fixed labels lose
    nothing. counts are those of the coordinates, whose size of steps is tuned by them; those of the
    exchanges, which have no size, are in counts.others.
    """

    name = "alternating"
    kinds = ("coordinates",)

    def __init__(self, coordinates: Any = None, exchanges: int = 1):
        self.coordinates = Gaussian() if coordinates is None else coordinates
        self.exchange, self.exchanges = LabelExchange(), exchanges
        self.target = self.coordinates.target

    def check(self, system: Any, wavefunction: Any) -> None:
        """ValueError where either kind of moves does not fit."""
        for part in (self.coordinates, self.exchange):
            part.check(system, wavefunction)

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts]:
        found: list[list] = [[], []]
        for _ in range(steps):
            walkers, moved = self.coordinates.sample(walkers, psi, step, 1, stream)
            walkers, turned = self.exchange.sample(walkers, psi, step, self.exchanges, stream)
            found[0].append(moved)
            found[1].append(turned)
        moved, turned = (_joined(parts) for parts in found)
        bad = moved.nonfinite + turned.nonfinite
        return walkers, Counts(moved.accepted, moved.tried, bad, moved.walkers, (turned,))


def _joined(parts: list) -> Counts:
    """The counts of several calls, looked at once."""
    if isinstance(parts[0], Unseen):
        moved, bad, steps = (
            sum(x) for x in zip(*((p.moved, p.bad, p.steps) for p in parts), strict=True)
        )
        return Unseen(moved, bad, steps).seen
    return Counts(
        sum(p.accepted for p in parts),
        sum(p.tried for p in parts),
        sum(p.nonfinite for p in parts),
        np.sum([p.walkers for p in parts if p.walkers is not None], axis=0),
    )
