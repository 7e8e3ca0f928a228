"""Classical lattice models on strips and small tori, exactly, by transfer matrices."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

Ends = tuple[np.ndarray, np.ndarray] | None  # weights of an open end, and their derivative
LARGEST = 256  # states of a row
CLOSE = 1e-9  # relative difference up to which two routes agree


def rows(
    width: int, pair: np.ndarray, single: np.ndarray, periodic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """All states of a row of `width` sites, (S, width) labels 0 .. q - 1, and their energies (S,):
    bonds along the row and single-site terms. A periodic row of 2 sites has its bond twice.
    """
    states = np.array(list(product(range(len(single)), repeat=width)), np.int64)
    energy = single[states].sum(axis=1)
    bonds = width if periodic and width > 1 else width - 1
    for i in range(bonds):
        energy = energy + pair[states[:, i], states[:, (i + 1) % width]]
    return states, energy


def mean_energies(
    width: int,
    length: int,
    pair: np.ndarray,
    single: np.ndarray,
    temperature: float,
    periodic: bool,
) -> tuple[float, float]:
    """<E> of a lattice of width x length sites, E = sum_bonds pair(s_i, s_j) + sum_i single(s_i),
    by two routes: the spectrum of the transfer matrix, and its powers.

    T(a, b) = exp(-V(a, b)/T), V = (E_a + E_b)/2 + sum_i pair(a_i, b_i). Periodic: Z = Tr T^L and
    <E> = L Tr(T^(L-1) (V o T))/Z. Open: Z = w^T T^(L-1) w, w_a = exp(-E_a/2T), and the derivative
    of every factor. pair (q, q) symmetric, single (q,); at most LARGEST states of a row.
    """
    states, energy = rows(width, pair, single, periodic)
    between = sum(pair[states[:, i][:, None], states[:, i][None, :]] for i in range(width))
    v = 0.5 * (energy[:, None] + energy[None, :]) + between
    v, lowest = v - v.min(), v.min()
    t = np.exp(-v / temperature)
    ends = 0.5 * (energy - energy.min())
    w = np.exp(-ends / temperature)
    shift = length * lowest if periodic else (length - 1) * lowest + energy.min()
    both = [
        route(t, v * t, length, None if periodic else (w, ends * w))
        for route in (_spectrum, _powers)
    ]
    return both[0] + shift, both[1] + shift


def _spectrum(t: np.ndarray, vt: np.ndarray, length: int, ends: Ends) -> float:
    """By eigenvectors u_k of T: sums over lambda_k^m u_k^T (V o T) u_k."""
    level, u = np.linalg.eigh(t)
    x = level / np.abs(level).max()
    inside = u.T @ vt @ u / np.abs(level).max()
    if ends is None:
        return float(length * (x ** (length - 1) * np.diag(inside)).sum() / (x**length).sum())
    a, b = u.T @ ends[0], u.T @ ends[1]
    power = [x**m for m in range(length)]
    z = (a * power[length - 1] * a).sum()
    slope = 2.0 * (b * power[length - 1] * a).sum()
    for m in range(length - 1):
        slope += (a * power[m]) @ inside @ (power[length - 2 - m] * a)
    return float(slope / z)


def _powers(t: np.ndarray, vt: np.ndarray, length: int, ends: Ends) -> float:
    """By products: every one keeps the derivative beside it, scaled so that nothing overflows."""
    if ends is None:
        z, slope = np.eye(len(t)), np.zeros_like(t)
        for bit in bin(length)[2:]:
            z, slope = z @ z, z @ slope + slope @ z
            if bit == "1":
                z, slope = z @ t, z @ vt + slope @ t
            scale = np.abs(z).max()
            z, slope = z / scale, slope / scale
        return float(np.trace(slope) / np.trace(z))
    z, slope = ends
    for _ in range(length - 1):
        z, slope = t @ z, t @ slope + vt @ z
        scale = z.max()
        z, slope = z / scale, slope / scale
    return float((ends[0] @ slope + ends[1] @ z) / (ends[0] @ z))


@lru_cache(maxsize=64)
def lattice_energy(
    extent: tuple, pair: tuple, single: tuple, temperature: float, periodic: bool
) -> float | None:
    """<E> of a chain or a rectangle where both routes agree to CLOSE of it; None otherwise, and
    where a row has more than LARGEST states. Where both sides are short enough the second route
    goes along the other one.
    """
    short, long = sorted((*extent, 1)[:2]) if len(extent) < 3 else (0, 0)
    bond, site = np.array(pair), np.array(single)
    if not short or len(site) ** short > LARGEST or (periodic and long < 2):
        return None
    if len(extent) == 2 and periodic and short < 2:
        return None
    found = mean_energies(short, long, bond, site, temperature, periodic)
    if len(extent) == 2 and len(site) ** long <= LARGEST:
        found = found[0], mean_energies(long, short, bond, site, temperature, periodic)[1]
    close = abs(found[0] - found[1]) <= CLOSE * abs(found[0])
    return float(found[0]) if close and np.isfinite(found).all() else None
