"""Sums over configurations that moves of spins connect, every one of them evaluated; exchanges of
spins by a determinant's ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace, writable
from vmcnet.calculus.jet import pair_arrays
from vmcnet.geometry.moves import SpinMoves
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.amplitude import Amplitude, ratio

TILE = 16  # connected configurations of every walker that are evaluated in one call
PAIRS = 64  # the same of exchanges at given coordinates


def connected_sum(value: Callable, walkers: Walkers, moves: SpinMoves, elements: Array) -> Array:
    """sum_m elements_m psi(s^m)/psi(s) over the SpinMoves that act on s (W, n), (W,); elements
    (M,); value(r, s) -> (phase, log psi).

    Configurations are made in tiles of TILE moves at most, so that the calls' shapes depend on
    sizes alone.
    """
    r, s, xp = writable(walkers.r), writable(walkers.s), namespace(walkers.r)
    here = value(r, s)
    total = xp.zeros(len(r), here[1].dtype)
    for start in range(0, len(moves), TILE):
        tile = slice(start, min(start + TILE, len(moves)))
        to = moves.connected(s, tile)
        count = to.shape[1]
        there = value(xp.repeat(r, count, axis=0), to.reshape(-1, s.shape[1]))
        ratios = _ratios(there, here)
        part = xp.where(moves.acts(s, tile), ratios, 0.0) @ xp.asarray(elements[tile])
        total = _added(total, part, ratios)
    return total


def label_ratios(amplitude: Amplitude, walkers: Walkers, s: Array) -> Array:
    """psi(r, s')/psi of C configurations s (W, C, n) of the labels, (W, C), in tiles of PAIRS."""
    here, xp = amplitude(walkers.r, walkers.s), namespace(walkers.r)
    starts = range(0, s.shape[1], PAIRS)
    there = [amplitude.configurations(walkers.r, s[:, k : k + PAIRS]) for k in starts]
    return xp.concatenate([_ratios(part, here) for part in there], axis=1)


def exchange_ratios(amplitude: Amplitude, walkers: Walkers) -> Array:
    """psi(s_i <-> s_j)/psi of all pairs i < j, (W, pairs); 1 where the spins are equal.

    Every walker's pairs that act are gathered first, so that fixed labels n_up, n_down cost n_up
    n_down configurations; what does not depend on the labels is evaluated once a walker
    (Amplitude.configurations).
    """
    r, s, xp = walkers.r, walkers.s, namespace(walkers.r)
    i, j = pair_arrays(xp, s.shape[1])
    acts = s[:, i] != s[:, j]
    order = xp.argsort(~acts, axis=1, kind="stable")
    most, rows = int(acts.sum(axis=1).max()), xp.arange(len(r))[:, None]
    here = amplitude(r, s)
    out = xp.ones(acts.shape, here[1].dtype)
    for start in range(0, most, PAIRS):
        pairs = order[:, start : min(start + PAIRS, most)]
        count = pairs.shape[1]
        first, second = i[pairs], j[pairs]
        to = xp.repeat(s[:, None], count, axis=1)
        columns = xp.arange(count)[None]
        to[rows, columns, first], to[rows, columns, second] = s[rows, second], s[rows, first]
        ratios = _ratios(amplitude.configurations(r, to), here)
        out = out.astype(xp.result_type(out, ratios), copy=False)
        out[rows, pairs] = xp.where(acts[rows, pairs], ratios, 1.0)
    return out


def _ratios(there: Any, here: Any) -> Array:
    """psi'/psi (W, K) from the amplitudes of K configurations a walker (W K,) and of the walkers
    (W,).
    """
    count = len(here[1])
    new = [None if x is None else x.reshape(count, -1) for x in there]
    old = [None if x is None else x[:, None] for x in here]
    return ratio((new[0], new[1]), (old[0], old[1]))


def _added(total: Array, part: Array, ratios: Array) -> Array:
    """total + part in the precision of psi; complex from where the ratios are."""
    return (total + part).astype(namespace(total).result_type(total, ratios), copy=False)


def determinant_ratios(up: Array, down: Array, s: Array) -> Array:
    """psi(s_i <-> s_j)/psi of all pairs i < j (W, pairs) for psi = det A det B, A the orbitals
    `up` (W, n, m) of the particles with s > 0, B the orbitals `down` (W, n, n - m) of the others.

    By antisymmetry -psi(r_i <-> r_j)/psi, in which one row of either matrix changes: -(up(r_j)
    A^-1)_i (down(r_i) B^-1)_j for s_i > 0 > s_j. 0 where the spins are equal.
    """
    xp, (count, n, m) = namespace(up), up.shape
    order, rows = xp.argsort(-s, axis=1, kind="stable"), xp.arange(count)[:, None]
    first, second = order[:, :m], order[:, m:]
    inverse = kernels.of(xp, up.dtype).inverse
    moved_up = xp.matmul(up[rows, second], inverse(up[rows, first])[0])  # (W, down, up)
    moved_down = xp.matmul(down[rows, first], inverse(down[rows, second])[0])  # (W, up, down)
    ratios = -xp.swapaxes(moved_up, 1, 2) * moved_down
    out = xp.zeros((count, n, n), ratios.dtype)
    out[rows[:, :, None], first[:, :, None], second[:, None, :]] = ratios
    out[rows[:, :, None], second[:, :, None], first[:, None, :]] = xp.swapaxes(ratios, 1, 2)
    i, j = pair_arrays(xp, n)
    return out[:, i, j]
