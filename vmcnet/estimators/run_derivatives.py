"""Log-derivatives of a run of blocks where they were made: on a device."""

from __future__ import annotations

from typing import Any, NamedTuple

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.outer import Outer


class Slab(NamedTuple):
    """Some parameters: a slice of theta and what gives their columns, a part of `columns` or rows
    of an outer product's left factor.
    """

    place: slice
    outer: int | None
    part: slice


class RunDerivatives:
    """dO (W, P) of blocks whose walkers stand one after the other, float64 or complex128, in the
    namespace of the pieces of Bound.log_derivative_pieces that it is made of.

    `columns` (W, p) are centred by `centre`; `outers`, the Outer products, are not, but for `dense`
    and `dot`. Shapes of all products follow from those of the run alone.
    """

    def __init__(self, pieces: list, blocks: int) -> None:
        numbers = [p.right if isinstance(p, Outer) else p for p in pieces]
        xp = self.xp = namespace(numbers[0])
        self.dtype: Any = complex if any(x.dtype.kind == "c" for x in numbers) else float
        self.blocks, self.walkers, self.size = blocks, pieces[0].shape[0], 0
        self.outers: list[Outer] = []
        self._slabs: list[Slab] = []
        columns, wide = [xp.empty((self.walkers, 0), self.dtype)], 0
        for piece in pieces:
            start, outer = self.size, None
            if isinstance(piece, Outer):
                part, outer = slice(0, piece.shape[1]), len(self.outers)
                # copies: what is repeated overwrites its arrays
                factors = (x.astype(self.dtype) for x in (piece.left, piece.right))
                self.outers.append(Outer(*factors))
                self.size += piece.shape[1] * piece.shape[2]
            else:
                columns.append(piece.reshape(self.walkers, -1).astype(self.dtype, copy=False))
                part = slice(wide, wide + columns[-1].shape[1])
                wide, self.size = part.stop, start + columns[-1].shape[1]
            self._slabs.append(Slab(slice(start, self.size), outer, part))
        self.columns, self._mean = xp.concatenate(columns, axis=1), None

    @property
    def nbytes(self) -> int:
        return self.columns.nbytes + sum(o.left.nbytes + o.right.nbytes for o in self.outers)

    def centre(self, mean: Array) -> RunDerivatives:
        """Takes `mean` (P,), of the device, off."""
        self._mean = mean
        self.columns -= self._of_columns(mean)
        return self

    def _of_columns(self, v: Array) -> Array:
        """The elements (p,) of v (P,) that belong to `columns`."""
        parts = [v[s.place] for s in self._slabs if s.outer is None]
        return self.xp.concatenate([v[:0], *parts])

    def _products(self) -> Any:
        """Slice of theta and Outer of every outer product."""
        return ((s.place, self.outers[s.outer]) for s in self._slabs if s.outer is not None)

    def dot(self, v: Array) -> Array:
        """sum_p dO_wp v_p (W,), v (P,) real."""
        v = v.astype(self.dtype, copy=False)
        out = self.columns @ self._of_columns(v)
        for place, outer in self._products():
            out = out + ((outer.left @ v[place].reshape(outer.shape[1:])) * outer.right).sum(axis=1)
            if self._mean is not None:
                out = out - (self._mean[place] * v[place]).sum()
        return out

    def contracted(self, x: Array) -> Array:
        """sum_w x_w dO_wp of every block (blocks, P), x (W,); of the outer products without their
        mean.
        """
        x = x.astype(self.dtype, copy=False)
        of_columns = x.reshape(self.blocks, 1, -1) @ self._in_blocks(self.columns)
        return self._joined(
            of_columns[:, 0],
            [
                self._in_blocks(o.left * x[:, None]).swapaxes(1, 2) @ self._in_blocks(o.right)
                for o in self.outers
            ],
        )

    def squares(self) -> Array:
        """sum_w |O_wp|^2 of every block (blocks, P); of the outer products without their mean."""
        return self._joined(
            self._in_blocks(_squared(self.columns)).sum(axis=1),
            [
                self._in_blocks(_squared(o.left)).swapaxes(1, 2)
                @ self._in_blocks(_squared(o.right))
                for o in self.outers
            ],
        )

    def centred_squares(self) -> Array:
        """sum_w |dO_wp|^2 of every block (blocks, P)."""
        parts = [self._in_blocks(_squared(self.dense(s))) for s in self._slabs]
        return self.xp.concatenate([x.sum(axis=1) for x in parts], axis=1)

    def _in_blocks(self, x: Array) -> Array:
        return x.reshape(self.blocks, -1, x.shape[1])

    def _joined(self, of_columns: Array, products: list) -> Array:
        """(blocks, P) from what the columns give (blocks, p), and every outer product (blocks, f,
        h).
        """
        parts = [
            of_columns[:, s.part] if s.outer is None else products[s.outer].reshape(self.blocks, -1)
            for s in self._slabs
        ]
        return self.xp.concatenate(parts, axis=1)

    def slabs(self, most: int) -> list[Slab]:
        """All parameters, in their order, at most about `most` at a time."""
        return [x for slab in self._slabs for x in self._divided(slab, most)]

    def _divided(self, slab: Slab, most: int) -> list[Slab]:
        each = 1 if slab.outer is None else self.outers[slab.outer].shape[2]
        step, found = max(1, most // each), []
        for first in range(slab.part.start, slab.part.stop, step):
            last = min(first + step, slab.part.stop)
            start = slab.place.start + each * (first - slab.part.start)
            place = slice(start, start + each * (last - first))
            found.append(Slab(place, slab.outer, slice(first, last)))
        return found

    def column_slabs(self, most: int) -> list[Slab]:
        """The same of `columns` alone, whatever their place in theta."""
        wide = self.columns.shape[1]
        return self._divided(Slab(slice(0, wide), None, slice(0, wide)), most)

    def dense(self, slab: Slab) -> Array:
        """dO (W, m) of the parameters of a slab."""
        if slab.outer is None:
            return self.columns[:, slab.part]
        outer = self.outers[slab.outer]
        made = Outer(outer.left[:, slab.part], outer.right).dense().reshape(self.walkers, -1)
        return made if self._mean is None else made - self._mean[slab.place]


def _squared(x: Array) -> Array:
    return x.real**2 + x.imag**2 if x.dtype.kind == "c" else x * x
