"""Sets of one-particle functions that determinants are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from itertools import product
from math import comb
from operator import mul
from typing import Any, Protocol

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.excitations import PairExcitations, shell_pairs
from vmcnet.wavefunctions.reading import Parameters


class Orbitals(Protocol):
    """One-particle functions phi_k(r), k < size, ordered by energy.

    labels (size): the quantum numbers of each, a tuple of integers; energies (size) in any unit,
    equal ones for degenerate orbitals: what an open shell is. decays: whether all of them fall off
    fast enough to be normalised. box: the Box in which they are periodic, or None; twisted: whether
    they carry its twist.

      declare(layout, prefix)              adds parameters to a Layout, as prefix + name
      initial(prefix) -> {name: array}     their starting values
      matrix(ops, theta, prefix, x)        all orbitals at x (w, rows, d) -> (w, rows, size)
      envelope(ops, theta, prefix, r)      log of a factor common to all determinants, (w,), read at
                                           the particles' own positions, a sum over particles; or
                                           None
      excitations(up, down, shells)        the PairExcitations from occupied columns into so many
                                           empty shells; ValueError where it has none

    real: whether all of them are. A set of your own names this class as its base.
    """

    size: int
    labels: tuple
    energies: tuple
    decays: bool
    box: Any
    twisted: bool
    real: bool = True

    def declare(self, layout: Layout, prefix: str) -> None: ...

    def initial(self, prefix: str) -> dict: ...

    def matrix(self, ops: Interpreter, theta: Parameters, prefix: str, x: Handle) -> Handle: ...

    def envelope(
        self, ops: Interpreter, theta: Parameters, prefix: str, r: Handle
    ) -> Handle | None: ...

    def excitations(self, up: Sequence[int], down: Sequence[int], shells: int) -> PairExcitations:
        raise ValueError(
            f"Slater excitations: {type(self).__name__} has no classes of excitations; leave them "
            "out"
        )


class HermitePolynomials:
    """prod_a p_n(x_a), n = labels[k][a], of points x (..., d): p_n = H_n/sqrt(2^n n!), from p_n+1 =
    (2/(n+1))^(1/2) x p_n - (n/(n+1))^(1/2) p_n-1; p_n' = (2n)^(1/2) p_n-1.
    """

    def __init__(self, labels: Any) -> None:
        self._degrees = tuple(tuple(n) for n in np.array(labels, np.int64).T.tolist())  # (d, K)
        self._top = max(map(max, self._degrees))

    def _table(self, xp: Any, x: Array) -> Array:
        """p_n of every coordinate, (..., d, top + 1)."""
        p = xp.empty((*x.shape, self._top + 1), x.dtype)
        p[..., 0] = 1.0
        for n in range(self._top):
            step = (2.0 / (n + 1)) ** 0.5 * x * p[..., n]
            p[..., n + 1] = step - (n / (n + 1)) ** 0.5 * p[..., n - 1] if n else step
        return p

    def _columns(self, xp: Any, x: Array, order: int) -> list[list[Array]]:
        """For every coordinate the derivatives, up to this order, of every function's polynomial in
        it, (..., K) each.
        """
        table, out = self._table(xp, x), []
        for axis, degrees in enumerate(self._degrees):
            own = []
            for lowered in range(order + 1):
                index, factor = _lowered(xp, degrees, lowered, x.real.dtype)
                column = table[..., axis, :].take(index, axis=-1)
                own.append(column * factor if lowered else column)
            out.append(own)
        return out

    @staticmethod
    def _product(columns: list[list[Array]], *along: int) -> Array:
        """The derivative once along each of these coordinates."""
        parts = [own[along.count(axis)] for axis, own in enumerate(columns)]
        return reduce(mul, parts)

    def value(self, xp: Any, x: Array) -> Array:
        return self._product(self._columns(xp, x, 0))

    def derivatives(self, xp: Any, x: Array) -> tuple[Array, Array, Array]:
        columns, d = self._columns(xp, x, 2), range(len(self._degrees))
        first = [self._product(columns, a) for a in d]
        second = [self._product(columns, a, b) for a in d for b in d[a:]]
        return self._product(columns), xp.stack(first), xp.stack(second)


@lru_cache(maxsize=256)
def _lowered(xp: Any, degrees: tuple, order: int, dtype: Any) -> tuple[Array, Array]:
    """Where p_n^(order) lies in a table of p, and its factor: sqrt(2n) sqrt(2n - 2) ..."""
    factor = [np.prod([np.sqrt(2.0 * max(n - k, 0)) for k in range(order)]) for n in degrees]
    index = np.array([max(n - order, 0) for n in degrees], np.int64)
    return xp.asarray(index), xp.asarray(np.array(factor, dtype))


class HarmonicOrbitals(Orbitals):
    """Eigenfunctions of a harmonic trap: H_n(sqrt(alpha omega) x) of every axis, with the common
    factor exp(-alpha omega r^2 / 2); labels (n_x, n_y, ...), shells of equal sum.

    alpha > 0 is the one parameter, the width, 1 at the start: the exact orbitals without
    interaction. shells: how many are made, the lowest first; within a shell labels fall, (2, 0),
    (1, 1), (0, 2).
    """

    rowwise = True

    decays, box, twisted = True, None, False

    def __init__(self, dimensions: int, omega: float, shells: int) -> None:
        self.dimensions = arguments.whole("HarmonicOrbitals dimensions", dimensions, 1)
        self.omega = arguments.scale("HarmonicOrbitals omega", omega)
        self.shells = shells = arguments.whole("HarmonicOrbitals shells", shells, 1, 2000)
        grid = product(range(shells), repeat=dimensions)
        kept = [n for n in grid if sum(n) < shells]
        self.labels = tuple(sorted(kept, key=lambda n: (sum(n), [-k for k in n])))
        self.energies = tuple(sum(n) for n in self.labels)
        self.size = len(self.labels)
        self._functions = HermitePolynomials(self.labels)

    @classmethod
    def holding(
        cls, particles: int, dimensions: int, omega: float, more: int = 0
    ) -> HarmonicOrbitals:
        """Shells for so many particles of one spin, and `more` empty ones above."""
        shells = 1
        while comb(shells - 1 + dimensions, dimensions) < particles:
            shells += 1
        return cls(dimensions, omega, shells + more)

    def excitations(self, up: Sequence[int], down: Sequence[int], shells: int) -> PairExcitations:
        """Pairs lifted from the columns up and down into the next `shells` empty shells, and into
        what is empty in an open shell.
        """
        occupied = {*up, *down}
        top = max(sum(self.labels[k]) for k in occupied)
        below = [k for k, n in enumerate(self.labels) if sum(n) <= top + shells]
        virtual = [k for k in below if k not in occupied]
        if sum(self.labels[-1]) < top + shells:
            raise ValueError(
                f"excitations into {shells} shells: this set of {self.shells} has fewer above the "
                "occupied ones"
            )
        return shell_pairs(self.labels, tuple(up), tuple(down), tuple(virtual))

    def declare(self, layout: Layout, prefix: str) -> None:
        layout.add(f"{prefix}alpha", (), POSITIVE)

    def initial(self, prefix: str) -> dict[str, Array]:
        return {f"{prefix}alpha": np.float64(1.0)}

    def matrix(self, ops: Interpreter, theta: Parameters, prefix: str, x: Handle) -> Handle:
        return ops.applied(self._functions, x * (theta[f"{prefix}alpha"] * self.omega) ** 0.5)

    def envelope(
        self, ops: Interpreter, theta: Parameters, prefix: str, r: Handle
    ) -> Handle | None:
        return ops.total(r * r) * (theta[f"{prefix}alpha"] * (-0.5 * self.omega))


class UserOrbitals(Orbitals):
    """Orbitals that a user writes: function(ops, x) -> (w, rows, size) with the operations `ops`,
    from positions x (w, rows, d).

    labels: quantum numbers of each, a tuple of integers (0, 1, ... unless given); energies: equal
    ones mark open shells (all different unless given). decays: whether they fall off.
    """

    box, twisted = None, False

    def __init__(
        self,
        function: Callable,
        size: int,
        labels: Any = None,
        energies: Any = None,
        decays: bool = True,
    ) -> None:
        if not callable(function):
            raise ValueError(
                "UserOrbitals function must be a function of (ops, x), got "
                f"{arguments.shown(function)}"
            )
        self._function = function
        self.size = size = arguments.whole("UserOrbitals size", size, 1)
        self.decays = arguments.flag("UserOrbitals decays", decays)
        labels = [(k,) for k in range(size)] if labels is None else labels
        energies = range(size) if energies is None else energies
        self.labels = tuple(tuple(x) for x in labels)
        self.energies = tuple(float(e) for e in energies)
        if not len(self.labels) == len(self.energies) == self.size > 0:
            raise ValueError(
                f"UserOrbitals of size {size}: got {len(self.labels)} labels and "
                f"{len(self.energies)} energies"
            )
        if list(self.energies) != sorted(self.energies):
            raise ValueError("UserOrbitals energies must not fall: order the orbitals by energy")

    def declare(self, layout: Layout, prefix: str) -> None:
        pass

    def initial(self, prefix: str) -> dict[str, Array]:
        return {}

    def matrix(self, ops: Interpreter, theta: Parameters, prefix: str, x: Handle) -> Handle:
        out = self._function(ops, x)
        if out.shape != (*x.shape[:2], self.size):
            raise ValueError(
                f"the orbitals have shape {out.shape}; expected {(*x.shape[:2], self.size)}, "
                "all of them at all positions"
            )
        return out

    def envelope(
        self, ops: Interpreter, theta: Parameters, prefix: str, r: Handle
    ) -> Handle | None:
        return None
