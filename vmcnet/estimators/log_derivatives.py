"""Log-derivatives O = d log psi / d theta of one block, their centring and their Gram matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import seen, to_host
from vmcnet.calculus.outer import Outer


class LogDerivatives:
    """dO (W, P) = O - mean of one block, kept as columns and as outer products; float64 or
    complex128 on the host.

    `columns` (W, p) holds the parameters `index` (p,), already centred; `outers` is a list of
    (slice of theta, Outer, mean (f, h)), not
    centred. Made from the pieces of Bound.log_derivative_pieces; `centred(mean)` gives the centred
    ones. For Gram matrices, `joined` is a list of (index (f, h), Outer), not centred, that stand
    for all parameters but the columns `rest`; index: the parameters, -1 for a constant 1.
    """

    def __init__(
        self,
        columns: np.ndarray,
        index: np.ndarray,
        outers: list,
        size: int,
        joined: Any,
        rest: Any,
    ) -> None:
        self.columns, self.index, self.outers, self.size, self.joined, self.rest = (
            columns,
            index,
            outers,
            size,
            joined,
            rest,
        )
        self.walkers, self.dtype = columns.shape[0], columns.dtype

    @classmethod
    def of(cls, pieces: list) -> LogDerivatives:
        """Uncentred, from one piece an entry of the layout, in its order."""
        start, wide = 0, 0
        index: list = []
        columns: list = []
        outers: list = []
        joined: list = []
        rest: list = []
        kind = (
            complex
            if any(
                p.right.dtype.kind == "c" if isinstance(p, Outer) else p.dtype.kind == "c"
                for p in pieces
            )
            else float
        )
        alone, joins = _biases(pieces)
        sizes = [int(np.prod(piece.shape[1:])) for piece in pieces]
        places = dict(zip(map(id, pieces), np.cumsum([0, *sizes]), strict=False))
        for piece, count in zip(pieces, sizes, strict=True):
            stop = start + count
            if isinstance(piece, Outer):
                left, right = to_host(piece.left), to_host(piece.right).astype(kind)
                left = left.astype(complex if left.dtype.kind == "c" else float)
                outers.append((slice(start, stop), Outer(left, right), 0.0))
                above, beside = joins[id(piece)]
                where = np.arange(start, stop).reshape(piece.shape[1:])
                if above:
                    left, first = _with_one(left), places[id(piece.right)]
                    where = np.vstack([where, first + np.arange(where.shape[1])])
                if beside:
                    right, first = _with_one(right), places[id(piece.left)]
                    column = np.append(first + np.arange(piece.shape[1]), [-1] * above)
                    where = np.column_stack([where, column])
                joined.append((where, Outer(left, right)))
            else:
                columns.append(to_host(piece).reshape(piece.shape[0], -1))
                index.append(np.arange(start, stop))
                if id(piece) in alone:
                    rest.append(np.arange(wide, wide + stop - start))
                wide += stop - start
            start = stop
        none, empty = np.empty(0, int), np.empty((pieces[0].shape[0], 0), kind)
        return cls(
            np.concatenate([empty, *columns], axis=1, dtype=kind),
            np.concatenate([none, *index]),
            outers,
            start,
            joined,
            np.concatenate([none, *rest]),
        )

    def parted(self, blocks: int) -> list[LogDerivatives]:
        """Those of every block, of walkers one block after the other."""
        if blocks == 1:
            return [self]
        size, made = self.walkers // blocks, []
        for cut in (slice(k * size, (k + 1) * size) for k in range(blocks)):
            outers = [(s, Outer(o.left[cut], o.right[cut]), mean) for s, o, mean in self.outers]
            joined = [(k, Outer(o.left[cut], o.right[cut])) for k, o in self.joined]
            rest = self.index, outers, self.size, joined, self.rest
            made.append(LogDerivatives(self.columns[cut], *rest))
        return made

    @property
    def nbytes(self) -> int:
        outers = [*(o for _, o, _ in self.outers), *(o for _, o in self.joined)]
        return self.columns.nbytes + sum(o.left.nbytes + o.right.nbytes for o in outers)

    def centred(self, mean: np.ndarray) -> LogDerivatives:
        """The same minus mean (P,)."""
        outers = [(s, o, mean[s].reshape(o.shape[1:])) for s, o, _ in self.outers]
        return LogDerivatives(
            self.columns - mean[self.index], self.index, outers, self.size, self.joined, self.rest
        )

    def matrix(self) -> np.ndarray:
        """dO (W, P)."""
        if not self.outers:
            return self.columns
        out = np.empty((self.walkers, self.size), self.dtype)
        out[:, self.index] = self.columns
        for place, outer, mean in self.outers:
            out[:, place] = (outer.dense() - mean).reshape(self.walkers, -1)
        return out

    def built(self) -> LogDerivatives:
        """All parameters as columns, no outer products."""
        every = np.arange(self.size)
        return (
            LogDerivatives(self.matrix(), every, [], self.size, [], every) if self.outers else self
        )

    def dot(self, v: np.ndarray) -> np.ndarray:
        """sum_p dO_wp v_p (W,), v (P,) real; of the outer products without their mean, of which
        `mean_dot` is left.
        """
        out = self.columns @ v[self.index]
        for place, outer, _ in self.outers:
            matrix = v[place].reshape(outer.shape[1:])
            inner = _product(outer.left, matrix)
            out = out + np.einsum("wh,wh->w", inner, outer.right)
        return out

    def mean_dot(self, v: np.ndarray) -> Any:
        """What the means of the outer products give in sum_p dO_wp v_p: the same of all walkers."""
        return sum((mean.ravel() @ v[place] for place, _, mean in self.outers), 0.0)

    def contracted(self, x: np.ndarray) -> np.ndarray:
        """sum_w x_w dO_wp (P,); of the outer products without their mean, of which sum_w x_w times
        `outer_means` is left.
        """
        out = np.empty(self.size, np.result_type(self.dtype, x))
        out[self.index] = x @ self.columns
        for place, outer, _ in self.outers:
            out[place] = _product(outer.left * x[:, None], outer.right, True).ravel()
        return out

    def outer_means(self) -> np.ndarray:
        """The means that were to be taken off the outer products (P,), 0 of the columns."""
        out = np.zeros(self.size, self.dtype)
        for place, _, mean in self.outers:
            out[place] = np.ravel(mean)
        return out

    def squares(self) -> np.ndarray:
        """sum_w |O_wp|^2 (P,); of the outer products without their mean."""
        out = np.empty(self.size)
        out[self.index] = (self.columns.real**2).sum(axis=0)
        if self.dtype.kind == "c":
            out[self.index] += (self.columns.imag**2).sum(axis=0)
        for place, outer, _ in self.outers:
            out[place] = ((np.abs(outer.left) ** 2).T @ np.abs(outer.right) ** 2).ravel()
        return out


def _product(a: np.ndarray, b: np.ndarray, transposed: bool = False) -> np.ndarray:
    """a b or a^T b; of real numbers by the loops that do not know how many rows there are."""
    if a.dtype.kind == "c" or b.dtype.kind == "c":
        return (a.T if transposed else a) @ b
    return kernels.of(np, a.dtype, b.dtype).matrix_product(a, b, transposed, False)


def _biases(pieces: list) -> Any:
    """The pieces (by identity) that are no Outer and no bias of one; for every Outer whether a bias
    joins its left and its right factor.

    A bias has the derivatives `right` of the weight left x right that it belongs to: the two are
    ([left, 1]) x right. The visible bias of a
    Boltzmann machine has its `left`: left x ([right, 1]). Where both join, 1 x 1 comes too, a
    constant that centring takes off.
    """
    alone, joins = {id(p) for p in pieces if not isinstance(p, Outer)}, {}
    for outer in (p for p in pieces if isinstance(p, Outer)):
        joins[id(outer)] = id(outer.right) in alone, id(outer.left) in alone
        alone -= {id(outer.right), id(outer.left)}
    return alone, joins


def seen_pieces(pieces: list) -> list:
    """The pieces of Bound.log_derivative_pieces on the host, by one copy a type of number. What is
    one array in two pieces stays one.
    """
    arrays: dict = {}
    for piece in pieces:
        for array in (piece.left, piece.right) if isinstance(piece, Outer) else (piece,):
            arrays.setdefault(array.dtype.char, {})[id(array)] = array
    found: dict = {}
    for alike in arrays.values():
        found |= dict(zip(alike, seen(list(alike.values())), strict=True))
    return [
        Outer(found[id(piece.left)], found[id(piece.right)])
        if isinstance(piece, Outer)
        else found[id(piece)]
        for piece in pieces
    ]


def _with_one(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1)


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
