"""Log-derivatives O = d log psi / d theta of some blocks, their centring, their Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.calculus.outer import Outer
from vmcnet.kernels.plain import Library


@dataclass(frozen=True)
class Layer:
    """A dense layer met once, with the biases that have its factors: O = left x right (W, f, h),
    not centred; `places` are (slice of theta, rows, columns) of every parameter in (f, h). What is
    in none of them is the constant 1 that two biases make.
    """

    outer: Outer
    places: list

    @property
    def size(self) -> int:
        return sum(place.stop - place.start for place, _, _ in self.places)

    def matrix(self, v: np.ndarray, constant: float = 0.0) -> np.ndarray:
        """v (P,) at the places of its parameters (f, h), elsewhere the constant."""
        out = np.full(self.outer.shape[1:], constant, v.dtype)
        for place, rows, columns in self.places:
            part = out[rows, columns]
            part[...] = v[place].reshape(part.shape)
        return out

    def scatter(self, matrices: np.ndarray, out: np.ndarray) -> None:
        """Matrices (K, f, h) at the places of their parameters in out (K, P)."""
        for place, rows, columns in self.places:
            out[:, place] = matrices[:, rows, columns].reshape(len(out), -1)

    def cut(self, some: slice) -> Layer:
        """Of some walkers."""
        outer = self.outer
        return Layer(Outer(outer.left[some], outer.right[some], outer.signs), self.places)


class LogDerivatives:
    """dO (W, P) = O - mean of some `blocks`, one after the other, kept as columns and as outer
    products; float64 or complex128 on the host.

    `columns` (W, p) holds the parameters `index` (p,), already centred; `layers` all others, not
    centred. Made from the pieces of Bound.log_derivative_pieces; `centred(mean)` gives the centred
    ones. What is made of a block depends on that block alone.
    """

    def __init__(
        self,
        columns: np.ndarray,
        index: np.ndarray,
        layers: list[Layer],
        size: int,
        blocks: int = 1,
        mean: Any = None,
    ) -> None:
        self.columns, self.index, self.layers, self.size = columns, index, layers, size
        self.blocks, self.mean = blocks, np.zeros(size, columns.dtype) if mean is None else mean
        self.walkers, self.dtype = columns.shape[0], columns.dtype

    @classmethod
    def of(cls, pieces: list, blocks: int = 1) -> LogDerivatives:
        """Uncentred, from one piece an entry of the layout, in its order."""
        index: list = []
        columns: list = []
        layers: list = []
        kind = (
            complex
            if any(
                p.right.dtype.kind == "c" if isinstance(p, Outer) else p.dtype.kind == "c"
                for p in pieces
            )
            else float
        )
        alone, joins = _biases(pieces)
        starts = np.cumsum([0, *(int(np.prod(piece.shape[1:])) for piece in pieces)]).tolist()
        for n, (piece, start, stop) in enumerate(zip(pieces, starts, starts[1:], strict=False)):
            if isinstance(piece, Outer):
                f, h = piece.shape[1:]
                left, right = piece.left, piece.right.astype(kind)
                left = left.astype(complex if left.dtype.kind == "c" else float)
                above, beside = joins[n]
                places: list = [(slice(start, stop), slice(0, f), slice(0, h))]
                if above is not None:
                    left, first = _with_one(left), starts[above]
                    places.append((slice(first, first + h), slice(f, f + 1), slice(0, h)))
                if beside is not None:
                    right, first = _with_one(right), starts[beside]
                    places.append((slice(first, first + f), slice(0, f), slice(h, h + 1)))
                layers.append(Layer(Outer(left, right, piece.signs), places))
            elif n in alone:
                columns.append(piece.reshape(piece.shape[0], -1))
                index.append(np.arange(start, stop))
        none, empty = np.empty(0, int), np.empty((pieces[0].shape[0], 0), kind)
        return cls(
            np.concatenate([empty, *columns], axis=1, dtype=kind),
            np.concatenate([none, *index]),
            layers,
            starts[-1],
            blocks,
        )

    def __getitem__(self, some: slice) -> LogDerivatives:
        """Those of some of the blocks."""
        first, stop, _ = some.indices(self.blocks)
        if stop - first == self.blocks:
            return self
        rows = self.walkers // self.blocks
        cut = slice(first * rows, stop * rows)
        layers = [layer.cut(cut) for layer in self.layers]
        rest = self.index, layers, self.size, stop - first, self.mean
        return LogDerivatives(self.columns[cut], *rest)

    def parted(self) -> list[LogDerivatives]:
        """Those of every block."""
        return [self[k : k + 1] for k in range(self.blocks)]

    def bare(self) -> LogDerivatives:
        """The same of no walkers."""
        outers = [(layer.outer, layer.places) for layer in self.layers]
        layers = [
            Layer(Outer(x.left[:0].copy(), x.right[:0].copy()), places) for x, places in outers
        ]
        return LogDerivatives(self.columns[:0].copy(), self.index, layers, self.size, 0, self.mean)

    @property
    def nbytes(self) -> int:
        factors = [x for layer in self.layers for x in (layer.outer.left, layer.outer.right)]
        return self.columns.nbytes + sum(x.nbytes for x in factors)

    def centred(self, mean: np.ndarray) -> LogDerivatives:
        """The same minus mean (P,)."""
        columns = self.columns - mean[self.index]
        return LogDerivatives(columns, self.index, self.layers, self.size, self.blocks, mean)

    def matrix(self) -> np.ndarray:
        """dO (W, P)."""
        if not self.layers:
            return self.columns
        out = np.empty((self.walkers, self.size), self.dtype)
        for layer in self.layers:
            layer.scatter(layer.outer.dense() - layer.matrix(self.mean), out)
        out[:, self.index] = self.columns
        return out

    def built(self) -> LogDerivatives:
        """All parameters as columns, no outer products."""
        every = np.arange(self.size)
        matrix = self.matrix()
        return LogDerivatives(matrix, every, [], self.size, self.blocks) if self.layers else self

    def dot(self, v: np.ndarray) -> np.ndarray:
        """sum_p dO_wp v_p (W,), v (P,) real; of the outer products without their mean, of which
        `mean_dot` is left.
        """
        out = np.zeros(self.walkers, self.dtype)
        if len(self.index):
            out = _by_blocks(self.columns, v[self.index], self.blocks)
        for layer in self.layers:
            inner = product_of_rows(layer.outer.left, layer.matrix(v), self.blocks)
            out += np.einsum("wh,wh->w", inner, layer.outer.right)
        return out

    def mean_dot(self, v: np.ndarray) -> Any:
        """What the means of the outer products give in sum_p dO_wp v_p: the same of all walkers."""
        return (self.outer_means() * v).sum()

    def contracted(self, x: np.ndarray | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """sum_w x_w dO_wp (blocks, P), x (W,), or 1; of the outer products without their mean, of
        which sum_w x_w times `outer_means` is left. In `out` where that is given.
        """
        if out is None:
            dtype = self.dtype if x is None else np.result_type(self.dtype, x)
            out = np.empty((self.blocks, self.size), dtype)
        weights = x
        if len(self.index):
            weights = np.ones(self.walkers) if x is None else x
            parts = np.split(weights, self.blocks), np.split(self.columns, self.blocks)
            out[:, self.index] = [a @ b for a, b in zip(*parts, strict=True)]
        for layer in self.layers:
            left = layer.outer.left if x is None else layer.outer.left * x[:, None]
            layer.scatter(_block_products(left, layer.outer.right, self.blocks), out)
        return out

    def outer_means(self) -> np.ndarray:
        """The means that were to be taken off the outer products (P,), 0 of the columns."""
        out = self.mean.copy()
        out[self.index] = 0
        return out

    def squares(self) -> np.ndarray:
        """sum_w |O_wp|^2 (blocks, P); of the outer products without their mean."""
        out = np.empty((self.blocks, self.size))
        if len(self.index):
            squares = self.columns.real**2
            if self.dtype.kind == "c":
                squares += self.columns.imag**2
            out[:, self.index] = squares.reshape(self.blocks, -1, len(self.index)).sum(axis=1)
        for layer in self.layers:
            left, right = (np.abs(x) ** 2 for x in (layer.outer.left, layer.outer.right))
            layer.scatter(_block_products(left, right, self.blocks), out)
        return out


def joined(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays (w, ...) one after the other."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def product_of_rows(a: np.ndarray, b: np.ndarray, blocks: int) -> np.ndarray:
    """a b of walkers (W, f); block by block where a library multiplies, whose bits may depend on
    the number of rows.
    """
    if a.dtype == b.dtype == float:
        before = Library.products
        found = kernels.of(np, a.dtype, b.dtype).matrix_product(a, b, False, False)
        if blocks == 1 or Library.products == before:
            return found
    return _by_blocks(a, b, blocks)


def _by_blocks(a: np.ndarray, b: np.ndarray, blocks: int) -> np.ndarray:
    return joined([x @ b for x in np.split(a, blocks)])


def _block_products(left: np.ndarray, right: np.ndarray, blocks: int) -> np.ndarray:
    """left^T right of every block (blocks, f, h)."""
    return kernels.of(np, left.dtype, right.dtype).block_products(left, right, blocks)


def _biases(pieces: list) -> Any:
    """Which pieces are no Outer and no bias of one; for every Outer the piece of the bias that
    joins its left factor, and of the one that joins its right factor, or None.

    A bias has the derivatives `right` of the weight left x right that it belongs to: the two are
    ([left, 1]) x right. The visible bias of a
    Boltzmann machine has its `left`: left x ([right, 1]). Where both join, 1 x 1 comes too, a
    constant that centring takes off.
    """
    alone = [n for n, piece in enumerate(pieces) if not isinstance(piece, Outer)]
    joins = {}
    for n, outer in enumerate(pieces):
        if isinstance(outer, Outer):
            joins[n] = tuple(
                next((k for k in alone if pieces[k] is factor), None)
                for factor in (outer.right, outer.left)
            )
            alone = [k for k in alone if k not in joins[n]]
    return alone, joins


def _with_one(x: np.ndarray) -> np.ndarray:
    out = np.empty((len(x), x.shape[1] + 1), x.dtype)
    out[:, :-1], out[:, -1] = x, 1
    return out


def stacked(x: np.ndarray) -> np.ndarray:
    """Real parts above imaginary parts along axis 0; a real array as it is."""
    return np.concatenate([x.real, x.imag]) if x.dtype.kind == "c" else x


def outer_gram(
    left: np.ndarray, right: np.ndarray, left2: np.ndarray, right2: np.ndarray
) -> np.ndarray:
    """sum_fh O_w O'_w' with O = left_wf right_wh, as an elementwise product of two small matrices;
    complex O stacked as in `stacked`.

    With K = O O'^T and C = O O'^H: Re Re' = Re(C + K)/2, Im Im' = Re(C - K)/2, Re Im' = Im(K -
    C)/2, Im Re' = Im(K + C)/2.
    """
    if right.dtype.kind != "c":
        product = kernels.of(np, left.dtype, right.dtype).matrix_product
        out = product(left, left2, False, True)
        out *= product(right, right2, False, True)
        return out
    k = (left @ left2.T) * (right @ right2.T)
    c = (left @ left2.conj().T) * (right @ right2.conj().T)
    plus, minus = 0.5 * (c + k), 0.5 * (c - k)
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])
