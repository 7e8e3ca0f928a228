"""Classical Ising and Potts models at a temperature: the same engine samples exp(-E/T)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.exact.torus import torus_thermodynamics
from vmcnet.exact.transfer import lattice_energy
from vmcnet.geometry.lattice import Hypercubic
from vmcnet.hamiltonians.pauli import Diagonal, LongitudinalField
from vmcnet.hamiltonians.potts import PottsBonds
from vmcnet.observables.thermal import HeatCapacity, OrderParameter
from vmcnet.systems.spin_lattice import SpinLattice, lattice_of
from vmcnet.walkers import Walkers

LARGEST_WEIGHT = 600.0  # exponents that a product of Boltzmann factors may reach


class ClassicalLattice(SpinLattice):
    """E(s) = sum_bonds pair(s_i, s_j) + sum_i single(s_i) at temperature T; k_B = 1.

    A subclass sets labels (the values of a site), pair (q, q), single (q,) and calls _thermal.
    Walkers start at random (T = infinity).
    """

    units = "J"
    pair: np.ndarray
    single: np.ndarray

    def _thermal(self, lattice: Any, temperature: float, labels: Any, energy_terms: dict) -> Any:
        temperature = arguments.scale(f"{type(self).__name__} temperature", temperature)
        self._spins(lattice)
        self.temperature, self.labels_of_site = float(temperature), tuple(labels)
        self.neighbours = _neighbours(lattice)
        reach = (
            np.abs(self.pair).max() * self.neighbours.shape[1] + np.abs(self.single).max()
        ) / temperature
        if reach > LARGEST_WEIGHT:
            raise ValueError(
                f"temperature = {temperature:g} is too low: Boltzmann factors of exp({reach:.3g}) "
                "overflow"
            )
        self.terms = energy_terms

    def reference_of(self, wavefunction: Any) -> tuple[float, str] | None:
        """What is known, otherwise the energy of a chain or a small rectangle by transfer
        matrices.
        """
        lattice = self.lattice
        if self.reference is not None or not isinstance(lattice, Hypercubic):
            return self.reference
        tables = tuple(map(tuple, self.pair.tolist())), tuple(self.single.tolist())
        energy = lattice_energy(lattice.extent, *tables, self.temperature, lattice.periodic)
        return None if energy is None else (energy, "exact: transfer matrix")

    @property
    def observables(self) -> tuple:
        return HeatCapacity(self), OrderParameter(self)

    @property
    def moves(self) -> str:
        return "spins" if self.labels_of_site == (-1, 1) else "colours"

    def start(self, stream: Any, walkers: int) -> Walkers:
        q = len(self.labels_of_site)
        colours = np.floor(stream.uniform((walkers, self.particles)) * q).astype(np.int64)
        return Walkers(
            np.zeros((walkers, self.particles, 0)), np.array(self.labels_of_site, np.int8)[colours]
        )

    def energy(self, s: np.ndarray) -> np.ndarray:
        """E (W,) of the labels s (W, n)."""
        walkers = Walkers(None, s)
        return sum(term.local(walkers, None) for term in self.terms.values())

    def enumerated(self) -> tuple:
        """All states (q^n, n) and their exact probabilities exp(-E/T)/Z; ValueError above 2^20
        states.
        """
        if len(self.labels_of_site) ** self.particles > 2**20:
            raise ValueError(
                f"{len(self.labels_of_site)}^{self.particles} states are too many to enumerate"
            )
        s = np.array(list(product(self.labels_of_site, repeat=self.particles)), np.int8)
        energy = self.energy(s)
        p = np.exp(-(energy - energy.min()) / self.temperature)
        return s, p / p.sum()

    def describe(self) -> str:
        return f"{type(self).__name__}: {self.lattice.describe()}, T = {self.temperature:g}"


class ClassicalIsing(ClassicalLattice):
    """E = -J sum_<ij> s_i s_j - h sum_i s_i, s_i = +-1, at temperature T (k_B = 1); J = coupling,
    h = field, all in one unit of energy.

    The lattice is extent, periodic or open, or a graph of sites and edges. Known: without field
    the periodic square (Kaufman); chains and narrow rectangles by transfer matrices. Raises
    ValueError for arguments out of range and for temperatures at which Boltzmann factors overflow.
    """

    def __init__(
        self,
        extent: Any = None,
        temperature: float = 2.0,
        coupling: float = 1.0,
        field: float = 0.0,
        periodic: bool = True,
        sites: Any = None,
        edges: Any = None,
    ):
        lattice = lattice_of(extent, periodic, sites, edges)
        coupling = arguments.coupling("ClassicalIsing coupling", coupling)
        field = arguments.coupling("ClassicalIsing field", field)
        self.pair, self.single = (
            -coupling * np.array([[1.0, -1.0], [-1.0, 1.0]]),
            -field * np.array([-1.0, 1.0]),
        )
        terms: dict[str, Any] = {
            "coupling": Diagonal(-coupling, lattice.shells[0], lattice.weights[0])
        }
        if field:
            terms["field"] = LongitudinalField(-field)
        self._thermal(lattice, temperature, (-1, 1), terms)
        if (
            isinstance(lattice, Hypercubic)
            and lattice.dimensions == 2
            and lattice.periodic
            and not field
            and coupling > 0
        ):
            energy, heat = torus_thermodynamics(
                lattice.extent[0], lattice.extent[1], temperature / coupling
            )
            self.reference = (
                coupling * energy,
                f"exact: Kaufman; heat capacity a site {heat / lattice.sites:.9f}",
            )


class Potts(ClassicalLattice):
    """E = -J sum_<ij> delta(s_i, s_j), s_i = 0 .. q - 1, at temperature T (k_B = 1); q = states,
    J = coupling. F. Y. Wu, Rev. Mod. Phys. 54, 235 (1982), eq. 1.1.

    The lattice is extent, periodic or open, or a graph of sites and edges. Known: chains and narrow
    rectangles by transfer matrices. Raises ValueError as ClassicalIsing.
    """

    def __init__(
        self,
        extent: Any = None,
        states: int = 3,
        temperature: float = 1.0,
        coupling: float = 1.0,
        periodic: bool = True,
        sites: Any = None,
        edges: Any = None,
    ):
        states = arguments.whole("Potts states", states, 2, 127)
        coupling = arguments.coupling("Potts coupling", coupling)
        lattice = lattice_of(extent, periodic, sites, edges)
        self.pair, self.single = -coupling * np.eye(states), np.zeros(states)
        self._thermal(
            lattice,
            temperature,
            range(states),
            {"coupling": PottsBonds(-coupling, lattice.shells[0], lattice.weights[0])},
        )


def _neighbours(lattice: Any) -> np.ndarray:
    """Neighbours of every site (n, most), -1 where a site has fewer."""
    lists: list[list] = [[] for _ in range(lattice.sites)]
    for (i, j), weight in zip(lattice.shells[0].tolist(), lattice.weights[0], strict=True):
        lists[i] += [j] * int(weight)
        lists[j] += [i] * int(weight)
    most = max(map(len, lists))
    return np.array([x + [-1] * (most - len(x)) for x in lists], np.int64)
