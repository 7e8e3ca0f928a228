"""Local energies of a block, and the row of numbers by which a block joins the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, read_only, to_host
from vmcnet.kernels.numba_merge import MAXIMUM, MEAN, SUM
from vmcnet.statistics.moments import Moments
from vmcnet.walkers import Psi, Walkers


@dataclass(frozen=True)
class LocalEnergies:
    """E_L (W,) and the terms (name -> (W,)), real or complex; seen: their real parts (1 + terms, W)
    as float64 on the host, where they were looked at.
    """

    total: Array
    terms: dict
    seen: Any = None

    @property
    def real(self) -> np.ndarray:
        """Real parts of E_L and of the terms (1 + terms, W), float64 on the host."""
        if self.seen is not None:
            return self.seen
        return to_host(Row.numbers(self))[: 1 + len(self.terms)]

    def parted(self, cuts: list) -> list[LocalEnergies]:
        """Those of the walkers in every slice."""
        if len(cuts) == 1:
            return [self]
        return [
            LocalEnergies(self.total[c], {n: e[c] for n, e in self.terms.items()}) for c in cuts
        ]


def local_energies(terms: dict, walkers: Walkers, psi: Psi) -> LocalEnergies:
    """E_L = (H psi)/psi of every walker, term by term.

    Terms see arrays that they cannot write to. Raises ValueError where one writes, or returns
    another shape than (W,), or an imaginary part where psi is real.
    """
    frozen = replace(walkers, r=read_only(walkers.r), s=read_only(walkers.s))
    parts = {name: _local(name, term, frozen, psi) for name, term in terms.items()}
    total = None
    for part in parts.values():
        total = part if total is None else total + part
    return LocalEnergies(total, parts)


def _local(name: str, term: Any, walkers: Walkers, psi: Psi) -> Array:
    try:
        value = term.local(walkers, psi)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"the term {name!r} writes into the walkers' arrays, which are read-only: work on a "
            "copy, for example r = r.copy()"
        ) from error
    shape = getattr(value, "shape", None)  # a user's term may return anything
    if shape != walkers.s.shape[:1]:
        raise ValueError(
            f"the term {name!r} returned {f'shape {shape}' if shape else type(value).__name__}; "
            f"expected one number a walker, shape {walkers.s.shape[:1]}"
        )
    if value.dtype.kind not in "fcui":
        raise ValueError(f"the term {name!r} returned {value.dtype}; expected numbers")
    if value.dtype.kind == "c" and psi.is_real(walkers):
        if bool((value.imag != 0).any()):
            raise ValueError(
                f"the term {name!r} has an imaginary part, and psi is real: the energy would "
                "lose it"
            )
        value = value.real
    return value if value.dtype.kind in "fc" else value.astype(np.float64)


class Row:
    """Layout of a block's row: what an iteration tells of a block. The rows of all blocks are
    merged to one along their tree; `kinds` (length,) says how every column is.

    Sums: count of E_L, accepted, tried, non-finite, walkers that accepted no move, accepted and
    tried moves of other kinds. Maxima: stop flag, minus the number of a block that has what is not
    finite, the two exact halves of the hash of theta and minus them. Then the means of Im E_L, of
    E_L and of every term (real parts), and the M2 of these.
    """

    SUMS = ("count", "accepted", "tried", "nonfinite", "stuck", "others_accepted", "others_tried")
    MAXIMA = ("stop", "minus_first", "hash_high", "hash_low", "minus_high", "minus_low")
    FIXED = (*SUMS, *MAXIMA, "imaginary")

    def __init__(self, terms: Iterable[str]) -> None:
        self.names = ["energy", *terms]
        base, k = len(self.FIXED), len(self.names)
        self.length = base + 2 * k
        kinds = [SUM] * len(self.SUMS) + [MAXIMUM] * len(self.MAXIMA) + [MEAN] * (1 + k)
        self.kinds = np.array([*kinds, *range(base, base + k)])

    @staticmethod
    def numbers(energies: LocalEnergies) -> Array:
        """What a row tells of the walkers, float64 (1 + terms + 1, W), where these are: Re E_L, the
        real parts of the terms and, where E_L is complex, its imaginary part.
        """
        parts = [e.real for e in (energies.total, *energies.terms.values())]
        parts += [energies.total.imag] if energies.total.dtype.kind == "c" else []
        return namespace(energies.total).stack(parts).astype(np.float64, copy=False)

    def make(
        self,
        numbers: np.ndarray | None,
        counts: list,
        blocks: Iterable[int],
        stop: int,
        hash64: int,
    ) -> np.ndarray:
        """The rows (B, length) of B `blocks` with the Counts `counts` and the `numbers` of all
        their walkers, (K, B W) on the host; None: no energies were measured.
        """
        rows, base = np.zeros((len(counts), self.length)), len(self.FIXED)
        high, low = hash64 >> 32, hash64 & 0xFFFFFFFF
        rows[:, 9:13] = high, low, -high, -low
        rows[:, 7] = stop
        for row, count in zip(rows, counts, strict=True):
            row[1:5] = count.accepted, count.tried, count.nonfinite, count.stuck
            for other in count.others:
                row[5:7] += other.accepted, other.tried
        if numbers is not None:
            stacked, imaginary = np.split(
                numbers.reshape(len(numbers), len(rows), -1), [len(self.names)]
            )
            rows[:, 0] = stacked.shape[2]
            rows[:, 3] += (~np.isfinite(stacked[0])).sum(axis=1)
            if len(imaginary):
                rows[:, 13] = imaginary[0].mean(axis=1)
            mean = stacked.mean(axis=2)
            rows[:, base : base + len(mean)] = mean.T
            deviations = stacked - mean[..., None]
            rows[:, base + len(mean) :] = (deviations * deviations).sum(axis=2).T
        rows[:, 8] = [
            -block if bad else -np.inf for block, bad in zip(blocks, rows[:, 3], strict=True)
        ]
        return rows

    def read(self, row: np.ndarray) -> Summary:
        """What the merged row of all blocks (length,) says."""
        base, k = len(self.FIXED), len(self.names)
        fixed = dict(zip(self.FIXED, row.tolist(), strict=False))
        moments = Moments(row[0], row[base : base + k], row[base + k :]) if row[0] else None
        return Summary(self.names, moments, fixed)


@dataclass(frozen=True)
class Summary:
    """An iteration as all ranks see it; observed: means over all walkers of what was observed."""

    names: list
    moments: Any  # Moments; None where no energies were measured
    row: dict  # name -> number of the fixed columns
    observed: dict = field(default_factory=dict)

    @property
    def energy(self) -> float:
        return float(self.moments.mean[0])

    @property
    def complex_energy(self) -> complex:
        """<E> with the imaginary part that a finite sample of a complex psi has."""
        return complex(self.energy, self.row["imaginary"])

    @property
    def variance(self) -> float:
        return float(self.moments.m2[0] / (self.moments.count - 1))

    @property
    def terms(self) -> dict:
        return {n: float(m) for n, m in zip(self.names[1:], self.moments.mean[1:], strict=True)}

    @property
    def accepted(self) -> int:
        return int(self.row["accepted"])

    @property
    def tried(self) -> int:
        return int(self.row["tried"])

    @property
    def others(self) -> dict:
        """exchange_acceptance, where exchanges of labels are made in turn with other moves."""
        accepted, tried = self.row["others_accepted"], self.row["others_tried"]
        return {"exchange_acceptance": accepted / tried} if tried else {}

    @property
    def nonfinite(self) -> int:
        return int(self.row["nonfinite"])

    @property
    def first_nonfinite_block(self) -> int:
        return -int(self.row["minus_first"])

    @property
    def stop(self) -> int:
        return int(self.row["stop"])

    @property
    def stuck(self) -> int:
        return int(self.row["stuck"])

    @property
    def same_theta(self) -> bool:
        """Whether the largest and the smallest hash are the same."""
        return all(self.row[f"hash_{x}"] == -self.row[f"minus_{x}"] for x in ("high", "low"))


def medians(energies: Iterable[LocalEnergies]) -> np.ndarray:
    """(B, 2): the median of Re E_L and the mean absolute deviation from it, of B blocks."""
    total = np.stack([e.real[0] for e in energies])
    median = np.median(total, axis=1)
    return np.stack([median, np.abs(total - median[:, None]).mean(axis=1)], axis=1)


def clipped(total: Array, centre: float, width: float) -> Array:
    """E_L with its real part limited to centre +- width, its imaginary part to +- width, (W,)."""
    xp = namespace(total)
    real = xp.clip(total.real, centre - width, centre + width)
    return real + 1j * xp.clip(total.imag, -width, width) if total.dtype.kind == "c" else real


def centred(total: Array, mean: complex) -> Array:
    """conj(E_L - <E>) (W,) of local energies (W,), real or complex: the weights of the gradient
    before they are divided by the number of walkers.

    With the complex mean the gradient does not change where psi is multiplied by a phase that
    depends on the parameters.
    """
    return (total - (mean if total.dtype.kind == "c" else mean.real)).conj()
