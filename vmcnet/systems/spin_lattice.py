"""Spin-1/2 models on lattices."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.diagonalisation import ground_state
from vmcnet.geometry.lattice import Graph, Hypercubic
from vmcnet.hamiltonians.pauli import BondExchange, Diagonal, LongitudinalField, TransverseField
from vmcnet.observables.spins import spin_observables
from vmcnet.systems.base import System
from vmcnet.walkers import Walkers

SMALL = 12  # sites up to which reports diagonalise


def lattice_of(
    extent: Any, periodic: Any, sites: Any, edges: Any, shells: int = 1, second: Any = ()
) -> Any:
    """Hypercubic where `extent` is given, Graph where `edges` are; ValueError for both or
    neither.
    """
    if (extent is None) == (edges is None):
        raise ValueError(
            "expected either extent (lengths of a hypercubic lattice) or sites and edges (a graph)"
        )
    if extent is not None:
        if sites is not None or second:
            raise ValueError(
                "sites and second_edges belong to a graph given by edges; a hypercubic lattice has "
                "its own"
            )
        return Hypercubic(extent, periodic, shells)
    if sites is None:
        raise ValueError("a graph needs sites, the number of its vertices, besides edges")
    return Graph(sites, edges, second)


class SpinLattice(System):
    """Spins s_i = +-1 on a lattice: walkers have coordinates r (W, n, 0) and move their labels s
    (W, n).

    magnetisation: sum_i s_i that all walkers have (a sector), or None for the full space. A
    subclass gives `lattice` and `terms`.
    """

    dimensions = 0
    length = 1.0
    units = "coupling"
    magnetisation: int | None = None

    def _spins(self, lattice: Any, magnetisation: int | None = None) -> Any:
        self.lattice, self.particles = lattice, lattice.sites
        if magnetisation is not None:
            magnetisation = arguments.whole("magnetisation", magnetisation, None)
        self.magnetisation = magnetisation
        if magnetisation is not None and (
            abs(magnetisation) > self.particles or (self.particles + magnetisation) % 2
        ):
            raise ValueError(
                f"magnetisation = {magnetisation}: the sum of {self.particles} spins +-1 is "
                f"between {-self.particles} and "
                f"{self.particles} and {'even' if self.particles % 2 == 0 else 'odd'}"
            )
        up = self.particles if magnetisation is None else (self.particles + magnetisation) // 2
        self.spins = np.where(np.arange(self.particles) < up, 1, -1).astype(np.int8)

    def start(self, stream: Any, walkers: int) -> Walkers:
        """Random spins: independent in the full space, a random order of the sector's spins
        otherwise.
        """
        u = stream.uniform((walkers, self.particles))
        s = (
            np.where(u < 0.5, 1, -1).astype(np.int8)
            if self.magnetisation is None
            else self.spins[np.argsort(u, axis=1, kind="stable")]
        )
        return Walkers(np.zeros((walkers, self.particles, 0)), s)

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """What is known, otherwise the exact ground state of a small lattice."""
        if self.reference is not None or self.temperature is not None:
            return self.reference
        if self.particles > SMALL:
            return None
        return ground_state(self).energy, "exact diagonalisation"

    @property
    def observables(self) -> tuple:
        return spin_observables(self)

    def describe(self) -> str:
        sector = "" if self.magnetisation is None else f", sum of spins {self.magnetisation}"
        return f"{type(self).__name__}: {self.lattice.describe()}{sector}"


def positive_basis(lattice: Any, strengths: Any) -> np.ndarray | None:
    """Signs (n,) int8 of the sites such that strength eta_i eta_j <= 0 on every bond of the shells,
    the basis in which exchange makes no sign; None where there are none.
    """
    signs = np.zeros(lattice.sites, np.int8)
    joined: list[list] = [[] for _ in range(lattice.sites)]
    for bonds, strength in zip(lattice.shells, strengths, strict=False):
        for i, j in bonds.tolist() if strength else ():
            joined[i].append((j, -1 if strength > 0 else 1))
            joined[j].append((i, -1 if strength > 0 else 1))
    for root in range(lattice.sites):
        stack = [] if signs[root] else [root]
        signs[root] = signs[root] or 1
        while stack:
            i = stack.pop()
            for j, sign in joined[i]:
                if signs[j] == 0:
                    signs[j] = sign * signs[i]
                    stack.append(j)
                elif signs[j] != sign * signs[i]:
                    return None
    return signs


class TransverseIsing(SpinLattice):
    """H = -J sum_<ij> sigma^z_i sigma^z_j - h sum_i sigma^x_i - g sum_i sigma^z_i, Pauli matrices;
    J = coupling, h = field, g = longitudinal. A field h < 0 is the same model as -h, all spins
    turned by pi about z, and is worked with in that basis, where the ground state is positive.

    The periodic chain without longitudinal field is solved exactly: E0 = -sum_n sqrt(J^2 + h^2 + 2
    J h cos k_n), k_n = (2n + 1) pi / N for
    even N (P. Pfeuty, Ann. Phys. 57, 79 (1970)). Up to 12 sites are diagonalised. Raises ValueError
    for arguments out of range.
    """

    def __init__(
        self,
        extent: Any = None,
        field: float = 1.0,
        coupling: float = 1.0,
        longitudinal: float = 0.0,
        periodic: bool = True,
        sites: Any = None,
        edges: Any = None,
    ):
        field = arguments.coupling("TransverseIsing field", field)
        coupling = arguments.coupling("TransverseIsing coupling", coupling)
        longitudinal = arguments.coupling("TransverseIsing longitudinal", longitudinal)
        lattice = lattice_of(extent, periodic, sites, edges)
        self._spins(lattice)
        self.terms = {
            "coupling": Diagonal(-coupling, lattice.shells[0], lattice.weights[0]),
            "field": TransverseField(-abs(field), lattice.sites),
        }
        if longitudinal:
            self.terms["longitudinal"] = LongitudinalField(-longitudinal)
        n = lattice.sites
        chain = isinstance(lattice, Hypercubic) and lattice.dimensions == 1 and lattice.periodic
        if chain and not longitudinal and n % 2 == 0 and coupling > 0:
            k = (2 * np.arange(n) + 1) * np.pi / n
            self.reference = (
                -float(
                    np.sqrt(coupling**2 + field**2 + 2 * coupling * abs(field) * np.cos(k)).sum()
                ),
                "exact: free fermions",
            )


class Heisenberg(SpinLattice):
    """H = sum_<ij> [Jz S^z_i S^z_j + J (S^x_i S^x_j + S^y_i S^y_j)] + J2 sum_<<ij>> S_i . S_j - g
    sum_i S^z_i, S = sigma/2.

    J = coupling > 0 is antiferromagnetic, Jz = anisotropy J, J2 = second, g = field along z.
    magnetisation = sum_i s_i keeps the walkers in a sector (0 unless given, 1 for an odd number of
    sites), full_space lifts that. marshall: in the basis turned by pi about z on one sublattice,
    where for J > 0 and J2 = 0 on a bipartite lattice the ground state is positive (W. Marshall,
    Proc. R. Soc. A 232, 48 (1955)). Unless given, the basis is turned on the sites that make it
    positive, where there are such; otherwise as by marshall where J > 0 on a bipartite lattice. Up
    to 12 sites are diagonalised. Raises ValueError for arguments out of range, and for shells of
    neighbours that are not different.
    """

    units = "J"

    def __init__(
        self,
        extent: Any = None,
        coupling: float = 1.0,
        anisotropy: float = 1.0,
        second: float = 0.0,
        field: float = 0.0,
        magnetisation: int | None = None,
        full_space: bool = False,
        marshall: bool | None = None,
        periodic: bool = True,
        sites: Any = None,
        edges: Any = None,
        second_edges: Any = (),
    ):
        coupling, anisotropy, second, field = (
            arguments.coupling(f"Heisenberg {name}", value)
            for name, value in (
                ("coupling", coupling),
                ("anisotropy", anisotropy),
                ("second", second),
                ("field", field),
            )
        )
        full_space = arguments.flag("Heisenberg full_space", full_space)
        if marshall is not None:
            marshall = arguments.flag("Heisenberg marshall", marshall)
        lattice = lattice_of(extent, periodic, sites, edges, 2 if second else 1, second_edges)
        if full_space and magnetisation not in (None, 0):
            raise ValueError(
                f"full_space = true has all magnetisations, magnetisation = "
                f"{arguments.shown(magnetisation)} one of them: leave one of the two out"
            )
        if magnetisation is None:
            magnetisation = lattice.sites % 2
        self._spins(lattice, None if full_space else magnetisation)
        if marshall and lattice.sublattice is None:
            raise ValueError(
                "marshall = true needs two sublattices, and this lattice is not bipartite (an odd "
                "periodic length?): use marshall = false"
            )
        if second and len(lattice.shells) < 2:
            raise ValueError("second is not 0: a graph needs second_edges")
        sublattice = lattice.sublattice if marshall else None
        if marshall is None:
            sublattice = positive_basis(lattice, (coupling, second))
            if sublattice is None and coupling > 0:
                sublattice = lattice.sublattice
        self.turned = sublattice  # (n,) +-1: the spins of -1 are turned by pi about z, or None
        self.terms = {}
        for k, (strength, ising) in enumerate(
            ((coupling, coupling * anisotropy), (second, second))
        ):
            name = "" if k == 0 else "2"
            if k == 0 or strength:
                bonds, weights = lattice.shells[k], lattice.weights[k]
                self.terms[f"zz{name}"] = Diagonal(0.25 * ising, bonds, weights)
                self.terms[f"xy{name}"] = BondExchange(0.25 * strength, bonds, sublattice, weights)
        if marshall is not None and positive_basis(lattice, (coupling, second)) is not None:
            self.way_out = (
                ", or leave marshall out: the basis is then turned such that psi > 0 is exact"
            )
        if field:
            self.terms["field"] = LongitudinalField(-0.5 * field)
            if self.magnetisation is not None:
                added = -0.5 * field * self.magnetisation + 0.0
                self.notes = (
                    f"field = {field:g} only adds {added:g} to the "
                    f"energy of the sector of magnetisation {self.magnetisation}: the ground state "
                    "of the model may lie in another one, set magnetisation, or full_space = true",
                )
        self.reference = self._published(coupling, anisotropy, second, field)

    def _published(self, coupling: float, anisotropy: float, second: Any, field: float) -> Any:
        extent = self.lattice.extent
        if (
            (coupling, anisotropy, field) != (1.0, 1.0, 0.0)
            or not self.lattice.periodic
            or self.magnetisation not in (None, 0)
        ):
            return None
        return {
            ((16,), 0.0): (-7.142296360617, "exact: Bethe ansatz"),
            ((20,), 0.0): (-8.904386529876, "exact: Bethe ansatz"),
            ((40,), 0.0): (-17.746522788333, "exact: Bethe ansatz"),
            ((80,), 0.0): (-35.462076149721, "exact: Bethe ansatz"),
            ((100,), 0.0): (-44.322957075092, "exact: Bethe ansatz"),
            ((4, 4), 0.0): (16 * -0.701780200527, "exact diagonalisation"),
            ((6, 6), 0.0): (36 * -0.6788721388, "exact diagonalisation"),
            ((10, 10), 0.0): (-67.1549, "quantum Monte Carlo"),
            ((6, 6), 0.5): (36 * -0.5038097, "exact diagonalisation"),
        }.get((extent, second))
