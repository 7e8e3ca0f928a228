"""The two-body Jastrow factor of spins, and its local updates."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace, on_host
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.local_update import RENEW, LocalUpdate, UpdateRule
from vmcnet.wavefunctions.reading import Configuration, Parameters

TILE = 64  # connected configurations whose ratios are held at a time


class SpinJastrow(Wavefunction):
    """psi = exp sum_{i<j} J_ij s_i s_j, s_i = +-1, J real: the pair factor of spins.

    J (n(n-1)/2,), one number a pair, or with `symmetric` one for every class of pairs that the
    lattice's translations (and the exchange of the two) carry into each other. Starts at normals
    of width `spread`. D. A. Huse and V. Elser, Phys. Rev. Lett. 60, 2531 (1988). Raises ValueError
    for particles in space, and for symmetric without translations.
    """

    name = "jastrow"
    reads = "spins"

    def __init__(self, system: Any, symmetric: bool = False, spread: float = 0.02) -> None:
        self.place(system)
        symmetric = arguments.flag("SpinJastrow symmetric", symmetric)
        self._spread = arguments.positive("SpinJastrow spread", spread)
        n = self.particles
        self._pairs = np.triu_indices(n, 1)
        self._kinds = None
        size = len(self._pairs[0])
        if symmetric:
            self._kinds = self._classes(system.lattice.symmetries("SpinJastrow"))
            self._order = np.argsort(self._kinds, kind="stable")
            self._starts = np.flatnonzero(np.diff(self._kinds[self._order], prepend=-1))
            size = len(self._starts)
        self.layout = Layout().add("coupling", (size,))

    def _classes(self, group: np.ndarray) -> np.ndarray:
        """For every pair the number of its class: the smallest image i n + j of it."""
        i, j = (group[:, k] for k in self._pairs)
        codes = np.minimum(i, j) * self.particles + np.maximum(i, j)
        return np.unique(codes.min(axis=0), return_inverse=True)[1]

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {"coupling": self._spread * stream.normal(self.layout.entries["coupling"].shape)}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        i, j = self._pairs
        product = (walkers.s[:, i] * walkers.s[:, j]).astype(ops.real_dtype)
        if self._kinds is not None:
            product = np.add.reduceat(product[:, self._order], self._starts, axis=1)
        return None, ops.sum(ops.constant(product) * theta["coupling"], axis=-1)

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        strength, n = values["coupling"], self.particles
        coupling = np.zeros((n, n))
        coupling[self._pairs] = strength if self._kinds is None else strength[self._kinds]
        return PairCoupling(coupling + coupling.T)


class PairCoupling(UpdateRule):
    """psi = exp(s.J.s / 2), J (n, n) real and symmetric with diagonal 0."""

    kinds = (SpinMove,)

    def __init__(self, coupling: np.ndarray) -> None:
        self.coupling = coupling

    def of(self, walkers: Walkers) -> LocalUpdate | None:
        if not np.isfinite(self.coupling).all():
            return None
        return (CompiledFields if on_host(walkers.s) else Fields)(self.coupling, walkers)


class Fields(LocalUpdate):
    """The fields f_i = sum_j J_ij s_j of a block's walkers, (n, W).

    A flip multiplies psi by exp(-2 s_i f_i); an exchange of two opposite spins by
    exp(-2 s_i f_i - 2 s_j f_j + 4 J_ij s_i s_j). Both change the fields by O(n).
    """

    def __init__(self, coupling: np.ndarray, walkers: Walkers) -> None:
        self._xp, self._r = namespace(walkers.s), walkers.r
        self.coupling = self._xp.asarray(coupling)
        self._fill(walkers.s)

    def _fill(self, s: Array) -> None:
        self.s = self._xp.ascontiguousarray(s.T).astype(np.float64)  # (n, W)
        self.fields = self.coupling @ self.s

    def configuration(self) -> tuple[Array, Array]:
        return self._r, self._xp.ascontiguousarray(self.s.T).astype(np.int8)

    def renew(self) -> None:
        self._fill(self.configuration()[1])

    def _changes(self, sites: Array) -> Array:
        """log psi(s^m) - log psi(s) (moves, W) of moves of the sites (moves, 1 or 2)."""
        i, s, f = self._xp.asarray(sites[:, 0]), self.s, self.fields
        change = -2.0 * s[i] * f[i]
        if sites.shape[1] == 2:
            j = self._xp.asarray(sites[:, 1])
            change += 4.0 * self.coupling[i, j][:, None] * s[i] * s[j] - 2.0 * s[j] * f[j]
        return change

    def ratio(self, move: Any) -> tuple[Array, Array]:
        return None, self._changes(move.sites[None])[0]

    def accept(self, move: Any, mask: Array) -> None:
        for site in move.sites.tolist():
            turned = self._xp.where(mask, -2.0 * self.s[site], 0.0)
            self.s[site] += turned
            self.fields += self.coupling[:, site, None] * turned

    def connected(self, moves: SpinMoves, elements: Array) -> Array:
        xp, s, total = self._xp, self.configuration()[1], 0.0
        for start in range(0, len(moves), TILE):
            tile = slice(start, start + TILE)
            ratios = xp.exp(self._changes(moves.sites[tile]))
            ratios = xp.where(moves.acts(s, tile).T, ratios, 0.0)
            total = total + xp.asarray(elements[tile]) @ ratios
        return total


class CompiledFields(Fields):
    """The same with the compiled sweep."""

    def sweep(
        self, moves: SpinMoves, sequence: np.ndarray, limits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        from vmcnet.kernels.numba_spin_pairs import sweep

        walkers, some = self.s.shape[1], RENEW * len(moves)
        accepted, bad = np.zeros(walkers, np.int64), np.zeros(walkers, np.int64)
        limits = np.log(limits)
        for start in range(0, len(sequence), some):
            part = slice(start, start + some)
            if start:
                self.renew()
            sweep(
                self.fields,
                self.s,
                self.coupling,
                moves.sites,
                sequence[part],
                limits[part],
                accepted,
                bad,
            )
        return accepted, bad
