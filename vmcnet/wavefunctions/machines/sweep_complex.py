"""The kernels of sweep_real.py for complex weights: the same algebra, real and imaginary parts in
separate arrays so that the loops vectorise.

table and factor carry a first axis (2,), x and products of a tile too: real and imaginary part.
Rows of a tile must be contiguous, also for the compiler, or the loops over walkers do not
vectorise.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def _products(x: np.ndarray, table: np.ndarray, m: int, sign: np.ndarray, out: np.ndarray) -> None:
    """out (2, G, T): the products over a group of 1 + x_j E_j, x (2, G, R, T), E = table[:, m, 0]
    where sign > 0, else table[:, m, 1].
    """
    _, groups, rows, width = x.shape
    for g in range(groups):
        re, im = out[0, g], out[1, g]
        for w in range(width):
            re[w], im[w] = 1.0, 0.0
        for j in range(rows):
            xr, xi = x[0, g, j], x[1, g, j]
            ur, ui, dr, di = (
                table[0, m, 0, g, j],
                table[1, m, 0, g, j],
                table[0, m, 1, g, j],
                table[1, m, 1, g, j],
            )
            for w in range(width):
                plus = sign[w] > 0.0
                er, ei = ur if plus else dr, ui if plus else di
                yr, yi = 1.0 + xr[w] * er - xi[w] * ei, xr[w] * ei + xi[w] * er
                a, b = re[w], im[w]
                re[w], im[w] = a * yr - b * yi, a * yi + b * yr


@compiled
def _ratio(
    factor: np.ndarray,
    m: int,
    sign: np.ndarray,
    new: np.ndarray,
    old: np.ndarray,
    re: np.ndarray,
    im: np.ndarray,
) -> None:
    """factor prod_g new_g / old_g, into re, im (T,)."""
    for w in range(len(re)):
        plus = sign[w] > 0.0
        re[w], im[w] = (
            factor[0, m, 0] if plus else factor[0, m, 1],
            factor[1, m, 0] if plus else factor[1, m, 1],
        )
    for g in range(new.shape[1]):
        nr, ni, pr, pi = new[0, g], new[1, g], old[0, g], old[1, g]
        for w in range(len(re)):
            norm = 1.0 / (pr[w] * pr[w] + pi[w] * pi[w])
            qr, qi = (nr[w] * pr[w] + ni[w] * pi[w]) * norm, (ni[w] * pr[w] - nr[w] * pi[w]) * norm
            a, b = re[w], im[w]
            re[w], im[w] = a * qr - b * qi, a * qi + b * qr


@compiled
def sweep(
    x: np.ndarray,
    products: np.ndarray,
    s: np.ndarray,
    sites: np.ndarray,
    table: np.ndarray,
    factor: np.ndarray,
    sequence: np.ndarray,
    limits: np.ndarray,
    accepted: np.ndarray,
    bad: np.ndarray,
) -> None:
    """Propose the moves `sequence` (B, K) of every block one after the other; accept where limits
    (K, W) < |psi'/psi|^2. All tiles (tiles, ...), in place.
    """
    tiles, _, groups, rows, width = x.shape
    new, re, im, last = (
        np.empty((2, groups, width)),
        np.empty(width),
        np.empty(width),
        np.empty(width),
    )
    for tile in range(tiles):
        xt, pt, st = x[tile], products[tile], s[tile]
        lo = tile * width
        own = sequence[tile * len(sequence) // tiles]
        for k in range(len(own)):
            m = own[k]
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            _products(xt, table, m, sign, new)
            _ratio(factor, m, sign, new, pt, re, im)
            any_taken = 0
            for w in range(width):
                acts = (not pair) or sign[w] != other[w]
                p = re[w] * re[w] + im[w] * im[w]
                yes = acts and limits[k, lo + w] < p
                bad[lo + w] += 1 if acts and p != p else 0
                accepted[lo + w] += 1 if yes else 0
                any_taken += 1 if yes else 0
                last[w] = sign[w] if yes else 0.0
            if any_taken == 0:
                continue
            for c in range(2):
                for g in range(groups):
                    for w in range(width):
                        pt[c, g, w] = new[c, g, w] if last[w] != 0.0 else pt[c, g, w]
            for g in range(groups):
                for j in range(rows):
                    xr, xi = xt[0, g, j], xt[1, g, j]
                    ur, ui, dr, di = (
                        table[0, m, 0, g, j],
                        table[1, m, 0, g, j],
                        table[0, m, 1, g, j],
                        table[1, m, 1, g, j],
                    )
                    for w in range(width):
                        plus, none = last[w] > 0.0, last[w] == 0.0
                        er, ei = (
                            1.0 if none else (ur if plus else dr),
                            0.0 if none else (ui if plus else di),
                        )
                        a, b = xr[w], xi[w]
                        xr[w], xi[w] = a * er - b * ei, a * ei + b * er
            for w in range(width):
                sign[w] = -sign[w] if last[w] != 0.0 else sign[w]
            if pair:
                for w in range(width):
                    other[w] = -other[w] if last[w] != 0.0 else other[w]


@compiled
def connected(
    x: np.ndarray,
    products: np.ndarray,
    s: np.ndarray,
    sites: np.ndarray,
    table: np.ndarray,
    factor: np.ndarray,
    elements: np.ndarray,
    total: np.ndarray,
) -> None:
    """total (2, W) = sum_m elements_m psi(s^m)/psi(s) over the moves that act, real and imaginary
    part.
    """
    tiles, _, groups, _, width = x.shape
    new, re, im = np.empty((2, groups, width)), np.empty(width), np.empty(width)
    for tile in range(tiles):
        st = s[tile]
        lo, hi = tile * width, (tile + 1) * width
        for m in range(len(elements)):
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            _products(x[tile], table, m, sign, new)
            _ratio(factor, m, sign, new, products[tile], re, im)
            tr, ti = total[0, lo:hi], total[1, lo:hi]
            for w in range(width):
                acts = (not pair) or sign[w] != other[w]
                tr[w] += elements[m] * re[w] if acts else 0.0
                ti[w] += elements[m] * im[w] if acts else 0.0


@compiled
def group_products(x: np.ndarray, products: np.ndarray) -> None:
    """products (tiles, 2, G, T) of 1 + x_j."""
    one, sign = np.zeros((2, 1, 2, x.shape[2], x.shape[3])), np.ones(x.shape[4])
    one[0] = 1.0
    for tile in range(x.shape[0]):
        _products(x[tile], one, 0, sign, products[tile])
