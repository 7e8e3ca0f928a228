"""The observables of an evaluation: measured block by block, on a device together, joined by the
iteration's one collective, kept as running moments of single walkers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.engine.together import joined as one_after_the_other
from vmcnet.kernels.numba_merge import MAXIMUM, MEAN, SUM
from vmcnet.observables.base import joined, refuse_others
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import rowwise

SERIES = 64  # components up to which the mean over all walkers is kept of every measurement
LARGEST = 2**18  # numbers (components x walkers) up to which every walker has moments of its own
IMAGINARY = 1e-10  # imaginary parts up to this share of the modulus are rounding


class ObservableError(ValueError):
    """An observable gave what is no (W, K) of finite real numbers."""


@dataclass
class Halves:
    """Running mean and sum of squared deviations (Welford) of K quantities of every walker, or
    group of walkers, in both halves of an evaluation: mean and m2 (own blocks, 2, K, G).
    """

    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def empty(cls, blocks: int, components: int, groups: int, parts: int = 2) -> Halves:
        shape = (blocks, parts, components, groups)
        return cls(np.zeros(shape), np.zeros(shape))

    def add(self, index: int, half: int, count: int, x) -> None:
        """x (K, W) of the own block `index`, the count-th measurement (from 1) of its half."""
        groups = self.mean.shape[3]
        if x.shape[1] > groups:
            x = x.reshape(len(x), groups, -1).mean(axis=2)
        mean, m2 = self.mean[index, half], self.m2[index, half]
        delta = x - mean
        mean += delta / count
        m2 += delta * (x - mean)


def groups_of(block: int, blocks: int, components: int) -> int:
    """Into how many groups of equal size a block's walkers are joined: the largest divisor of the
    block with which all blocks together keep at most 2^18 numbers, and at least 1.
    """
    allowed = max(1, LARGEST // max(1, blocks * components))
    return max(g for g in range(1, block + 1) if block % g == 0 and g <= allowed)


class Observing:
    """What one evaluation measures of the walkers: the system's observables and `further` ones.

    A block's share of the row is, for every observable, its non-finite and its imaginary elements,
    minus the number of a block that has such ones and, up to 64 components, their means over the
    block. kinds: what every column is.
    """

    def __init__(self, system, further, block: int, blocks: int):
        self.observables = joined(system.observables, further)
        refuse_others(self.observables, system)
        self.sizes = {o.name: len(o.labels) for o in self.observables}
        self.groups = {name: groups_of(block, blocks, k) for name, k in self.sizes.items()}
        kept = [k if k <= SERIES else 0 for k in self.sizes.values()]
        kinds = [x for k in kept for x in (SUM, SUM, MAXIMUM, MAXIMUM, *k * [MEAN])]
        self.kinds = np.array(kinds, np.int64)
        self._block, self._latest = block, {}

    def moments(self, own: int, parts: int = 2) -> dict:
        """name -> Halves of the own blocks."""
        return {n: Halves.empty(own, k, self.groups[n], parts) for n, k in self.sizes.items()}

    def measure(self, groups: list, members: dict, psi) -> np.ndarray:
        """The share of the row of every own block (B, length); what was measured is kept for `add`.

        groups: blocks that are measured in one call where an observable is `rowwise`, and which of
        them are own ones.
        """
        rows = []
        for blocks, own in groups:
            found = [self._found(o, blocks, members, psi)[own] for o in self.observables]
            rows += [self._share(b, [x[k] for x in found]) for k, b in enumerate(blocks[own])]
        return np.stack(rows)

    def _found(self, observable, blocks: list, members: dict, psi) -> np.ndarray:
        """What an observable gives of every block (blocks, W, K), on the host."""
        calls = [blocks] if rowwise(observable) else [[b] for b in blocks]
        found = []
        for some in calls:
            w = one_after_the_other([members[b] for b in some], update=True)
            own = Walkers(w.r.copy(), w.s.copy(), w.log_psi, w.update)  # it may change r and s
            found.append(self._checked(observable, observable.measure(own, psi), len(some)))
        return np.concatenate(found).reshape(len(blocks), self._block, -1)

    def _share(self, block: int, measured: list) -> np.ndarray:
        """The share of the row of a block, of which every observable gave (W, K)."""
        row, self._latest[block] = [], {}
        for observable, x in zip(self.observables, measured, strict=True):
            bad = x.size - int(np.count_nonzero(np.isfinite(x)))
            imaginary = 0
            if x.dtype.kind == "c":
                imaginary = int((np.abs(x.imag) > IMAGINARY * (1.0 + np.abs(x))).sum())
                x = x.real
            x = np.ascontiguousarray(x.T, np.float64)  # (K, W)
            self._latest[block][observable.name] = x
            first = [-block if found else -np.inf for found in (bad, imaginary)]
            row.append(np.array([bad, imaginary, *first], float))
            if len(x) <= SERIES:
                row.append(x.mean(axis=1))
        return np.concatenate(row) if row else np.empty(0)

    def _checked(self, observable, x, blocks: int) -> np.ndarray:
        shape = (blocks * self._block, len(observable.labels))
        given = getattr(x, "shape", None), getattr(x, "dtype", None)  # it may return anything
        if given[0] != shape or given[1] is None or given[1].kind not in "bifuc":
            what = type(x).__name__ if given[0] is None else f"{given[0]} of {given[1]}"
            raise ObservableError(
                f"observable {observable.name}: measure returned {what}; expected real numbers of "
                f"shape {shape}, one row a walker and one column a label"
            )
        return to_host(x)

    def join(self, row: np.ndarray) -> dict:
        """observables/NAME/series -> means (K,) over all walkers, from the merged shares of all
        blocks.

        Raises ObservableError, on all ranks, where a number is NaN, infinite or imaginary.
        """
        found, start = {}, 0
        for name, size in self.sizes.items():
            bad, imaginary, first_bad, first_imaginary = row[start : start + 4]
            self._refuse(name, bad, first_bad, "NaN or infinite", "check its measure")
            cure = "return the real part where that is meant"
            self._refuse(name, imaginary, first_imaginary, "complex", cure)
            start += 4
            if 0 < size <= SERIES:
                found[f"observables/{name}/series"] = row[start : start + size]
                start += size
        return found

    @staticmethod
    def _refuse(name, count, minus_first, what, cure):
        if count:
            raise ObservableError(
                f"observable {name}: {int(count)} values are {what}, first in block "
                f"{-int(minus_first)}: {cure}"
            )

    def add(self, moments: dict, own, half: int, count: int) -> None:
        """Take the latest measurement of the own blocks into `moments`."""
        for index, block in enumerate(own):
            for name, x in self._latest[block].items():
                moments[name].add(index, half, count, x)
