"""Pair excitations of a determinant of plane waves that conserve momentum, by symmetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.geometry.box import Box
from vmcnet.wavefunctions.excitations import Entries
from vmcnet.wavefunctions.plane_waves import paired, real_waves

LEAST = 1e-9  # coefficients of a class below this are rounding


def symmetries(box: Box, *sets: Any) -> list[np.ndarray]:
    """Matrices (d, d) of integers: the permutations and reflections of the axes that leave the
    lengths and every one of the sets of integers (m, d) as they are; with a twist the identity.
    """
    d = box.dimensions
    if box.twist.any():
        return [np.eye(d, dtype=np.int64)]
    known, found = [{tuple(m) for m in s.tolist()} for s in sets], []
    for order in permutations(range(d)):
        if not np.array_equal(box.lengths[list(order)], box.lengths):
            continue
        for signs in product((1, -1), repeat=d):
            g = np.diag(signs) @ np.eye(d, dtype=np.int64)[list(order)]
            if all(
                {tuple(m) for m in (s @ g.T).tolist()} == k
                for s, k in zip(sets, known, strict=True)
            ):
                found.append(g)
    return found


@dataclass(frozen=True)
class PairClasses:
    """Excitations of two particles from the occupied waves into `virtual` ones, a coefficient a
    class.

    unlike, up, down: Entries over ratios R[a, b] of either spin, index a len(virtual) + b, for a
    pair of both spins and for pairs of one (there R[a, b] R[c, d] - R[a, d] R[c, b]). labels: of
    every class the squares of the waves that it empties and fills, and its number of members, which
    are ((k, l, q, p), sign): integers of the waves k -> q, l -> p; like pairs count for both spins
    where these are filled alike.
    """

    virtual: np.ndarray
    unlike: Entries
    up: Entries
    down: Entries
    labels: tuple
    members: tuple

    def __len__(self) -> int:
        return len(self.labels)


def _transform(box: Box, integers: np.ndarray) -> np.ndarray:
    """U (orbitals, waves): a wave exp(i k.r) as a sum of the orbitals cos(K.r + b) that stand for
    `integers`, in their order; the identity where the set has no real orbitals.
    """
    found = real_waves(box, integers)
    if found is None:
        return np.eye(len(integers), dtype=complex)
    waves, angles = found[0].T, found[1]
    out = np.zeros((len(waves), len(integers)), complex)
    for column, k in enumerate(box.wave_vectors(integers)):
        for sign in (1, -1):
            same = np.abs(waves - sign * k).max(axis=1) < 1e-9 * (2 * np.pi / box.lengths.max())
            for a in np.flatnonzero(same):
                out[a, column] = 1.0 if angles[a] == 0.0 else sign * 1j
    return out


def _classes(terms: list, images: Callable) -> list[list]:
    """The terms in classes of symmetry: lists of (term, sign). images(term) -> (term, sign) of all
    elements of the group; a term that the group maps onto its own negative belongs to none.
    """
    left, out = dict.fromkeys(terms), []
    while left:
        total: dict[tuple, int] = {}
        for term, sign in images(next(iter(left))):
            total[term] = total.get(term, 0) + sign
        for term in total:
            left.pop(term, None)
        members = [(term, 1.0 if sign > 0 else -1.0) for term, sign in total.items() if sign]
        if members:
            out.append(members)
    return out


def pair_classes(box: Box, up: Any, down: Any, virtual: Any) -> PairClasses:
    """The classes of pair excitations of occupied integers up (m, d) and down (m', d) into virtual
    ones (v, d), none of which is occupied: all k, l -> q, p of equal sum.

    Where up and down are the same, a class holds both spins' members. Every class is normalised by
    1/sqrt(members) and, where -k is there with every k (no twist, or one of pi), real in the
    orbitals cos and sin: the class of k, l -> q, p is that of -k, -l -> -q, -p.
    """
    group: list = [g.__matmul__ for g in symmetries(box, up, down, virtual)]
    if box.twist.any() and all(paired(box, s) is not None for s in (up, down, virtual)):
        turns = np.rint(box.twist / np.pi).astype(np.int64)  # k = (2 pi m + theta)/L
        group.append(lambda m: -m - turns)
    both = np.array_equal(up, down)
    a, b, v = ([tuple(m) for m in s.tolist()] for s in (up, down, virtual))

    def equal(k: Any, l: Any, q: Any, p: Any) -> bool:
        return all(w + x == y + z for w, x, y, z in zip(k, l, q, p, strict=True))

    unlike = [t for t in product(a, b, v, v) if equal(*t)]

    def turned(g: Any, t: tuple) -> tuple:
        return tuple(tuple(g(np.array(m)).tolist()) for m in t)

    def spins(t: tuple) -> Iterator[tuple]:
        for g in group:
            k, l, q, p = turned(g, t)
            yield (k, l, q, p), 1
            if both:
                yield (l, k, p, q), 1

    def ordered(t: tuple) -> Iterator[tuple]:
        for g in group:
            k, l, q, p = turned(g, t)
            swaps = (k > l) + (q > p)
            yield (*sorted((k, l)), *sorted((q, p))), 1 - 2 * (swaps % 2)

    def like(s: Array) -> list:
        return [t for t in product(s, s, v, v) if t[0] < t[1] and t[2] < t[3] and equal(*t)]

    found = [("unlike", c) for c in _classes(unlike, spins)]
    found += [("both" if both else "up", c) for c in _classes(like(a), ordered)]
    if not both:
        found += [("down", c) for c in _classes(like(b), ordered)]
    maps = [_transform(box, s) for s in (up, down)]
    filled = _transform(box, virtual)
    places = [{k: n for n, k in enumerate(s)} for s in (a, b, v)]
    lists: dict[str, list] = {"unlike": [], "up": [], "down": []}
    labels: list[str] = []
    kept: list[tuple] = []
    for kind, members in found:
        spin = {"unlike": (0, 1), "both": (0, 0), "up": (0, 0), "down": (1, 1)}[kind]
        entries = _entries(members, spin, maps, filled, places, len(v))
        if entries is None:
            continue
        for name in {"both": ("up", "down")}.get(kind, (kind,)):
            lists[name].append((len(labels), *entries))
        (k, l, q, p), _ = members[0]
        kept.append(tuple(members))
        squares = [sum(x * x for x in m) for m in (k, l, q, p)]
        labels.append(
            f"{'unlike' if kind == 'unlike' else 'like'} {squares[0]},{squares[1]}>"
            f"{squares[2]},{squares[3]} x{len(members)}"
        )
    unlike_, ups, downs = (_joined(lists[name]) for name in ("unlike", "up", "down"))
    return PairClasses(virtual, unlike_, ups, downs, tuple(labels), tuple(kept))


def _entries(
    members: list, spin: tuple[int, int], maps: list, filled: np.ndarray, places: list, count: int
) -> Any:
    """first, second, value of one class in the basis of orbitals, or None where it vanishes."""
    inverse = [np.linalg.inv(m) for m in maps]
    total: dict[tuple, complex] = {}
    for (k, l, q, p), own in members:
        for fill, sign in (((q, p), 1.0), ((p, q), -1.0))[: 1 if spin == (0, 1) else 2]:
            rows = [
                (inverse[s][places[s][x]], filled[:, places[2][y]])
                for s, x, y in zip(spin, (k, l), fill, strict=True)
            ]
            pairs = [
                [
                    (a * count + b, ra[a] * vb[b])
                    for a in np.flatnonzero(ra)
                    for b in np.flatnonzero(vb)
                ]
                for ra, vb in rows
            ]
            for i, x in pairs[0]:
                for j, y in pairs[1]:
                    total[i, j] = total.get((i, j), 0.0) + own * sign * x * y
    scale = 1.0 / np.sqrt(len(members))
    real = maps[0].imag.any() or maps[1].imag.any() or filled.imag.any()
    kept = {ij: z * scale for ij, z in total.items() if abs(z.real if real else z) > LEAST}
    if not kept:
        return None
    first, second = (np.array(x, np.int64) for x in zip(*sorted(kept), strict=True))
    value = np.array([kept[ij] for ij in sorted(kept)])
    return first, second, value.real


def _joined(parts: Any) -> Entries:
    if not parts:
        return Entries(*(np.empty(0, t) for t in (np.int64, np.int64, np.int64, np.float64)))
    return Entries(
        np.concatenate([np.full(len(f), o, np.int64) for o, f, _, _ in parts]),
        *(np.concatenate(x) for x in list(zip(*parts, strict=True))[1:]),
    )
