"""Sweeps and local energies of restricted Boltzmann machines on spins: compiled loops over tiles of
walkers.

With x_j = exp(-2 theta_j), 2 cosh theta_j = exp(theta_j) (1 + x_j): the move m that turns spins s_i
multiplies x_j by E = exp(4 sum_i s_i W_ij) and psi by exp(-2 sum_i s_i (a_i + sum_j W_ij)) prod_j
(1 + x_j E_j) / (1 + x_j): no transcendental function, no division by unit, and no lost digits where
tanh theta is near 1 (tanh theta_j = (1 - x_j)/(1 + x_j)). Units are multiplied in groups so small
that no product overflows. All spins of a move have the sign of the first one up to a fixed factor
(an exchange acts on opposite spins), so E and the factor have two values, for s = +1 and s = -1.

Arrays of a tile: x (G, R, T) groups times units of a group times walkers, products (G, T) of a
group, s (n, T) float, walkers innermost; R is a multiple of 4, where units are missing x = 0.
Tables (moves, 2, G, R): E for s = +1 and -1; factor (moves, 2). Loops over walkers store to few
arrays at a time: a compiler checks each against all others before it takes the vectorised loop, and
gives up beyond eight checks.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def _products(x: np.ndarray, table: np.ndarray, sign: np.ndarray, out: np.ndarray) -> None:
    """out (G, T): the products over a group of 1 + x_j E_j, table (2, G, R), E = table[0] where
    sign > 0, else table[1].
    """
    groups, rows, width = x.shape
    for g in range(groups):
        acc = out[g]
        for w in range(width):
            acc[w] = 1.0
        for four in range(rows // 4):
            j = 4 * four
            x0, x1, x2, x3 = x[g, j], x[g, j + 1], x[g, j + 2], x[g, j + 3]
            u0, u1, u2, u3 = (
                table[0, g, j],
                table[0, g, j + 1],
                table[0, g, j + 2],
                table[0, g, j + 3],
            )
            d0, d1, d2, d3 = (
                table[1, g, j],
                table[1, g, j + 1],
                table[1, g, j + 2],
                table[1, g, j + 3],
            )
            for w in range(width):
                plus = sign[w] > 0.0
                p = (1.0 + x0[w] * (u0 if plus else d0)) * (1.0 + x1[w] * (u1 if plus else d1))
                q = (1.0 + x2[w] * (u2 if plus else d2)) * (1.0 + x3[w] * (u3 if plus else d3))
                acc[w] *= p * q


@compiled
def _moved_products(
    x: np.ndarray, before: np.ndarray, code: np.ndarray, table: np.ndarray, out: np.ndarray
) -> None:
    """As _products, of x after the move before it, whose table is `before`: x is multiplied where
    that move was accepted, in the same pass.

    code (T,): its sign is the walker's for the new move; its size 1 nothing was accepted, 2 a move
    from s = +1, 3 one from -1.
    """
    groups, rows, width = x.shape
    for g in range(groups):
        acc = out[g]
        for w in range(width):
            acc[w] = 1.0
        for two in range(rows // 2):
            j = 2 * two
            x0, x1 = x[g, j], x[g, j + 1]
            a0, a1, b0, b1 = (
                before[0, g, j],
                before[0, g, j + 1],
                before[1, g, j],
                before[1, g, j + 1],
            )
            u0, u1, d0, d1 = table[0, g, j], table[0, g, j + 1], table[1, g, j], table[1, g, j + 1]
            for w in range(width):
                plus, size = code[w] > 0.0, abs(code[w])
                none, up = size < 1.5, size < 2.5
                y0 = x0[w] * (1.0 if none else (a0 if up else b0))
                y1 = x1[w] * (1.0 if none else (a1 if up else b1))
                x0[w], x1[w] = y0, y1
                acc[w] *= (1.0 + y0 * (u0 if plus else d0)) * (1.0 + y1 * (u1 if plus else d1))


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
    tiles, groups, _, width = x.shape
    new, ratio, code, last = (
        np.empty((groups, width)),
        np.empty(width),
        np.empty(width),
        np.empty(width),
    )
    for tile in range(tiles):
        xt, pt, st = x[tile], products[tile], s[tile]
        lo, before = tile * width, 0
        for w in range(width):
            last[w] = 1.0
        own = sequence[tile * len(sequence) // tiles]
        for k in range(len(own)):
            m = own[k]
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            for w in range(width):
                code[w] = sign[w] * last[w]
            _moved_products(xt, table[before], code, table[m], new)
            before = m
            for w in range(width):
                ratio[w] = factor[m, 0] if sign[w] > 0.0 else factor[m, 1]
            for g in range(groups):
                for w in range(width):
                    ratio[w] *= new[g, w] / pt[g, w]
            for w in range(width):
                acts = (not pair) or sign[w] != other[w]
                p = ratio[w] * ratio[w]
                yes = acts and limits[k, lo + w] < p
                bad[lo + w] += 1 if acts and p != p else 0
                accepted[lo + w] += 1 if yes else 0
                last[w] = (2.0 if sign[w] > 0.0 else 3.0) if yes else 1.0
            for g in range(groups):
                for w in range(width):
                    pt[g, w] = new[g, w] if last[w] > 1.5 else pt[g, w]
            for w in range(width):
                sign[w] = -sign[w] if last[w] > 1.5 else sign[w]
            if pair:
                for w in range(width):
                    other[w] = -other[w] if last[w] > 1.5 else other[w]
        _moved_products(xt, table[before], last, table[before], new)


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
    """total (W,) = sum_m elements_m psi(s^m)/psi(s) over the moves that act."""
    tiles, groups, _, width = x.shape
    new, ratio = np.empty((groups, width)), np.empty(width)
    for tile in range(tiles):
        st, pt = s[tile], products[tile]
        part = total[tile * width : (tile + 1) * width]
        for m in range(len(elements)):
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            _products(x[tile], table[m], sign, new)
            for w in range(width):
                ratio[w] = factor[m, 0] if sign[w] > 0.0 else factor[m, 1]
            for g in range(groups):
                for w in range(width):
                    ratio[w] *= new[g, w] / pt[g, w]
            for w in range(width):
                part[w] += elements[m] * ratio[w] if (not pair) or sign[w] != other[w] else 0.0


@compiled
def group_products(x: np.ndarray, products: np.ndarray) -> None:
    """products (tiles, G, T) of 1 + x_j."""
    one, sign = np.ones((2, x.shape[1], x.shape[2])), np.ones(x.shape[3])
    for tile in range(x.shape[0]):
        _products(x[tile], one, sign, products[tile])
