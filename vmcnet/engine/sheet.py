"""What an iteration must see of walkers that may be on a device, brought to the host at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, on_host, seen
from vmcnet.sampling.sampler import Counts, Unseen


class Sheet:
    """What is to be seen of the walkers of a run of blocks: the numbers (K, B W) of their energies,
    or None, and their counts. `look` brings those of several runs to the host.
    """

    def __init__(self, numbers: Array | None, counts: Any, blocks: int) -> None:
        self.numbers, self.counts, self._blocks = numbers, counts, blocks

    def arrays(self) -> list[Array]:
        """What is not on the host yet, in float64, which holds every count."""
        device = [] if self.numbers is None or on_host(self.numbers) else [self.numbers]
        if isinstance(self.counts, Unseen):
            pair = namespace(self.counts.moved).stack([self.counts.moved, self.counts.bad])
            device.append(pair.astype(np.float64))
        return device

    def take(self, found: Iterator) -> None:
        """The same arrays from the host."""
        if self.numbers is not None and not on_host(self.numbers):
            self.numbers = next(found)
        if isinstance(self.counts, Unseen):
            moved, bad = next(found).astype(np.int64)
            self.counts = Counts.of(moved, bad, self.counts.steps)

    @cached_property
    def parts(self) -> list[tuple[Any, Counts]]:
        """Numbers (K, W) or None, and counts, of every block; to be asked after `look`."""
        counts, x = self.counts.parted(self._blocks), self.numbers
        if x is None:
            return [(None, c) for c in counts]
        own = x.shape[1] // self._blocks
        return [(x[:, k * own : (k + 1) * own], c) for k, c in enumerate(counts)]


def look(sheets: Iterable[Sheet]) -> None:
    """Bring the sheets to the host: one copy for all that is on a device."""
    different = list({id(sheet): sheet for sheet in sheets}.values())
    arrays = [array for sheet in different for array in sheet.arrays()]
    found = iter(seen(arrays))
    for sheet in different:
        sheet.take(found)
