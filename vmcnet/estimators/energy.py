"""Local energies of a block, and the row of numbers by which a block joins the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace, read_only, to_host
from vmcnet.statistics.moments import merge_rows
from vmcnet.walkers import Psi, Walkers


@dataclass(frozen=True)
class LocalEnergies:
    """E_L (W,) and the terms (name -> (W,)), real or complex."""

    total: Array
    terms: dict

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
    """Layout of a block's row: what all ranks learn of a block in the one all-gather of an
    iteration.

    count, median and mean absolute deviation of E_L, accepted, tried, non-finite, stop flag, hash
    of theta (two exact halves), walkers that accepted no move, mean of Im E_L, accepted and tried
    moves of other kinds, then mean and M2 of E_L and of every term (real parts).
    """

    FIXED = (
        "count",
        "median",
        "deviation",
        "accepted",
        "tried",
        "nonfinite",
        "stop",
        "hash_high",
        "hash_low",
        "stuck",
        "imaginary",
        "others_accepted",
        "others_tried",
    )

    def __init__(self, terms: dict) -> None:
        self.names = ["energy", *terms]
        self.length = len(self.FIXED) + 2 * len(self.names)

    def make(
        self, energies: LocalEnergies | None, counts: list, stop: int, hash64: int
    ) -> np.ndarray:
        """The rows (B, length) of B blocks with the Counts `counts`, whose walkers stand one after
        the other in `energies`.
        """
        rows = np.zeros((len(counts), self.length))
        rows[:, 6:9] = stop, hash64 >> 32, hash64 & 0xFFFFFFFF
        for row, count in zip(rows, counts, strict=True):
            row[3:6] = count.accepted, count.tried, count.nonfinite
            row[9] = count.stuck
            others = [(c.accepted, c.tried) for c in count.others]
            row[11:13] = np.sum(others, axis=0) if others else 0.0
        if energies is not None:
            xp = namespace(energies.total)
            stacked = to_host(
                xp.stack([e.real for e in (energies.total, *energies.terms.values())])
            ).astype(np.float64, copy=False)
            stacked = stacked.reshape(len(stacked), len(rows), -1)
            total = stacked[0]
            rows[:, 0] = total.shape[1]
            rows[:, 1] = np.median(total, axis=1)
            rows[:, 2] = np.abs(total - rows[:, 1:2]).mean(axis=1)
            rows[:, 5] += (~np.isfinite(total)).sum(axis=1)
            if energies.total.dtype.kind == "c":
                rows[:, 10] = to_host(energies.total.imag).reshape(len(rows), -1).mean(axis=1)
            mean = stacked.mean(axis=2)
            rows[:, len(self.FIXED) :: 2] = mean.T
            deviations = stacked - mean[..., None]
            rows[:, len(self.FIXED) + 1 :: 2] = (deviations * deviations).sum(axis=2).T
        return rows

    def read(self, rows: np.ndarray) -> Summary:
        """Merge the rows of all blocks (B, length), in block order."""
        base = len(self.FIXED)
        merged = (
            merge_rows(rows[:, 0], rows[:, base::2], rows[:, base + 1 :: 2])
            if rows[:, 0].all()
            else None
        )
        return Summary(self.names, merged, rows)


@dataclass(frozen=True)
class Summary:
    """An iteration as all ranks see it; observed: means over all walkers of what was observed."""

    names: list
    moments: Any  # Moments; None where no energies were measured
    rows: np.ndarray
    observed: dict = field(default_factory=dict)

    @property
    def energy(self) -> float:
        return float(self.moments.mean[0])

    @property
    def complex_energy(self) -> complex:
        """<E> with the imaginary part that a finite sample of a complex psi has."""
        return complex(self.energy, self.rows[:, 10].mean())

    @property
    def variance(self) -> float:
        return float(self.moments.m2[0] / (self.moments.count - 1))

    @property
    def terms(self) -> dict:
        return {n: float(m) for n, m in zip(self.names[1:], self.moments.mean[1:], strict=True)}

    @property
    def median(self) -> float:
        """Median of the blocks' medians of E_L."""
        return float(np.median(self.rows[:, 1]))

    def window(self, k: float) -> tuple[float, float]:
        """Centre and half width of a clipping window: median of the blocks' medians, k times the
        mean of their mean absolute deviations.
        """
        return self.median, k * float(self.rows[:, 2].mean())

    @property
    def accepted(self) -> int:
        return int(self.rows[:, 3].sum())

    @property
    def tried(self) -> int:
        return int(self.rows[:, 4].sum())

    @property
    def others(self) -> dict:
        """exchange_acceptance, where exchanges of labels are made in turn with other moves."""
        accepted, tried = self.rows[:, 11:13].sum(axis=0).tolist()
        return {"exchange_acceptance": accepted / tried} if tried else {}

    @property
    def nonfinite(self) -> int:
        return int(self.rows[:, 5].sum())

    @property
    def first_nonfinite_block(self) -> int:
        return int(np.flatnonzero(self.rows[:, 5])[0])

    @property
    def stop(self) -> int:
        return int(self.rows[:, 6].max())

    @property
    def stuck(self) -> int:
        return int(self.rows[:, 9].sum())

    @property
    def same_theta(self) -> bool:
        return bool((self.rows[:, 7:9] == self.rows[0, 7:9]).all())


def clipped(energies: LocalEnergies, centre: float, width: float) -> Array:
    """E_L with its real part limited to centre +- width, its imaginary part to +- width, (W,)."""
    xp, total = namespace(energies.total), energies.total
    real = xp.clip(total.real, centre - width, centre + width)
    return real + 1j * xp.clip(total.imag, -width, width) if total.dtype.kind == "c" else real


def centred(total: Array, mean: complex) -> Array:
    """conj(E_L - <E>) (W,) of local energies (W,), real or complex: the weights of the gradient
    before they are divided by the number of walkers.

    With the complex mean the gradient does not change where psi is multiplied by a phase that
    depends on the parameters.
    """
    return (total - (mean if total.dtype.kind == "c" else mean.real)).conj()
