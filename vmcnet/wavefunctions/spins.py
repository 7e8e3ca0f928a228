"""Functions of spins besides the Boltzmann machine: two-body Jastrow factor and feed-forward
network.
"""

from __future__ import annotations

import numpy as np

from vmcnet.parameters import Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.feedforward import Dense


def _translations(system, name):
    group = np.asarray(system.lattice.translations)
    if len(group) < 2:
        raise ValueError(
            f"{name} symmetric = true needs a periodic lattice: this one has no translations"
        )
    return group


class SpinJastrow(Wavefunction):
    """psi = exp sum_{i<j} J_ij s_i s_j, s_i = +-1, J real: the pair factor of spins.

    J (n(n-1)/2,), one number a pair, or with `symmetric` one for every class of pairs that the
    lattice's translations (and the exchange
    of the two) carry into each other. Starts at normals of width `spread`. D. A. Huse and V. Elser,
    Phys. Rev. Lett. 60, 2531
    (1988). Raises ValueError for particles in space, and for symmetric without translations.
    """

    name = "jastrow"
    reads = "spins"

    def __init__(self, system, symmetric: bool = False, spread: float = 0.02):
        if system.dimensions:
            raise ValueError(
                "SpinJastrow needs spins on a lattice; particles in space take a PadeJastrow"
            )
        n = self.particles = system.particles
        self.dimensions, self._spread = 0, spread
        self._pairs = np.triu_indices(n, 1)
        self._order, self._starts = None, None
        size = len(self._pairs[0])
        if symmetric:
            kinds = self._classes(_translations(system, "SpinJastrow"))
            self._order = np.argsort(kinds, kind="stable")
            self._starts = np.flatnonzero(np.diff(kinds[self._order], prepend=-1))
            size = len(self._starts)
        self.layout = Layout().add("coupling", (size,))

    def _classes(self, group):
        """For every pair the number of its class: the smallest image i n + j of it."""
        i, j = (group[:, k] for k in self._pairs)
        codes = np.minimum(i, j) * self.particles + np.maximum(i, j)
        return np.unique(codes.min(axis=0), return_inverse=True)[1]

    def initial(self, stream):
        return {"coupling": self._spread * stream.normal(self.layout.entries["coupling"].shape)}

    def log_psi(self, ops, theta, walkers):
        i, j = self._pairs
        product = (walkers.s[:, i] * walkers.s[:, j]).astype(ops.real_dtype)
        if self._order is not None:
            product = np.add.reduceat(product[:, self._order], self._starts, axis=1)
        return None, ops.sum(ops.constant(product) * theta["coupling"], axis=-1)


class SpinNetwork(Wavefunction):
    """psi = exp(v.h + i u.h) of a feed-forward network h(s) of the spins, s_i = +-1.

    weights = "complex": the last layer gives a logarithm and a phase, u not 0; "real": psi > 0.
    symmetric: the network reads the spins
    from every site of a periodic lattice and its outputs are summed, log psi = sum_g f(g s).
    layers, activation and skip as in FeedForward;
    v and u start as normals of width `spread`. Raises ValueError for particles in space and for
    symmetric without translations.
    """

    name = "network"
    reads = "spins"

    def __init__(
        self,
        system,
        layers=(16,),
        activation: str = "logcosh",
        skip: bool = False,
        weights: str = "real",
        symmetric: bool = False,
        spread: float = 0.02,
    ):
        if system.dimensions:
            raise ValueError(
                "SpinNetwork needs spins on a lattice; particles in space take a FeedForward"
            )
        if weights not in ("real", "complex"):
            raise ValueError(f"SpinNetwork weights {weights!r}: expected 'real' or 'complex'")
        if not layers:
            raise ValueError("SpinNetwork needs at least one layer, got layers = []")
        if skip and not any(
            a == b for a, b in zip([system.particles, *layers], layers, strict=False)
        ):
            raise ValueError(
                "SpinNetwork skip = true, but no layer keeps the width of the one before it: "
                f"layers = {list(layers)}"
            )
        n = self.particles = system.particles
        self.dimensions, self._spread, self.complex = 0, spread, weights == "complex"
        self._group = _translations(system, "SpinNetwork") if symmetric else None
        self.layout = Layout()
        self._network = Dense(self.layout, "", n, list(layers), activation, skip)
        for name in ("last", "last_imaginary")[: 1 + self.complex]:
            self.layout.add(name, (self._network.outputs,))

    def initial(self, stream):
        out = self._network.initial(stream)
        return out | {
            k: self._spread * stream.normal((self._network.outputs,))
            for k in self.layout.entries
            if k.startswith("last")
        }

    def log_psi(self, ops, theta, walkers):
        s = walkers.s if self._group is None else walkers.s[:, self._group]
        h = self._network(ops, theta, ops.constant(s.astype(ops.real_dtype)))
        if self._group is not None:
            h = ops.sum(h, axis=1)
        log = ops.sum(h * theta["last"], axis=-1)
        return None, ops.complex(
            log, ops.sum(h * theta["last_imaginary"], axis=-1)
        ) if self.complex else log
