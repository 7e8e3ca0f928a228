"""The other determinants of a trap from plain NumPy: several of them, orbitals with factors of the
network or with higher shells mixed in, pair excitations of shells, in two and three dimensions, of
closed and of open shells.

Orbitals are Hermite functions as NumPy has them. The classes of pair excitations are made here too:
which forms rotations leave alone is found from rotations of the orbitals at random points, by a
singular value decomposition. What a class is called has one convention, that of the documentation:
shell by shell, each basis in reduced echelon form with as few leading entries as can be.
"""

from itertools import product
from math import factorial

import numpy as np
from numpy.polynomial.hermite import hermval

from tests.exact.independent_dot import Dot


def hermite(x, labels):
    """prod_a H_n(x_a)/sqrt(2^n n!) of points (..., d), (..., orbitals)."""
    columns = []
    for label in labels:
        column = 1.0
        for a, n in enumerate(label):
            scale = np.sqrt(2.0**n * factorial(n))
            column = column * hermval(x[..., a], np.eye(n + 1)[n]) / scale
        columns.append(column + 0.0 * x[..., 0])
    return np.stack(columns, axis=-1)


def shells_of(d, count):
    """Labels of the lowest `count` shells, first axes first."""
    grid = [n for n in product(range(count), repeat=d) if sum(n) < count]
    return sorted(grid, key=lambda n: (sum(n), tuple(-k for k in n)))


def echelon(rows):
    """The basis of the space of `rows` that has its last entries apart, made orthonormal in that
    order.
    """
    a, done = rows[:, ::-1].copy(), 0
    for column in range(a.shape[1]):
        if done == len(a):
            break
        best = done + np.abs(a[done:, column]).argmax()
        if abs(a[best, column]) < 1e-8:
            continue
        a[[done, best]] = a[[best, done]]
        a[done] /= a[done, column]
        for k in range(len(a)):
            if k != done:
                a[k] -= a[k, column] * a[done]
        done += 1
    out = []
    for row in a[::-1, ::-1]:
        for earlier in out:
            row = row - (row @ earlier) * earlier
        out.append(row / np.linalg.norm(row))
    return out


class Classes:
    """Tensors X (a, c, b, d) of all classes: a, b of the occupied orbitals, c, d of the empty ones;
    T = sum X R[a, c] R'[b, d].
    """

    def __init__(self, labels, up, down, virtual):
        self.labels, self.virtual = labels, virtual
        self.equal = up == down
        self.found = []  # (kind, tensor): unlike, up, down or both
        count = lambda s, n: sum(sum(labels[k]) == n for k in s)  # noqa: E731
        everything = range(len(labels))
        self.closed = all(
            count(s, n) in (0, count(everything, n))
            for s in (up, down, virtual)
            for n in range(1 + sum(labels[-1]))
        )
        self.turns = self.rotations() if self.closed else []
        if up and down:
            self.add("unlike", up, down)
        self.add("both" if self.equal else "up", up, up)
        if not self.equal:
            self.add("down", down, down)

    def rotations(self):
        """Matrices D of a few random rotations and reflections: phi(Q x) = phi(x) D."""
        rng, d = np.random.default_rng(7), len(self.labels[0])
        points, out = rng.normal(size=(4 * len(self.labels), d)), []
        for _ in range(3):
            q = np.linalg.qr(rng.normal(size=(d, d)))[0]
            turned, here = hermite(points @ q.T, self.labels), hermite(points, self.labels)
            out.append(np.linalg.lstsq(here, turned, rcond=None)[0])
        return out

    def add(self, kind, first, second):
        levels = lambda s: sorted({sum(self.labels[k]) for k in s})  # noqa: E731
        like = kind != "unlike"
        blocks = product(levels(first), levels(second), *[levels(self.virtual)] * 2)
        for k, l, q, p in blocks:
            if like and (k > l or q > p):
                continue
            if not like and self.equal and (k, l, q, p) > (l, k, p, q):
                continue
            sets = [
                [n for n in s if sum(self.labels[n]) == level]
                for s, level in zip((first, second, *[self.virtual] * 2), (k, l, q, p), strict=True)
            ]
            for terms in self.forms(sets, (k, l, q, p), like):
                x = np.zeros((len(first), len(self.virtual), len(second), len(self.virtual)))
                for (a, b, c, d), value in terms:
                    i, j = first.index(a), second.index(b)
                    c, d = self.virtual.index(c), self.virtual.index(d)
                    x[i, c, j, d] += value
                    if like:
                        x[i, d, j, c] -= value
                    elif self.equal and (k, l, q, p) != (l, k, p, q):
                        x[j, d, i, c] += value
                if np.linalg.norm(x) > 1e-9:
                    self.found.append((kind, x / np.linalg.norm(x)))

    def forms(self, sets, shells, like):
        """Forms over (a, b, c, d) of four shells that the symmetries leave as they are."""
        every = list(product(*sets))
        place = {t: n for n, t in enumerate(every)}
        even = [
            all(
                sum(self.labels[k][axis] for k in t) % 2 == 0 for axis in range(len(self.labels[0]))
            )
            for t in every
        ]
        one, rows = np.eye(len(every)), [np.eye(len(every))[~np.array(even)]]
        swaps = []
        if like:
            swaps += [((1, 0, 2, 3), -1)] * (shells[0] == shells[1])
            swaps += [((0, 1, 3, 2), -1)] * (shells[2] == shells[3])
        elif self.equal and (shells[0], shells[2]) == (shells[1], shells[3]):
            swaps += [((1, 0, 3, 2), 1)]
        for order, sign in swaps:
            moved = [place[tuple(t[k] for k in order)] for t in every]
            rows.append(one - sign * one[moved])
        for turn in self.turns:
            whole = np.ones((1, 1))
            for s in sets:
                whole = np.kron(whole, turn[np.ix_(s, s)])
            rows.append(whole - one)
        _, sizes, basis = np.linalg.svd(np.concatenate(rows))
        null = basis[np.concatenate([sizes, np.zeros(len(every) - len(sizes))]) < 1e-8]
        for x in echelon(null) if len(null) else []:
            yield [(t, x[n]) for t, n in place.items() if abs(x[n]) > 1e-9]


class Trap(Dot):
    """Determinants of `shells` shells of Hermite functions, the lowest occupied."""

    def __init__(self, system, parameters, shells, passes=1, excited=False):
        up = int((np.asarray(system.spins) > 0).sum())
        n, d = system.particles, system.dimensions
        super().__init__(n, system.omega, parameters, passes, up, d)
        self.labels = shells_of(d, shells)
        self.filled = [range(up), range(n - up)]
        self.shared = 2 * up == n
        self.classes = None
        if excited:
            virtual = list(range(max(up, n - up), len(self.labels)))
            self.classes = Classes(self.labels, *(list(s) for s in self.filled), virtual)

    def determinants(self, r):
        p, unit = self.slater, np.sqrt(self.alpha * self.omega)
        x, more, h = r, 0.0, None
        if "backflow" in p:
            h = self.hidden(r)
            x = r + h @ p["backflow"] / np.sqrt(self.omega)
        if "jastrow" in p:
            more = (h @ p["jastrow"]).sum(axis=(1, 2))
        phi = hermite(unit * x, self.labels)
        count, terms = len(p.get("weights", (1.0,))), []
        for spin, rows in enumerate((slice(0, self.up), slice(self.up, None))):
            terms.append(
                self.matrices(phi[:, rows], None if h is None else h[:, rows], spin, count)
            )
        if self.classes is not None:
            y = (
                x
                if "virtual_backflow" not in p
                else x + h @ p["virtual_backflow"] / np.sqrt(self.omega)
            )
            return more + self.excited([a[0] for a in terms], hermite(unit * y, self.labels))
        total = sum(
            c * np.linalg.det(a) * np.linalg.det(b)
            for c, a, b in zip(p.get("weights", (1.0,)), *terms, strict=True)
        )
        return more + np.log(np.abs(total))

    def matrices(self, phi, h, spin, count):
        """The matrices of one spin, one a determinant."""
        p, filled = self.slater, list(self.filled[spin])
        m, names = len(filled), ("mixing_up", "mixing_down")
        empty = [k for k in range(len(self.labels)) if k not in filled]
        name = "mixing" if self.shared else names[spin]
        out = []
        for k in range(count):
            a = phi[:, :, filled]
            if name in p:
                a = a + phi[:, :, empty] @ p[name][:, k * m : (k + 1) * m]
            if "orbitals" in p:
                first = 0 if self.shared or spin == 0 else count * len(self.filled[0])
                columns = p["orbitals"][:, first + k * m : first + (k + 1) * m]
                a = a * (1.0 + h @ columns)
            out.append(a)
        return out

    def excited(self, matrices, phi):
        """log of the determinants times 1 + sum_o c_o T_o."""
        ratios, total = [], 0.0
        for a, rows in zip(matrices, (slice(0, self.up), slice(self.up, None)), strict=True):
            ratios.append(np.linalg.solve(a, phi[:, rows][:, :, self.classes.virtual]))
            total = total + np.linalg.slogdet(a)[1]
        u, v = ratios
        pairs = {"unlike": [(u, v)], "up": [(u, u)], "down": [(v, v)], "both": [(u, u), (v, v)]}
        s = 1.0
        for c, (kind, x) in zip(self.slater["excitations"], self.classes.found, strict=True):
            s = s + c * sum(np.einsum("acbd,wac,wbd->w", x, *pair) for pair in pairs[kind])
        return total + np.log(np.abs(s))
