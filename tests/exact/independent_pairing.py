"""Neutron matter of a Pfaffian and of hidden fermions, as independent_neutrons: psi from NumPy
alone, with a Pfaffian by elimination of pairs of rows.
"""

from itertools import groupby

import numpy as np

from tests.exact.independent_excitations import plane_waves
from tests.exact.independent_neutrons import Neutrons


def pfaffian(a):
    """Sign and log|Pf| (W,) of antisymmetric matrices (W, 2m, 2m): the two first rows and columns
    are eliminated, Pf A = a_12 Pf(A' + (row_2^T row_1 - row_1^T row_2)/a_12), after the largest
    entry of the first row was brought beside it.
    """
    sign, log = np.ones(len(a)), np.zeros(len(a))
    for w, matrix in enumerate(a):
        while len(matrix):
            best = 1 + np.abs(matrix[0, 1:]).argmax()
            order = np.arange(len(matrix))
            order[[1, best]] = order[[best, 1]]
            sign[w] *= 1.0 if best == 1 else -1.0
            matrix = matrix[np.ix_(order, order)]
            pivot, first, second = matrix[0, 1], matrix[0, 2:], matrix[1, 2:]
            sign[w] *= np.sign(pivot)
            log[w] += np.log(np.abs(pivot))
            both = np.outer(second, first) - np.outer(first, second)
            matrix = matrix[2:, 2:] + both / pivot
    return sign, log


def lowest(count, more):
    """Integer vectors of the filled and the next `more` shells, a list a shell."""
    filled, above = plane_waves(count, more)
    size = lambda m: sum(x * x for x in m)  # noqa: E731
    return [list(level) for _, level in groupby([*filled, *above], size)]


class Pairs(Neutrons):
    """Pf(X - X^T): X = 2 sum_shells c_s f_s(x_i - x_j) of i up and j down, f_s = 1/2 sum_k cos(k.x)
    of a shell (1 of k = 0), and h_i T h_j with one T of equal labels and another of unlike ones.
    """

    def __init__(self, n, density, values, shells, passes=2):
        super().__init__(n, density, values, 0, passes)
        self.levels = lowest(n // 2, shells)

    def _psi(self, r, s):
        h = self.hidden(r, s)
        x = r + self.unit * h @ self.v["backflow"]
        apart, singlet = x[:, :, None] - x[:, None], 0.0
        for number, level in enumerate(self.levels):
            waves = np.cos(2 * np.pi / self.length * apart @ np.array(level).T).sum(axis=-1)
            half = 1.0 if len(level) == 1 else 0.5
            singlet = singlet + half * float(self.v[f"pairing{number}"]) * waves
        up_down = (s[:, :, None] > 0) & (s[:, None] < 0)
        pairs = 2.0 * singlet * up_down
        like = s[:, :, None] == s[:, None]
        for name, mask in (("triplet_like", like), ("triplet_unlike", ~like)):
            pairs = pairs + (h @ self.v[name] @ np.swapaxes(h, 1, 2)) * mask
        sign, log = pfaffian(pairs - np.swapaxes(pairs, 1, 2))
        return sign.astype(complex), log + (h @ self.v["jastrow"]).sum(axis=(1, 2))


class Hidden(Neutrons):
    """det [[A, C], [B, 1 + D]] with `count` hidden fermions and orbitals cos(k.x), sin(k.x)."""

    def __init__(self, n, density, values, shells, count, passes=2):
        super().__init__(n, density, values, 0, passes)
        self.levels, self.count = lowest(n // 2, shells), count

    def orbitals(self, x):
        """Of k and -k the first is the cosine, the second the sine of the first."""
        columns, seen = [], []
        for m in (m for level in self.levels for m in level):
            opposite = tuple(-a for a in m)
            turn = opposite in seen and any(m)
            phase = 2 * np.pi / self.length * x @ np.array(opposite if turn else m)
            columns.append(np.sin(phase) if turn else np.cos(phase))
            seen.append(m)
        return np.stack(columns, axis=-1)

    def _psi(self, r, s):
        h, v, n, more = self.hidden(r, s), self.v, self.n, self.count
        phi = self.orbitals(r + self.unit * h @ v["backflow"])
        occupied, up = phi[:, :, : n // 2], (s > 0)[:, :, None]
        places = np.concatenate([h, phi], axis=-1) @ v["hidden_orbitals"]
        top = np.concatenate([occupied * up, occupied * ~up, places], axis=-1)
        pooled = np.concatenate([h.mean(axis=1), phi.sum(axis=1) / np.sqrt(n)], axis=-1)
        pooled = np.tanh(pooled @ v["pooled_weights"] + v["pooled_bias"])
        bottom = (pooled @ v["hidden_rows"]).reshape(len(r), more, n + more)
        bottom = bottom + np.eye(more, n + more, n)
        sign, log = np.linalg.slogdet(np.concatenate([top, bottom], axis=1))
        return sign.astype(complex), log + (h @ v["jastrow"]).sum(axis=(1, 2))
