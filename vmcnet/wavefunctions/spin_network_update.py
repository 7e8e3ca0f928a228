"""Local updates of a network of spins: a move changes the first layer by the rows of its sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vmcnet import kernels
from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.values import Values
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.local_update import LocalUpdate, UpdateRule
from vmcnet.wavefunctions.reading import Parameters

if TYPE_CHECKING:
    from vmcnet.wavefunctions.spin_network import SpinNetwork

TILE, MOST = 16, 2**18  # moves whose ratios are made in one call, and the numbers of their z


class NetworkRule(UpdateRule):
    """A SpinNetwork at the parameters `values` (name -> array)."""

    kinds = (SpinMove,)

    def __init__(self, network: SpinNetwork, values: dict[str, np.ndarray]) -> None:
        self.network, self._values = network, values
        self._sent: dict[Any, tuple[Values, Parameters]] = {}

    def of(self, walkers: Walkers) -> NetworkUpdate:
        return NetworkUpdate(self, walkers)

    def quantities(self, r: Array) -> tuple[Values, Parameters]:
        """The interpreter of values and the parameters for walkers of the kind of r, made once."""
        xp = namespace(r)
        if (xp, r.dtype) not in self._sent:
            ops = Values(xp)
            ops.coordinates(r)
            arrays = {k: xp.asarray(v, dtype=r.dtype) for k, v in self._values.items()}
            theta = Parameters({k: ops.parameter(v) for k, v in arrays.items()})
            self._sent[xp, r.dtype] = ops, theta
        return self._sent[xp, r.dtype]


class NetworkUpdate(LocalUpdate):
    """z = s W + b (W, H) of the first layer, or (W, G, H) of all images under a group, beside s
    (W, n) and log psi (W,).

    A flip of site i adds -2 s_i W_i, O(H) or O(G H) numbers a walker, an exchange two rows. What
    stands above the first layer is evaluated anew.
    """

    def __init__(self, rule: NetworkRule, walkers: Walkers) -> None:
        self._network, self._xp, self._r = rule.network, namespace(walkers.s), walkers.r
        self._ops, self._theta = rule.quantities(walkers.r)
        self._weights, self._bias = (x.data for x in rule.network.first(self._theta))
        self._places = None  # (n, G): where an image reads a site
        if rule.network.group is not None:
            self._places = np.argsort(rule.network.group, axis=1).T
        self._fill(walkers.s)

    def _fill(self, s: Array) -> None:
        self.s = s.copy()
        seen = self._network.seen(self.s).astype(self._r.dtype)
        own = kernels.of(self._xp, self._r.dtype)
        flat = seen.reshape(-1, seen.shape[-1])
        z = own.matrix_product(flat, self._weights, False, False) + self._bias
        self.z = z.reshape(*seen.shape[:-1], -1)
        self.log = self._log(self.z, self.s if self._network.keeps_spins else None)
        self._trial: tuple[SpinMove | None, Array, Array] = None, None, None

    def configuration(self) -> tuple[Array, Array]:
        return self._r, self.s.copy()

    def renew(self) -> None:
        self._fill(self.s)

    def _log(self, z: Array, s: Array | None) -> Array:
        """log psi from z; s, where the first layer adds what it reads."""
        h = kernels.of(self._xp, z.dtype).activation_value(self._network.activation, z)
        if s is not None:
            h = h + self._network.seen(s).astype(h.dtype)
        return self._network.read(self._ops, self._theta, self._ops.constant(h)).data

    def _after(self, moves: SpinMoves, some: slice) -> tuple[Array, Array]:
        """z (W m, ...) and log psi (W, m) after each of some moves."""
        xp, z, sites = self._xp, self.z[:, None], moves.sites[some]
        for site in sites.T:
            turned = (-2.0 * self.s[:, xp.asarray(site)]).astype(z.dtype)
            read = site if self._places is None else self._places[site]
            rows = self._weights[xp.asarray(read)]  # (m, H), or (m, G, H)
            z = z + turned.reshape(turned.shape + (1,) * (rows.ndim - 1)) * rows
        z = z.reshape(-1, *self.z.shape[1:])
        s = None
        if self._network.keeps_spins:
            s = moves.connected(self.s, some).reshape(-1, self.s.shape[1])
        return z, self._log(z, s).reshape(len(self.s), -1)

    def ratio(self, move: SpinMove) -> tuple[Array, Array]:
        z, log = self._after(move.moves, slice(move.index, move.index + 1))
        self._trial = move, z, log[:, 0]
        return None, log[:, 0] - self.log

    def accept(self, move: SpinMove, mask: Array) -> None:
        if self._trial[0] is not move:
            self.ratio(move)
        xp, (_, z, log) = self._xp, self._trial
        xp.copyto(self.z, z, where=mask.reshape((-1,) + (1,) * (z.ndim - 1)))
        xp.copyto(self.log, log, where=mask)
        for site in move.sites.tolist():
            self.s[:, site] = xp.where(mask, -self.s[:, site], self.s[:, site])
        self._trial = None, None, None

    def connected(self, moves: SpinMoves, elements: Array) -> Array:
        """sum_m elements_m psi(s^m)/psi(s) over the moves that act, in tiles of moves whose z has
        MOST numbers at most.
        """
        xp, total = self._xp, self._xp.zeros(len(self.s), self.log.dtype)
        count = max(1, min(TILE, MOST // self.z.size))
        for start in range(0, len(moves), count):
            some = slice(start, start + count)
            ratios = xp.exp(self._after(moves, some)[1] - self.log[:, None])
            ratios = xp.where(moves.acts(self.s, some), ratios, 0.0)
            total += ratios @ xp.asarray(elements[some], dtype=self._r.dtype)
        return total
