"""Jastrow factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.jet import pair_arrays
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.local_update import UpdateRule
from vmcnet.wavefunctions.one_particle_updates import PairUpdate, ParticleRule
from vmcnet.wavefunctions.reading import Configuration, Parameters


class PadeJastrow(Wavefunction):
    """psi = exp sum_{i<j} c_ij r_ij / (1 + beta_ij r_ij), with the electron-electron cusp at
    contact.

    c = Z/(d - 1) for antiparallel and Z/(d + 1) for parallel spins (repulsion Z/r, mass 1): Kato's
    condition in d dimensions; Z is that of the system (1 where it does not say), and where it is 0
    a cusp would be wrong: refused.
    beta > 0 (1/length) is trainable, one for each kind of pair that the system has: `beta_unlike`,
    `beta_like`. In one dimension
    1/|x| forces psi = 0 at contact, which this factor does not have: refused. In a periodic box
    r_ij is the length of (L_a/pi) sin(pi x_a/L_a), x = r_i - r_j: smooth, periodic, r at contact.
    """

    name = "jastrow"
    rowwise = True
    decays = False

    def __init__(self, system: Any, beta: float | None = None) -> None:
        self.place(system)
        if system.dimensions < 2:
            raise ValueError(
                "PadeJastrow in 1 dimension: the bare 1/|x| forces a node at contact, which no "
                "factor here has; use 2 or 3 dimensions"
            )
        if system.particles < 2:
            raise ValueError("PadeJastrow needs at least 2 particles")
        charge = 1.0 if system.contact is None else system.contact
        if charge == 0:
            raise ValueError(
                "PadeJastrow has the cusp of a repulsion 1/r, and the interaction here is finite "
                "at contact: leave the factor out"
            )
        self._beta = system.screening if beta is None else arguments.scale("PadeJastrow beta", beta)
        self.box = system.box
        spins = np.asarray(system.spins)
        i, j = np.triu_indices(self.particles, 1)
        like = spins[i] == spins[j]
        self.kinds, self.layout = [], Layout()
        for kind, cusp, present in (
            ("unlike", charge / (system.dimensions - 1), ~like),
            ("like", charge / (system.dimensions + 1), like),
        ):
            if present.any():
                self.kinds.append((kind, cusp))
                self.layout.add(f"beta_{kind}", (), POSITIVE, system.screening)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {f"beta_{kind}": np.float64(self._beta) for kind, _ in self.kinds}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        first, second = ops.pairs(walkers.r)
        i, j = pair_arrays(ops.xp, self.particles)
        like = walkers.s[:, i] == walkers.s[:, j]
        return None, self._pairs(ops, theta, first - second, like)

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        """Moves of one particle by its own pairs."""
        return ParticleRule(lambda walkers: PairUpdate(self._pairs, values, walkers))

    def _pairs(self, ops: Interpreter, theta: Parameters, apart: Handle, like: Any) -> Any:
        """sum over pairs (w,), apart (w, pairs, d) their r_i - r_j, like (w, pairs) whether their
        spins are equal.
        """
        distance = self._distance(ops, apart)
        terms = [(cusp, theta[f"beta_{kind}"]) for kind, cusp in self.kinds]
        cusp, beta = terms[0]
        if len(terms) > 1:  # those of every pair
            masks = [like if kind == "like" else ~like for kind, _ in self.kinds]
            one, other = (ops.constant(mask.astype(ops.real_dtype)) for mask in masks)
            cusp, beta = (one * x + other * y for x, y in zip(*terms, strict=True))
        return ops.sum(cusp * (distance / (1.0 + distance * beta)), axis=-1)

    def _distance(self, ops: Interpreter, apart: Handle) -> Handle:
        """(w, pairs): r_ij, in a box the length of (L/pi) sin(pi x/L)."""
        if self.box is None:
            return ops.norm(apart)
        if self.box.cubic:
            length = float(self.box.lengths[0])
            return ops.norm(ops.sin(apart * (np.pi / length))) * (length / np.pi)
        turns, lengths = np.diag(np.pi / self.box.lengths), np.diag(self.box.lengths / np.pi)
        sines = ops.sin(ops.affine(apart, ops.fixed(turns)))
        return ops.norm(ops.affine(sines, ops.fixed(lengths)))


class HardCoreJastrow(Wavefunction):
    """psi = prod_{i<j} (1 - a/r_ij), 0 where a pair is closer than a: the zero-energy s wave
    outside a hard sphere; no parameters.

    a is the system's diameter of the spheres. DuBois and Glyde, Phys. Rev. A 63, 023602 (2001), eq.
    11. Raises ValueError where the
    system has no hard core.
    """

    name = "hard_core"
    rowwise = True
    decays = False

    def __init__(self, system: Any) -> None:
        self.place(system)
        if not system.core > 0:
            raise ValueError("HardCoreJastrow: this system has no hard core, set its diameter")
        self.core = system.core
        self.layout = Layout()

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        first, second = ops.pairs(walkers.r)
        return None, ops.sum(ops.hard_core(ops.norm(first - second), self.core), axis=-1)
