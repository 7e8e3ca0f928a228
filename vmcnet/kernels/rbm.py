"""Sweeps and local energies of restricted Boltzmann machines on spins: compiled loops over tiles of walkers.

With x_j = exp(-2 theta_j), 2 cosh theta_j = exp(theta_j) (1 + x_j): the move m that turns spins s_i multiplies x_j by E = exp(4 sum_i s_i W_ij)
and psi by exp(-2 sum_i s_i (a_i + sum_j W_ij)) prod_j (1 + x_j E_j) / (1 + x_j): no transcendental function, no division by unit, and no
lost digits where tanh theta is near 1 (tanh theta_j = (1 - x_j)/(1 + x_j)). Units are multiplied in groups so small that no product overflows.
All spins of a move have the sign of the first one up to a fixed factor (an exchange acts on opposite spins), so E and the factor have two
values, for s = +1 and s = -1.

Arrays of a tile: x (M, T) hidden units times walkers, groups (G, T) their products, s (n, T) float, walkers innermost.
"""

from __future__ import annotations

import numpy as np

from vmcnet.kernels.compiled import compiled


@compiled
def _products(x, up, down, sign, size, out):
    """out (G, T): the products over groups of `size` units of 1 + x_j E_j, E = up where sign > 0, else down."""
    units, width = x.shape
    for g in range(out.shape[0]):
        acc = out[g]
        first, last = g * size, min(units, (g + 1) * size)
        for w in range(width):
            acc[w] = 1.0
        j = first
        while j + 4 <= last:
            x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
            u0, u1, u2, u3 = up[j], up[j + 1], up[j + 2], up[j + 3]
            d0, d1, d2, d3 = down[j], down[j + 1], down[j + 2], down[j + 3]
            for w in range(width):
                plus = sign[w] > 0.0
                p = (1.0 + x0[w] * (u0 if plus else d0)) * (1.0 + x1[w] * (u1 if plus else d1))
                q = (1.0 + x2[w] * (u2 if plus else d2)) * (1.0 + x3[w] * (u3 if plus else d3))
                acc[w] *= p * q
            j += 4
        while j < last:
            x0, u0, d0 = x[j], up[j], down[j]
            for w in range(width):
                acc[w] *= 1.0 + x0[w] * (u0 if sign[w] > 0.0 else d0)
            j += 1


@compiled
def sweep(x, groups, s, sites, up, down, factor, size, sequence, limits, accepted, bad):
    """Propose the moves `sequence` (K,) one after the other; accept where limits (K, W) < |psi'/psi|^2. All tiles (tiles, ...), in place."""
    tiles, units, width = x.shape
    new, ratio, take = np.empty((groups.shape[1], width)), np.empty(width), np.empty(width)
    for tile in range(tiles):
        xt, gt, st = x[tile], groups[tile], s[tile]
        lo = tile * width
        for k in range(len(sequence)):
            m = sequence[k]
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            _products(xt, up[m], down[m], sign, size, new)
            for w in range(width):
                ratio[w] = factor[m, 0] if sign[w] > 0.0 else factor[m, 1]
            for g in range(new.shape[0]):
                for w in range(width):
                    ratio[w] *= new[g, w] / gt[g, w]
            any_taken = 0
            for w in range(width):
                acts = (not pair) or sign[w] != other[w]
                p = ratio[w] * ratio[w]
                yes = acts and limits[k, lo + w] < p
                bad[lo + w] += 1 if acts and p != p else 0
                accepted[lo + w] += 1 if yes else 0
                any_taken += 1 if yes else 0
                take[w] = 1.0 if yes else 0.0
            if any_taken == 0:
                continue
            for g in range(new.shape[0]):
                for w in range(width):
                    gt[g, w] = new[g, w] if take[w] > 0.0 else gt[g, w]
            for j in range(units):
                xj, u, d = xt[j], up[m, j], down[m, j]
                for w in range(width):
                    e = u if sign[w] > 0.0 else d
                    xj[w] *= e if take[w] > 0.0 else 1.0
            for w in range(width):
                sign[w] = -sign[w] if take[w] > 0.0 else sign[w]
            if pair:
                for w in range(width):
                    other[w] = -other[w] if take[w] > 0.0 else other[w]


@compiled
def connected(x, groups, s, sites, up, down, factor, size, elements, total):
    """total (W,) = sum_m elements_m psi(s^m)/psi(s) over the moves that act."""
    tiles, units, width = x.shape
    new, ratio = np.empty((groups.shape[1], width)), np.empty(width)
    for tile in range(tiles):
        st, gt = s[tile], groups[tile]
        part = total[tile * width: (tile + 1) * width]
        for m in range(len(elements)):
            first, second = sites[m, 0], sites[m, -1]
            sign, other, pair = st[first], st[second], first != second
            _products(x[tile], up[m], down[m], sign, size, new)
            for w in range(width):
                ratio[w] = factor[m, 0] if sign[w] > 0.0 else factor[m, 1]
            for g in range(new.shape[0]):
                for w in range(width):
                    ratio[w] *= new[g, w] / gt[g, w]
            for w in range(width):
                part[w] += elements[m] * ratio[w] if (not pair) or sign[w] != other[w] else 0.0


@compiled
def group_products(x, size, groups):
    """groups (tiles, G, T): the products of 1 + x_j."""
    one, sign = np.ones(x.shape[1]), np.ones(x.shape[2])
    for tile in range(x.shape[0]):
        _products(x[tile], one, one, sign, size, groups[tile])
