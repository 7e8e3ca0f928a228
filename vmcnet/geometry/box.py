"""A periodic box: wrapping, minimum images, wave vectors and their shells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.jet import pair_arrays

DEGENERATE = 1e-9  # squares of wave vectors that agree to this part are one shell


@lru_cache(maxsize=64)
def _sent(xp: Any, numbers: tuple, dtype: Any) -> Array:
    """A tuple of numbers as an array of the namespace xp, sent to a device once."""
    return xp.asarray(np.array(numbers), dtype=dtype)


class Box:
    """A rectangular cell of the given lengths (d,), repeated periodically along every axis.

    twist theta (d,), radians in (-pi, pi]: psi(.., r_i + L_a e_a, ..) = exp(i theta_a) psi, so that
    the wave vectors of one particle are k = (2 pi m + theta)/L with integer m; 0 unless given.
    Coordinates r (..., d), numpy or cupy alike; lengths in the system's unit. Two boxes of equal
    lengths and twist are equal. Raises ValueError for lengths or a twist that make no box.
    Twisted boundaries: Lin, Zong, Ceperley, Phys. Rev. E 64, 016702 (2001), eq. 3.
    """

    def __init__(self, lengths: ArrayLike, twist: Sequence[float] | None = None) -> None:
        sides = tuple(float(x) for x in np.atleast_1d(np.asarray(lengths, np.float64)).ravel())
        angles = (0.0,) * len(sides) if twist is None else tuple(float(x) for x in twist)
        if not sides or not all(np.isfinite(x) and x > 0 for x in sides):
            raise ValueError(f"Box lengths {list(sides)}: expected one number above 0 a dimension")
        if len(angles) != len(sides) or not all(-np.pi <= x <= np.pi for x in angles):
            raise ValueError(
                f"Box twist {list(angles)}: expected one angle a dimension, {len(sides)}, each "
                "between -pi and pi"
            )
        self._key = sides, angles
        self.lengths, self.twist = np.array(sides), np.array(angles)
        self.dimensions, self.volume = len(sides), float(np.prod(sides))

    @classmethod
    def cube(cls, length: float, dimensions: int = 3, twist: Sequence[float] | None = None) -> Box:
        """The box of equal lengths: a square, a cube."""
        return cls([length] * dimensions, twist)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        turned = f", twist={list(self._key[1])}" if self.twist.any() else ""
        return f"Box({list(self._key[0])}{turned})"

    @property
    def cubic(self) -> bool:
        """Whether all lengths are equal."""
        return len(set(self._key[0])) == 1

    @property
    def even(self) -> bool:
        """Whether a twist and its opposite are one along every axis: 0, pi or -pi."""
        turned = np.abs(self.twist)
        return bool(np.all((turned == 0.0) | (np.abs(turned - np.pi) < DEGENERATE)))

    def _lengths(self, r: Array) -> Array:
        """The lengths (d,) in the namespace and type of r."""
        return _sent(namespace(r), self._key[0], r.dtype)

    def wrap(self, r: Array) -> Array:
        """r - L floor(r/L), in the cell [0, L): (..., d)."""
        xp, lengths = namespace(r), self._lengths(r)
        return r - lengths * xp.floor(r / lengths)

    def minimum_image(self, x: Array) -> Array:
        """x - L rint(x/L) of differences x (..., d), each component in [-L/2, L/2]."""
        xp, lengths = namespace(x), self._lengths(x)
        return x - lengths * xp.rint(x / lengths)

    def separations(self, r: Array) -> Array:
        """Minimum images of r_i - r_j of all pairs i < j: r (W, n, d) -> (W, n(n-1)/2, d)."""
        i, j = pair_arrays(namespace(r), r.shape[1])
        return self.minimum_image(r[:, i] - r[:, j])

    def wave_vectors(self, integers: np.ndarray, twisted: bool = True) -> np.ndarray:
        """(2 pi m + theta)/L of integers m (..., d), 1/length; without theta if not `twisted`."""
        turned = self.twist if twisted else 0.0
        return (2.0 * np.pi * np.asarray(integers, np.float64) + turned) / self.lengths

    def shells(self, count: int, twisted: bool = True) -> list[np.ndarray]:
        """The `count` lowest shells of wave vectors: integers m (members, d) of one |k|^2 each,
        lowest first, in lexicographic order within a shell.

        Squares that agree to 1e-9 of the larger (or of (2 pi/L)^2) belong to one shell.
        """
        reach = 1
        while True:
            cube = np.indices((2 * reach + 1,) * self.dimensions) - reach
            m = cube.reshape(self.dimensions, -1).T
            square = (self.wave_vectors(m, twisted) ** 2).sum(axis=-1)
            turned = np.abs(self.twist) if twisted else 0.0
            # every vector outside the cube of integers is longer than this
            complete = (((2.0 * np.pi * (reach + 1) - turned) / self.lengths) ** 2).min()
            order = np.lexsort((*m.T[::-1], square))
            m, square = m[order], square[order]
            tolerance = DEGENERATE * np.maximum(square, (2.0 * np.pi / self.lengths.max()) ** 2)
            starts = np.flatnonzero(np.diff(square) > tolerance[1:]) + 1
            shells = np.split(m, starts)
            whole = square[np.concatenate([starts - 1, [len(m) - 1]])] < complete * (1 - 1e-6)
            if whole.sum() >= count:
                return [s[np.lexsort(s.T[::-1])] for s in shells[:count]]
            reach += 1 + reach // 4

    def filled(self, count: int, last: ArrayLike | None = None) -> np.ndarray:
        """Integers (count, d) of the `count` lowest wave vectors of the box with its twist: whole
        shells, or whole shells and `last`, the integers of those occupied in the shell above.

        Raises ValueError where the last shell is left open without `last`, and for a `last` that
        is no part of that shell.
        """
        if count < 0:
            raise ValueError(f"filled needs at least 0 wave vectors, got {count}")
        shells, have = [], 0
        for shell in self.shells(count + 1):
            if have + len(shell) > count:
                break
            shells.append(shell)
            have += len(shell)
        closed = np.concatenate([np.empty((0, self.dimensions), np.int64), *shells])
        if have == count and last is None:
            return closed
        if last is None:
            sizes = np.cumsum([len(x) for x in self.shells(count + 3)])
            raise ValueError(
                f"{count} particles of one spin leave a shell of wave vectors open: name the "
                f"integers of the {count - have} occupied waves of its {len(shell)}, "
                f"{shell[:2].tolist()} ..., "
                f"or take {', '.join(map(str, sizes[sizes > have // 2][:5]))} particles, or "
                f"{'another twist, without such symmetry' if self.twist.any() else 'a twist'}"
            )
        last = np.asarray(last)
        known = {tuple(m) for m in shell.tolist()}
        given = [tuple(m) for m in last.tolist()] if last.ndim == 2 else []
        if len(given) != count - have or len(set(given)) != len(given) or not set(given) <= known:
            raise ValueError(
                f"waves of the last shell {last.tolist()}: expected {count - have} different ones "
                f"of {shell.tolist()}"
            )
        return np.concatenate([closed, np.array(given, np.int64).reshape(-1, self.dimensions)])
