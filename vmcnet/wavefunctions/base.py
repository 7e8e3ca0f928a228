"""What a wavefunction is, and products of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vmcnet.arguments import Recording, shown
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.geometry.box import Box
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.bound import Bound
from vmcnet.wavefunctions.local_update import UpdateRule
from vmcnet.wavefunctions.reading import Configuration, Parameters

USUAL = {  # what a message recommends
    "coordinates": "GaussianRBM, GaussianEnvelope or another factor of coordinates",
    "spins": "BinaryRBM, SpinJastrow or SpinNetwork",
    "colours": "Boltzmann",
}


def rowwise(part: Any) -> bool:
    """Whether a part says so itself: a subclass does not inherit it."""
    return "rowwise" in vars(type(part)) and bool(part.rowwise)


class Wavefunction(Recording):
    """A trial wavefunction psi(r, s; theta).

    A subclass sets `name`, `particles`, `dimensions` and `layout`, and gives

      log_psi(ops, theta, walkers) -> (phase, log)    log a handle of shape (w,); phase None, or
      +-1 or unit complex (w,), without derivative: as ops.slogdet gives it, or an array
      initial(stream) -> {name: array}                starting values

    and no derivative: the interpreters of vmcnet.calculus make them. `decays` says whether it makes
    |psi|^2 normalisable by itself (an envelope does, a Jastrow factor does not); a product needs
    one factor that does. Where it says nothing (None) psi is looked at far out, at its starting
    values. rowwise = True, in the class itself, says that log_psi makes every number of a walker of
    that walker alone, with operations of ops and elementwise array code: blocks are then evaluated
    together.
    """

    name = "wavefunction"
    rowwise = False
    decays: bool | None = None
    thermal = False  # exp(-E/2T) of a classical model
    core = 0.0  # psi = 0 for pairs of particles closer than this
    particles: int
    dimensions: int
    layout: Layout
    # what of the walkers psi is a function of: coordinates, spins, colours, or a tuple of these
    reads: str | tuple[str, ...] = "coordinates"
    box = None  # the Box in which psi is periodic (up to the twist's phase), or None: open space

    @property
    def plane_waves(self) -> list[np.ndarray] | None:
        """The integers (m, d) of the waves of either spin where psi is their determinant and
        nothing else; otherwise None.
        """
        return None

    def place(self, system: Any) -> None:
        """Take the sizes of `system`; ValueError where psi reads what no walker of it moves."""
        title = type(self).__name__
        dimensions = getattr(system, "dimensions", None)  # anything may be passed here by mistake
        if dimensions is None:
            raise ValueError(f"{title} expects a system as its first argument, got {shown(system)}")
        # a lattice or a wavefunction has dimensions too
        moves = getattr(system, "moves", "coordinates" if dimensions else "spins")
        if moves not in self.reading():
            raise ValueError(
                f"{title} is a function of {self.domain()}, and what moves in "
                f"{type(system).__name__} are {moves}: use {USUAL[moves]}"
            )
        self.particles, self.dimensions = system.particles, system.dimensions

    def reading(self) -> tuple[str, ...]:
        """`reads` as a tuple."""
        return (self.reads,) if isinstance(self.reads, str) else tuple(self.reads)

    def domain(self) -> str:
        """`reads` in words."""
        return " or ".join(
            kind if kind == "coordinates" else f"{kind} on a lattice" for kind in self.reading()
        )

    def check(self, system: Any) -> None:
        """ValueError where psi was built for another system in a way that its sizes do not show."""

    twisted = False  # whether a particle that crosses the box turns psi by the box's twist

    def check_box(self, box: Box | None) -> None:
        """Raise ValueError unless psi is periodic in `box` (None: open space) with its twist."""
        self._check_lengths(box)
        if box is not None and box.twist.any() and not self.twisted:
            raise ValueError(
                f"{self.name} is periodic, and the boundary of the system has a twist, "
                f"{box.twist.tolist()}: add a factor that follows it, as a determinant of plane "
                "waves, or leave the twist out"
            )

    def _check_lengths(self, box: Box | None) -> None:
        if self.box != box:
            where = "in open space" if self.box is None else f"periodic in {self.box}"
            wanted = "open space" if box is None else f"periodic in {box}"
            raise ValueError(
                f"{self.name} is a function {where}, and the system is {wanted}: build it for this "
                "system, or use factors that are periodic there (plane waves, a Pade-Jastrow "
                "factor; your own sets box = system.box)"
            )

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        """The UpdateRule of psi at the parameters `values` (name -> array), for moves that cost
        less than log psi; None: psi is evaluated whole.
        """
        return None

    def quick_derivatives(self, walkers: Walkers) -> list | None:
        """d log psi / d p of every entry of the layout, in its order, from the LocalUpdate of the
        walkers, walkers.update.

        Each (W,) + shape or an Outer; None where that is not offered, and the reverse pass does it.
        """
        return None

    def exchange_ratios(self, ops: Interpreter, theta: Parameters, walkers: Configuration) -> Array:
        """psi(s_i <-> s_j)/psi of all pairs i < j, numbers (W, pairs), anything where the spins
        are equal; None where psi has no quicker way than to be evaluated for every pair. Arguments
        as those of log_psi, `ops` the interpreter of values.
        """
        return

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        raise TypeError(f"{type(self).__name__} defines no log_psi(ops, theta, walkers)")

    def initial(self, stream: Stream) -> dict[str, Array]:
        raise TypeError(f"{type(self).__name__} defines no initial(stream)")

    def start(self, stream: Stream) -> np.ndarray:
        """A starting theta (P,)."""
        values = self.initial(stream)
        if not isinstance(values, dict):
            raise TypeError(
                f"{type(self).__name__}.initial returns {type(values).__name__}; expected a "
                "dictionary of every parameter's name and its values"
            )
        return self.layout.pack(values)

    def bind(self, theta: np.ndarray) -> Bound:
        return Bound(self, theta)

    def __mul__(self, other: Wavefunction) -> Product:
        if not isinstance(other, Wavefunction):
            return NotImplemented
        return Product([self, other])

    def __repr__(self) -> str:
        return f"<{self.describe()}: {self.layout.size} parameters>"

    def describe(self) -> str:
        return f"{self.name}({self.layout.size} parameters)"


class Product(Wavefunction):
    """psi_1 psi_2 ...: logs add, phases multiply. Parameters are named factor.parameter."""

    rowwise = True  # where all factors are

    def __init__(self, factors: Iterable[Wavefunction]) -> None:
        flat: list[Wavefunction] = []
        for given in factors:
            flat += given.factors if isinstance(given, Product) else [given]
        shapes = {(f.particles, f.dimensions) for f in flat}
        if len(shapes) > 1:
            raise ValueError(
                "factors of a product were built for different systems (particles, dimensions): "
                f"{sorted(shapes)}"
            )
        self.factors: list[Wavefunction] = flat
        self.particles, self.dimensions = flat[0].particles, flat[0].dimensions
        self.layout = Layout()
        self.names: list[str] = []
        single = {f.name for f in flat if sum(g.name == f.name for g in flat) == 1}
        for factor in flat:
            label, k = factor.name, 0
            while (label not in single or k) and (not k or label in single.union(self.names)):
                k += 1
                label = f"{factor.name}{k}"
            self.names.append(label)
            self.layout.prefixed(label, factor.layout)
        self.name = " x ".join(self.names)
        said = {factor.decays for factor in flat}
        self.decays = True if True in said else None if None in said else False
        self.core = max(factor.core for factor in flat)
        self.rowwise = all(rowwise(factor) for factor in flat)
        self.twisted = any(factor.twisted for factor in flat)
        common = [k for k in flat[0].reading() if all(k in f.reading() for f in flat)]
        if not common:
            raise ValueError(
                "factors of a product are functions of different things: "
                + ", ".join(f"{type(f).__name__} of {' or '.join(f.reading())}" for f in flat)
            )
        self.reads = common[0] if len(common) == 1 else tuple(common)

    def _check_lengths(self, box: Box | None) -> None:
        for factor in self.factors:
            factor._check_lengths(box)

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        phase: Any = None
        total: Any = None
        for label, factor in zip(self.names, self.factors, strict=True):
            p, log = factor.log_psi(ops, theta.within(label), walkers)
            p = ops.phase(p)
            total = log if total is None else total + log
            phase = p if phase is None else phase if p is None else phase * p
        return phase, total

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        """The product of the factors' rules, where every factor has one."""
        product = None
        for label, factor in zip(self.names, self.factors, strict=True):
            rule = factor.update_rule(self._own(values, label))
            if rule is None:
                return None
            product = rule if product is None else product.times(rule)
        return product

    def exchange_ratios(self, ops: Interpreter, theta: Parameters, walkers: Configuration) -> Array:
        """The product, where every factor has its ratios."""
        product = None
        for label, factor in zip(self.names, self.factors, strict=True):
            ratios = factor.exchange_ratios(ops, theta.within(label), walkers)
            if ratios is None:
                return None
            product = ratios if product is None else product * ratios
        return product

    @staticmethod
    def _own(values: dict[str, np.ndarray], label: str) -> dict[str, np.ndarray]:
        """The values of one factor, under its own names."""
        return {
            k.removeprefix(label + "."): v for k, v in values.items() if k.startswith(label + ".")
        }

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = {}
        for label, factor in zip(self.names, self.factors, strict=True):
            out.update({f"{label}.{k}": v for k, v in factor.initial(stream).items()})
        return out

    def describe(self) -> str:
        return " x ".join(f.describe() for f in self.factors)
