"""Pair excitations of a determinant: which orbitals are replaced together, in classes that keep
the symmetry of the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

LEAST = 1e-9  # entries of a class below this are rounding
MOST_PAIRS = 100_000  # pairs of occupied orbitals times pairs of empty ones


@dataclass(frozen=True)
class Entries:
    """value[t] of the products R[first[t]] R'[second[t]] in class class_[t]; ratios R flattened,
    index a len(virtual) + b for occupied orbital a and virtual b.
    """

    class_: np.ndarray
    first: np.ndarray
    second: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class PairExcitations:
    """sum_o c_o T_o, T_o a form of second degree in the ratios R = A^-1 V of either spin.

    virtual: columns of the orbital set that are filled. unlike: T_o of ratios up and down; up,
    down: of ratios of one spin. labels: what every class empties and fills.

    There are no singles: closed shells of plane waves have none of equal momentum, and in a trap
    they explain nothing of the variance of E_L beside backflow. There are no triples: into two
    shells they would gain about 2e-6 hartree an electron in the electron gas of 14 at r_s = 2, with
    ten times as many products (docs/energies.md).
    """

    virtual: tuple[int, ...]
    unlike: Entries
    up: Entries
    down: Entries
    labels: tuple

    def __len__(self) -> int:
        return len(self.labels)

    def places(self, other: PairExcitations) -> list[int]:
        """Of every class of `other` where it stands among these; ValueError where it does not."""
        known = {key: k for k, key in enumerate(self._keys())}
        wanted = other._keys()
        if not known.keys() >= set(wanted):
            raise ValueError("excitations: classes that the larger set does not have")
        return [known[key] for key in wanted]

    def _keys(self) -> list[frozenset]:
        """What each class is made of, by columns of the orbital set."""
        found: list[set] = [set() for _ in self.labels]
        for kind in ("unlike", "up", "down"):  # its attributes
            part, size = getattr(self, kind), len(self.virtual)
            for o, i, j, x in zip(part.class_, part.first, part.second, part.value, strict=True):
                (a, b), (c, d) = divmod(int(i), size), divmod(int(j), size)
                filled = self.virtual[b], self.virtual[d]
                found[o].add((kind, a, c, *filled, round(float(x), 6)))
        return [frozenset(entries) for entries in found]


def rotations(labels: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Matrices (K, K) of x_a d/dx_b - x_b d/dx_a on oscillator functions `labels`, all a < b; None
    in one dimension. The functions must fill whole shells.
    """
    place = {n: k for k, n in enumerate(labels)}
    out = []
    for a in range(len(labels[0])):
        for b in range(a + 1, len(labels[0])):
            matrix = np.zeros((len(labels), len(labels)))
            for n, k in place.items():
                for up, down, sign in ((a, b, 1.0), (b, a, -1.0)):
                    if n[down]:
                        moved = list(n)
                        moved[up] += 1
                        moved[down] -= 1
                        size = np.sqrt((n[up] + 1) * n[down])
                        matrix[place[tuple(moved)], k] += sign * size
            out.append(matrix)
    return out


def whole_shells(labels: Any, occupied: Sequence[int]) -> bool:
    """Whether `occupied` holds with a label all of its shell."""
    shells = [sum(labels[k]) for k in occupied]
    return all(shells.count(n) == sum(sum(label) == n for label in labels) for n in set(shells))


def null_space(matrix: np.ndarray) -> np.ndarray:
    """Rows that span {x: matrix x = 0}, orthonormal, each with as few leading columns as can be:
    reduced echelon form first, so that they depend on the matrix alone.
    """
    a = matrix.T @ matrix if len(matrix) > matrix.shape[1] else matrix.copy()
    pivots, row = [], 0
    for column in range(a.shape[1]):
        if row == len(a):
            break
        best = row + int(np.abs(a[row:, column]).argmax())
        if abs(a[best, column]) < 1e-9:
            continue
        a[[row, best]] = a[[best, row]]
        a[row] /= a[row, column]
        others = np.arange(len(a)) != row
        a[others] -= np.outer(a[others, column], a[row])
        pivots.append(column)
        row += 1
    free = [k for k in range(a.shape[1]) if k not in pivots]
    rows = np.zeros((len(free), a.shape[1]))
    for n, k in enumerate(free):
        rows[n, k] = 1.0
        rows[n, pivots] = -a[: len(pivots), k]
    out: list[np.ndarray] = []
    for x in rows:
        for y in out:
            x = x - (x @ y) * y
        out.append(x / np.linalg.norm(x))
    return np.array(out).reshape(-1, a.shape[1])


def shell_pairs(labels: Any, up: Any, down: Any, virtual: Any) -> PairExcitations:
    """The classes of two particles of an oscillator lifted from `up`, `down` into `virtual`, all
    columns of `labels`.

    Of whole shells a class is a form that no rotation or reflection changes: total angular momentum
    and parity stay; of open shells, one excitation that keeps the parity of every axis. Where up
    and down are alike, spins may be exchanged. Every class has norm 1.
    """
    labels = [tuple(n) for n in labels]
    count = max(len(up), len(down)) ** 2 * len(virtual) ** 2
    if count > MOST_PAIRS:
        raise ValueError(
            f"excitations of {count} pairs of orbitals into pairs: expected at most {MOST_PAIRS}, "
            "take fewer shells"
        )
    closed = all(whole_shells(labels, s) for s in (up, down, virtual))
    both = up == down and len(up) > 0
    lists: dict[str, list] = {"unlike": [], "up": [], "down": []}
    names: list[str] = []
    spins = [("unlike", up, down)] * bool(up and down)
    spins += [("both" if both else "up", up, up)] + [("down", down, down)] * (not both)
    for kind, first, second in spins:
        for words, tensor in _classes(labels, first, second, virtual, kind, closed, both):
            i, j = np.nonzero(np.abs(tensor) > LEAST)
            for name in ("up", "down") if kind == "both" else (kind,):
                lists[name].append((np.full(len(i), len(names)), i, j, tensor[i, j]))
            names.append(f"{'unlike' if kind == 'unlike' else 'like'} {words}")
    unlike, ups, downs = (_joined(lists[k]) for k in ("unlike", "up", "down"))
    return PairExcitations(tuple(virtual), unlike, ups, downs, tuple(names))


def _joined(parts: Any) -> Entries:
    if not parts:
        parts = [tuple(np.empty(0, t) for t in (np.int64, np.int64, np.int64, np.float64))]
    class_, first, second, value = (np.concatenate(x) for x in zip(*parts, strict=True))
    whole = [x.astype(np.int64) for x in (class_, first, second)]
    return Entries(whole[0], whole[1], whole[2], value)


def _classes(
    labels: Any, first: Any, second: Any, virtual: Any, kind: Any, closed: bool, both: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """(words, matrix (m v, m' v)) of every class of pairs of these spins."""
    shells = lambda s: sorted({sum(labels[k]) for k in s})  # noqa: E731
    for k, l, q, p in product(shells(first), shells(second), shells(virtual), shells(virtual)):
        like, swapped = kind != "unlike", (l, k, p, q)
        if (like and (k > l or q > p)) or (kind == "unlike" and both and (k, l, q, p) > swapped):
            continue
        sets = [
            [n for n in s if sum(labels[n]) == shell]
            for s, shell in zip((first, second, virtual, virtual), (k, l, q, p), strict=True)
        ]
        for x in _invariants(labels, sets, (k, l, q, p), like, both, closed):
            tensor = np.zeros((len(first), len(virtual), len(second), len(virtual)))
            for (a, b, c, d), value in x:
                at = first.index(a), virtual.index(c), second.index(b), virtual.index(d)
                tensor[at] += value
                if like:
                    tensor[at[0], at[3], at[2], at[1]] -= value
                elif both and (k, l, q, p) != swapped:
                    tensor[at[2], at[3], at[0], at[1]] += value
            size = np.linalg.norm(tensor)
            if size > LEAST:
                shape = len(first) * len(virtual), len(second) * len(virtual)
                yield f"{k},{l}>{q},{p}", (tensor / size).reshape(shape)


def _invariants(
    labels: Any, sets: Any, shells: Any, like: Any, both: bool, closed: bool
) -> Iterator[list]:
    """Forms sum value (a, b -> c, d) over orbitals of four shells, each a list of
    ((a, b, c, d), value).
    """
    even = [
        t
        for t in product(*sets)
        if all(sum(labels[n][axis] for n in t) % 2 == 0 for axis in range(len(labels[0])))
    ]
    place = {t: n for n, t in enumerate(even)}
    # antisymmetric in (a, b) and (c, d) where spins are equal, symmetric under (a, c) <-> (b, d)
    # where those of both kinds may be exchanged
    maps = []
    if like:
        maps += [((1, 0, 2, 3), -1.0)] * (shells[0] == shells[1])
        maps += [((0, 1, 3, 2), -1.0)] * (shells[2] == shells[3])
    elif both and shells == (shells[1], shells[0], shells[3], shells[2]):
        maps += [((1, 0, 3, 2), 1.0)]
    rows = []
    for order, sign in maps:
        for t, n in place.items():
            row = np.zeros(len(even))
            row[n] += 1.0
            row[place[tuple(t[k] for k in order)]] -= sign
            rows.append(row)
    if closed:
        everything: dict[tuple, np.ndarray] = {}
        for generator in rotations(labels):
            for t, n in place.items():
                for axis in range(4):
                    for to in np.flatnonzero(generator[:, t[axis]]).tolist():
                        moved = (*t[:axis], to, *t[axis + 1 :])
                        key = id(generator), moved
                        row = everything.setdefault(key, np.zeros(len(even)))
                        row[n] += generator[to, t[axis]]
        rows += list(everything.values())
    if not even:
        return
    found = null_space(np.array(rows).reshape(-1, len(even)))
    for x in found:
        yield [(t, x[n]) for t, n in place.items() if abs(x[n]) > LEAST]
