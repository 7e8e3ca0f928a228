"""What a sampler is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vmcnet.arguments import recorded
from vmcnet.backend.arrays import Array, namespace, on_host, to_host
from vmcnet.walkers import Walkers

DRAWN = 2**23  # random numbers of a block that are kept at once


def groups(steps: int, numbers: int) -> list[int]:
    """Step counts that add up to `steps`: as many together as their random numbers, `numbers` a
    step, are at most DRAWN. They follow from shapes alone, so that all ranks draw alike.
    """
    most = max(1, DRAWN // max(1, numbers))
    whole, rest = divmod(steps, most)
    return [most] * whole + [rest] * (rest > 0)


@dataclass(frozen=True)
class Counts:
    """Accepted and tried moves, proposals whose log psi was NaN, and the accepted moves of every
    walker (W,), on the host; others: the counts of moves of other kinds made in turn with these;
    bad (W,): the NaN proposals of every walker, where they are known.
    """

    accepted: int
    tried: int
    nonfinite: int
    walkers: np.ndarray | None = None
    others: tuple[Counts, ...] = ()
    bad: np.ndarray | None = None

    @classmethod
    def of(cls, moved: Array, bad: Array, steps: int) -> Counts | Unseen:
        """From the accepted and the NaN proposals of every walker (W,), of `steps` each."""
        if not on_host(moved):
            return Unseen(moved, bad, steps)
        return cls(int(moved.sum()), steps * len(moved), int(bad.sum()), moved, bad=bad)

    def parted(self, blocks: int) -> list[Counts]:
        """Those of every block, where the walkers of several stand one after the other."""
        if blocks == 1 or self.walkers is None:
            return [self] * blocks  # no move was tried
        steps = self.tried // len(self.walkers)
        bad = np.zeros_like(self.walkers) if self.bad is None else self.bad
        pairs = zip(np.split(self.walkers, blocks), np.split(bad, blocks), strict=True)
        return [Counts.of(*pair, steps).seen for pair in pairs]

    @property
    def seen(self) -> Counts:
        """These counts, on the host."""
        return self

    @property
    def stuck(self) -> int:
        """Walkers that accepted none of their moves."""
        return 0 if self.walkers is None else int((self.walkers == 0).sum())


@dataclass(frozen=True)
class Unseen:
    """Counts that are still on a device: accepted and NaN proposals of every walker (W,), of
    `steps` each. To look at them means waiting.
    """

    moved: Array
    bad: Array
    steps: int

    @property
    def seen(self) -> Counts:
        moved, bad = to_host(namespace(self.moved).stack([self.moved, self.bad]))
        return Counts(int(moved.sum()), self.steps * len(moved), int(bad.sum()), moved, bad=bad)


class Sampler(Protocol):
    """Moves the walkers of a block such that they follow |psi|^2.

      sample(walkers, psi, step, steps, stream) -> (walkers, counts)

    walkers: renewed for the bound psi, see Bound.renew: with log_psi or with a LocalUpdate; those
    returned too. All random numbers come from `stream`, so that they belong to the block. `step` is
    the step size, in units of the system's length.

    name: as job files call it. target: the acceptance that the step size is tuned to, None where
    moves have no size. move: SpinMove or ParticleMove where a move touches that much alone and psi
    may answer with a LocalUpdate, else None. kinds: what it moves, of coordinates, spins, colours.
    rowwise = True, in the class itself: walkers of several blocks may be sampled together, the
    streams being Streams.
    check raises ValueError for a wavefunction or a system that the sampler does not serve.
    """

    name: str = "sampler"
    target: float | None = None
    move: type | None = None
    kinds: tuple[str, ...] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = recorded(cls.__init__)  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<sampler {self.name}>"

    def check(self, system: Any, wavefunction: Any) -> None: ...

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts | Unseen]: ...
