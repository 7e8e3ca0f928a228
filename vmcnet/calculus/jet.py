"""A jet: value, coordinate derivatives and Laplacian of a quantity, slot first.

slots (S, W, ...): slot 0 the value, slots 1 .. S-2 the derivatives, slot S-1 the Laplacian.
`support` says with respect to which coordinates the derivative slots are kept (n particles, d
dimensions, coordinate c = i d + k):

  constant  S = 1          no dependence on coordinates
  own       S = d + 2      entry (w, i, ...) depends on particle i alone, or on rows[i] where a jet
                           has `rows`: particles that were taken out of all
  pair      S = 2 d + 2    entry (w, p, ...) depends on the two particles of pair p
  displacement  S = d + 2  entry (w, p, ...) depends on r_i - r_j of pair p = (i, j) alone:
  derivatives with respect to r_i, those with respect to r_j are their negatives; the Laplacian
  with respect to r_i - r_j, half of that with respect to both particles
  linear    S = 1          value here, derivatives in `jacobian` (n d, 1, F), the same for all
  walkers; Laplacian 0
  all       S = n d + 2    every coordinate

The forward Laplacian: Li et al., Nat. Mach. Intell. 6, 209 (2024), arXiv:2307.08214.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from vmcnet import kernels
from vmcnet.calculus.products import matmul
from vmcnet.kernels.plain import all_slots, own_slots, pair_slots

CONSTANT, OWN, PAIR, LINEAR, ALL = "constant", "own", "pair", "linear", "all"
DISPLACEMENT = "displacement"
PAIRED = (PAIR, DISPLACEMENT)  # axis 1 is that of the pairs
LOCAL = (OWN, *PAIRED)  # entries along axis 1 depend on one particle or pair each


@lru_cache(maxsize=64)
def pair_indices(n: int):
    """The particles (i, j) of all pairs i < j, in the order (0,1), (0,2), ...; two tuples of
    n(n-1)/2 integers.
    """
    i, j = np.triu_indices(n, 1)
    return tuple(i.tolist()), tuple(j.tolist())


@lru_cache(maxsize=64)
def pair_arrays(xp, n: int):
    """pair_indices as two integer arrays of the namespace xp, made (and sent to a device) once."""
    return tuple(xp.asarray(k, dtype=np.int64) for k in pair_indices(n))


@dataclass(frozen=True)
class Frame:
    """Number of particles and dimensions that the slots refer to."""

    n: int
    d: int

    @property
    def slots(self) -> dict[str, int]:
        return {
            CONSTANT: 1,
            OWN: self.d + 2,
            PAIR: 2 * self.d + 2,
            DISPLACEMENT: self.d + 2,
            LINEAR: 1,
            ALL: self.n * self.d + 2,
        }


@dataclass
class JetData:
    slots: object
    support: str
    frame: Frame
    jacobian: object = None
    rows: tuple | None = None

    @property
    def value(self):
        return self.slots[0]

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def particles(self):
        """The particle of every entry along the particle axis, of a jet of own support."""
        return range(self.frame.n) if self.rows is None else self.rows

    @property
    def shape(self):
        return self.slots.shape[1:]

    def onto(self, column):
        """The slots of the product with a column (F, 1); a jet that need not make its own slots for
        it says so.
        """
        return matmul(self.slots, column)

    def like(self, slots, support=None):
        rows = self.rows if support in (None, self.support) else None
        return JetData(slots, support or self.support, self.frame, rows=rows)


@lru_cache(maxsize=64)
def unit(xp, size: int, dtype):
    """The Jacobian of the coordinates with respect to themselves, (size, 1, size); always the same
    object.
    """
    return xp.eye(size, dtype=dtype)[:, None, :]


class Unmade(JetData):
    """A jet that knows its value, and makes `slots`, a cached property of the subclass, where
    something reads them.
    """

    def __init__(self, value, support, frame):
        self._value, self.support, self.frame = value, support, frame

    @property
    def value(self):
        return self._value

    @property
    def shape(self):
        return self._value.shape

    @property
    def made(self) -> bool:
        return "slots" in self.__dict__


class Coordinates(Unmade):
    """The jet of the coordinates r (W, n, d) themselves."""

    def __init__(self, xp, r, frame):
        super().__init__(r, OWN, frame)
        self._xp, self.jacobian = xp, unit(xp, frame.n * frame.d, r.dtype)

    @cached_property
    def slots(self):
        d = self.frame.d
        slots = self._xp.zeros((d + 2,) + self.shape, self.value.dtype)
        slots[0] = self.value
        for k in range(d):
            slots[1 + k, :, :, k] = 1.0
        return slots


class Scaled(Unmade):
    """The jet of f(z), z (W, ...) with derivatives J (C, 1, ...) that all walkers share and
    Laplacian 0.
    """

    def __init__(self, xp, frame, y, slope, curvature, jacobian):
        super().__init__(y, ALL, frame)
        self._xp, self.slope, self.curvature, self.shared = xp, slope, curvature, jacobian

    @cached_property
    def slots(self):
        own = kernels.of(self._xp, self.value.dtype, self.shared.dtype)
        return own.chain_linear(self.shared, self.value, self.slope, self.curvature)


def scatter_pairs(xp, first, second, n: int):
    """Sum over pairs onto their particles: first, second (..., pairs, F) -> (n, ..., F).

    Particle i collects `first` of the pairs (i, j > i) and `second` of the pairs (j < i, i).
    """
    own = kernels.of(xp, first.dtype, second.dtype)
    return own.scatter_pairs(first, second, *pair_arrays(xp, n), n)


def embed(xp, jet: JetData, support: str) -> JetData:
    """The same jet with the slots of a wider support."""
    if jet.support == support:
        return jet
    frame, s = jet.frame, jet.slots
    n, d = frame.n, frame.d
    if jet.support == DISPLACEMENT:
        return embed(xp, jet.like(pair_slots(xp, s, d), PAIR), support)
    if support != ALL and jet.support != CONSTANT:
        raise ValueError(f"a jet of support {jet.support} cannot be written with support {support}")
    if jet.support == PAIR:
        return jet.like(all_slots(xp, s, n, d), ALL)
    if jet.support == OWN:
        return jet.like(own_slots(xp, s, jet.particles, n, d), ALL)
    out = xp.zeros((frame.slots[support],) + jet.shape, s.dtype)
    out[0] = s[0]
    if jet.support == CONSTANT:
        return jet.like(out, support)
    out[1:-1] = jet.jacobian
    return jet.like(out, ALL)


def whole(xp, jet: JetData) -> JetData:
    """The jet for an operation along the last axis: where that is the particle or pair axis itself,
    all coordinates mix.
    """
    return embed(xp, jet, ALL) if jet.support in LOCAL and len(jet.shape) == 2 else jet


def spread(xp, jet: JetData, *shapes) -> JetData:
    """The jet for broadcasting against `shapes`: a stretched particle or pair axis (of length 1) is
    one no longer.
    """
    if jet.support not in LOCAL or jet.shape[1] != 1:
        return jet
    back = 1 - len(jet.shape)  # the particle axis counted from the end, as broadcasting counts
    if any(len(s) >= -back and s[back] != 1 for s in shapes):
        return embed(xp, jet, ALL)
    return jet


def common(xp, jets: list[JetData]) -> list[JetData]:
    """The jets with one support, for broadcasting against each other; constants stay constants."""
    shapes, first = [j.shape for j in jets], jets[0]
    alike = {(j.support, j.rows) for j in jets} == {(first.support, first.rows)}
    if alike and first.support != LINEAR and shapes.count(shapes[0]) == len(shapes):
        return jets
    jets = [spread(xp, j, *shapes) for j in jets]
    kinds = {(j.support, j.rows) for j in jets if j.support != CONSTANT}
    if len(kinds) <= 1 and (LINEAR, None) not in kinds:
        return jets
    wide = PAIR if {support for support, _ in kinds} == set(PAIRED) else ALL
    return [j if j.support == CONSTANT else embed(xp, j, wide) for j in jets]


def combine(xp, a: JetData, b: JetData, function):
    """function(a, b), slot by slot, for one that is linear in (a, b) together."""
    a, b = common(xp, [a, b])
    if a.support == b.support:  # and rows: common() sees to it
        return a.like(function(a.slots, b.slots))
    wide = a if b.support == CONSTANT else b
    shape = np.broadcast_shapes(a.shape, b.shape)
    zero = xp.zeros((1,) * len(shape), b.slots.dtype if wide is a else a.slots.dtype)
    upper = function(a.slots[1:], zero) if wide is a else function(zero, b.slots[1:])
    out = xp.empty((wide.slots.shape[0],) + shape, upper.dtype)
    out[1:] = upper
    out[0] = function(a.slots[0], b.slots[0])
    return wide.like(out)
