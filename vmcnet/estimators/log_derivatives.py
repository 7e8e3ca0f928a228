"""Log-derivatives O = d log psi / d theta of one block, their centring and their Gram matrices."""

from __future__ import annotations

import numpy as np

from vmcnet.backend import to_host
from vmcnet.calculus.outer import Outer


class LogDerivatives:
    """dO (W, P) = O - mean of one block, kept as columns and as outer products; float64 or complex128 on the host.

    `columns` (W, p) holds the parameters `index` (p,), already centred; `outers` is a list of (slice of theta, Outer, mean (f, h)), not
    centred. Made from the pieces of Bound.log_derivative_pieces; `centred(mean)` gives the centred ones.
    """

    def __init__(self, columns, index, outers, size: int):
        self.columns, self.index, self.outers, self.size = columns, index, outers, size
        self.walkers, self.dtype = columns.shape[0], columns.dtype

    @classmethod
    def of(cls, pieces) -> LogDerivatives:
        """Uncentred, from one piece an entry of the layout, in its order."""
        start, index, columns, outers = 0, [], [], []
        kind = complex if any(p.right.dtype.kind == "c" if isinstance(p, Outer) else p.dtype.kind == "c" for p in pieces) else float
        for piece in pieces:
            stop = start + int(np.prod(piece.shape[1:]))
            if isinstance(piece, Outer):
                left = to_host(piece.left)
                left = left.astype(complex if left.dtype.kind == "c" else float)
                outers.append((slice(start, stop), Outer(left, to_host(piece.right).astype(kind)), 0.0))
            else:
                columns.append(to_host(piece).reshape(piece.shape[0], -1))
                index.append(np.arange(start, stop))
            start = stop
        walkers = pieces[0].shape[0]
        wide = np.concatenate([np.empty((walkers, 0), kind), *columns], axis=1, dtype=kind)
        return cls(wide, np.concatenate([np.empty(0, int), *index]), outers, start)

    @property
    def nbytes(self) -> int:
        return self.columns.nbytes + sum(o.left.nbytes + o.right.nbytes for _, o, _ in self.outers)

    def centred(self, mean) -> LogDerivatives:
        """The same minus mean (P,)."""
        outers = [(s, o, mean[s].reshape(o.shape[1:])) for s, o, _ in self.outers]
        return LogDerivatives(self.columns - mean[self.index], self.index, outers, self.size)

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
        return LogDerivatives(self.matrix(), np.arange(self.size), [], self.size) if self.outers else self

    def dot(self, v) -> np.ndarray:
        """sum_p dO_wp v_p (W,), v (P,) real."""
        out = self.columns @ v[self.index]
        for place, outer, mean in self.outers:
            matrix = v[place].reshape(outer.shape[1:])
            out = out + ((outer.left @ matrix) * outer.right).sum(axis=1) - (mean * matrix).sum()
        return out

    def contracted(self, x) -> np.ndarray:
        """sum_w x_w dO_wp (P,)."""
        out = np.empty(self.size, np.result_type(self.dtype, x))
        out[self.index] = x @ self.columns
        for place, outer, mean in self.outers:
            out[place] = ((outer.left * x[:, None]).T @ outer.right - x.sum() * mean).ravel()
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


def stacked(x) -> np.ndarray:
    """Real parts above imaginary parts along axis 0; a real array as it is."""
    return np.concatenate([x.real, x.imag]) if x.dtype.kind == "c" else x


def outer_gram(left, right, left2, right2) -> np.ndarray:
    """sum_fh O_w O'_w' with O = left_wf right_wh, as an elementwise product of two small matrices; complex O stacked as in `stacked`.

    With K = O O'^T and C = O O'^H: Re Re' = Re(C + K)/2, Im Im' = Re(C - K)/2, Re Im' = Im(K - C)/2, Im Re' = Im(K + C)/2.
    """
    if right.dtype.kind != "c":
        return (left @ left2.T) * (right @ right2.T)
    k = (left @ left2.T) * (right @ right2.T)
    c = (left @ left2.conj().T) * (right @ right2.conj().T)
    plus, minus = 0.5 * (c + k), 0.5 * (c - k)
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])
