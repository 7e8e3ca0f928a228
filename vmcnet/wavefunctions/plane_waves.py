"""Orbitals of particles in a periodic box: plane waves, and Gaussians on the sites of a crystal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.geometry.box import Box
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.excitations import PairExcitations
from vmcnet.wavefunctions.orbitals import Orbitals
from vmcnet.wavefunctions.reading import Parameters

CLOSED = 1e-9  # of 2 pi/L: wave vectors that agree to this are one


def paired(box: Box, integers: np.ndarray) -> list[int] | None:
    """For every wave of `integers` (m, d) the index of the one of -k, which for k = 0 is its own;
    None where the set is not closed under k -> -k.
    """
    k = box.wave_vectors(integers)
    unit = 2.0 * np.pi / box.lengths.max()
    out = []
    for wave in k:
        found = np.flatnonzero(np.abs(k + wave).max(axis=1) < CLOSED * unit)
        if not len(found):
            return None
        out.append(int(found[0]))
    return out


def real_waves(box: Box, integers: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Wave vectors K (d, m) and angles b (m,) such that cos(K.r + b) span what the plane waves of
    `integers` (m, d) span, in their order; None where the set is not closed under k -> -k.

    Of k and -k the first gives cos(k.r), the second cos(k.r - pi/2) = sin(k.r).
    """
    partners = paired(box, integers)
    if partners is None:
        return None
    k, angles = box.wave_vectors(integers), np.zeros(len(integers))
    for i, j in enumerate(partners):
        if j < i:
            k[i], angles[i] = k[j], -0.5 * np.pi
    return k.T.copy(), angles


def wave_labels(box: Box, count: int) -> list:
    """Labels of the `count` lowest plane waves; raises ValueError where they leave a shell open."""
    return [tuple(m) for m in box.filled(count).tolist()]


class PlaneWaves(Orbitals):
    """exp(i k.r), k = (2 pi m + theta)/L, of the lowest `shells` shells of a Box with its twist;
    labels are the integers m, energies k^2/2.

    Where the shells are closed under k -> -k (no twist, or one of pi) they are real: of k and -k
    the first is cos(k.r), the second sin(k.r), the same determinant for filled shells. real =
    False keeps them complex, as an open shell that holds k without -k needs it.
    """

    rowwise = True

    decays, twisted = True, True

    def __init__(self, box: Box, shells: int, real: bool = True) -> None:
        if shells < 1:
            raise ValueError(f"PlaneWaves needs at least 1 shell, got {shells}")
        self.box, self.integers = box, np.concatenate(box.shells(shells))
        self.size = len(self.integers)
        self.labels = tuple(tuple(m) for m in self.integers.tolist())
        members = [0.5 * (box.wave_vectors(s[0]) ** 2).sum() for s in box.shells(shells)]
        counts = [len(s) for s in box.shells(shells)]
        self.energies = tuple(np.repeat(members, counts).tolist())
        waves = real_waves(box, self.integers) if real else None
        self.real, self._angles = waves is not None, None if waves is None else waves[1]
        self._waves = box.wave_vectors(self.integers).T.copy() if waves is None else waves[0]

    @classmethod
    def holding(cls, box: Box, counts: Sequence[int], more: int = 0) -> PlaneWaves:
        """Shells for so many particles of either spin, and `more` above; complex where one of the
        numbers leaves a shell open.
        """
        sizes = np.cumsum([len(s) for s in box.shells(max(counts) + 1)])
        shells = int(np.searchsorted(sizes, max(counts))) + 1
        return cls(box, shells + more, real=all(n in (0, *sizes) for n in counts))

    def waves(self, occupied: Sequence[Sequence[int]]) -> list[np.ndarray] | None:
        """Integers (m, d) of the plane waves whose determinants `occupied`, indices of either spin,
        stand for; None where real orbitals of k are occupied without those of -k.
        """
        sets = [self.integers[list(s)] for s in occupied]
        if self.real and any(paired(self.box, s) is None for s in sets):
            return None
        return sets

    def excitations(self, up: Sequence[int], down: Sequence[int], shells: int) -> PairExcitations:
        """Pairs lifted from the columns up and down into the next `shells` empty shells, at equal
        momentum. Raises ValueError where an open shell or its symmetry is beyond the classes.
        """
        from vmcnet.wavefunctions.momentum_pairs import pair_classes  # which reads this module

        if not self.real and not self.box.twist.any():
            raise ValueError("excitations of plane waves need closed shells, or a twist")
        occupied = {*up, *down}
        levels = sorted({e for k, e in enumerate(self.energies) if k not in occupied})[:shells]
        virtual = [k for k, e in enumerate(self.energies) if e in levels and k not in occupied]
        if len(levels) < shells:
            raise ValueError(
                f"excitations into {shells} shells: this set has {len(levels)} above the occupied "
                "ones"
            )
        sets = [self.integers[list(s)] for s in (up, down, virtual)]
        if self.real and any(paired(self.box, s) is None for s in sets):
            raise ValueError(
                "excitations of plane waves need k with every -k among the occupied ones: expected "
                "closed shells, or a twist"
            )
        found = pair_classes(self.box, *sets)
        return PairExcitations(tuple(virtual), found.unlike, found.up, found.down, found.labels)

    def declare(self, layout: Layout, prefix: str) -> None:
        pass

    def initial(self, prefix: str) -> dict[str, Array]:
        return {}

    def matrix(self, ops: Interpreter, theta: Parameters, prefix: str, x: Handle) -> Handle:
        if self.real:
            return ops.cos(ops.affine(x, ops.fixed(self._waves), ops.fixed(self._angles)))
        phase = ops.affine(x, ops.fixed(self._waves))
        return ops.complex(ops.cos(phase), ops.sin(phase))

    def imaginary(self, ops: Interpreter, y: Handle) -> Handle:
        """exp(-k.y) (w, n, size), what complex waves are times at x + i y."""
        return ops.exp(-ops.affine(y, ops.fixed(self._waves)))

    def envelope(
        self, ops: Interpreter, theta: Parameters, prefix: str, r: Handle
    ) -> Handle | None:
        return None


class LatticeOrbitals(Orbitals):
    """Gaussians on sites R (m, d), periodic in the Box: exp(-alpha sum_a (L_a/pi)^2
    sin^2(pi (x_a - R_a)/L_a)), alpha > 0 in 1/length^2, one parameter.

    Near its site an orbital is exp(-alpha |r - R|^2). The order of the sites is that of the
    orbitals, and any of them may be occupied: labels are their numbers.
    """

    rowwise = True

    decays, twisted = True, False

    def __init__(self, box: Box, sites: Array, alpha: float) -> None:
        self.box, self.sites, self._alpha = box, np.asarray(sites, np.float64), float(alpha)
        if self.sites.ndim != 2 or self.sites.shape[1] != box.dimensions:
            raise ValueError(
                f"LatticeOrbitals sites of shape {self.sites.shape}: expected (sites, "
                f"{box.dimensions})"
            )
        if not alpha > 0:
            raise ValueError(f"LatticeOrbitals alpha must be above 0, got {alpha}")
        self.size = len(self.sites)
        self.labels = tuple((k,) for k in range(self.size))
        self.energies = (0.0,) * self.size
        # sum_a (L_a/pi)^2 sin^2 = sum_a (L_a^2/2 pi^2) (1 - cos cos - sin sin)
        turns = 2.0 * np.pi / box.lengths
        weight = 2.0 / turns**2  # L^2/(2 pi^2)
        angles = turns * self.sites
        self._turns = np.diag(turns)
        self._sites = np.concatenate([weight * np.cos(angles), weight * np.sin(angles)], axis=1).T
        self._all = np.full(self.size, -weight.sum())
        self._unit = (self.size / box.volume) ** (1.5 / box.dimensions)  # r_s^(-3/2): oscillations

    def declare(self, layout: Layout, prefix: str) -> None:
        layout.add(f"{prefix}alpha", (), POSITIVE, self._unit)

    def initial(self, prefix: str) -> dict[str, Array]:
        return {f"{prefix}alpha": np.float64(self._alpha)}

    def matrix(self, ops: Interpreter, theta: Parameters, prefix: str, x: Handle) -> Handle:
        turned = ops.affine(x, ops.fixed(self._turns))
        waves = ops.concatenate([ops.cos(turned), ops.sin(turned)])
        near = ops.affine(waves, ops.fixed(self._sites.copy()), ops.fixed(self._all))
        return ops.exp(near * theta[f"{prefix}alpha"])

    def envelope(
        self, ops: Interpreter, theta: Parameters, prefix: str, r: Handle
    ) -> Handle | None:
        return None
