"""Slater determinants: antisymmetric wavefunctions of fermions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace, seen
from vmcnet.backend.stream import Stream
from vmcnet.calculus.excitations import PairForms
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import rowwise
from vmcnet.wavefunctions.exchanges import determinant_ratios
from vmcnet.wavefunctions.excitations import PairExcitations
from vmcnet.wavefunctions.filling import described, filled
from vmcnet.wavefunctions.heads import Heads
from vmcnet.wavefunctions.local_update import LocalUpdate, UpdateRule
from vmcnet.wavefunctions.message_passing import MessagePassing, network_given
from vmcnet.wavefunctions.one_particle_updates import ParticleRule, SlaterUpdate
from vmcnet.wavefunctions.orbitals import Orbitals
from vmcnet.wavefunctions.plane_waves import PlaneWaves
from vmcnet.wavefunctions.projection import Projected, Projection
from vmcnet.wavefunctions.reading import Configuration, Parameters

UP, DOWN = "up", "down"
SEEN = 64  # arrays of spins on a device of which it is known where the particles are


class Slater(Projected):
    """psi = sum_k c_k det[phi_a(x_i)]_up det[phi_b(x_j)]_down, x the particles or what a network
    makes of them.

    The spins s_i may be in any configuration with the numbers up and down of system.spins: psi
    changes sign where two particles are exchanged with their spins. orbitals: an Orbitals object;
    those of the system unless given. occupied_up, occupied_down: labels of the occupied orbitals;
    unless given, they are filled by energy, and within an open shell in the order of the set, which
    `describe` names. mixing: so many empty shells above are mixed into every occupied orbital by
    trainable coefficients, 0 at the start. network: a MessagePassing network, read by `heads`, some
    of backflow (coordinates), complex_backflow (their imaginary part, of complex plane waves),
    virtual_backflow (more of it for what pairs are excited into), orbitals (factors) and jastrow;
    backflow and jastrow unless given.
    determinants: K > 1 need different orbitals, by mixing or by the head orbitals; c is (1, 1/K,
    ...) at the start. excitations: pairs are excited into so many empty shells, psi = det (1 +
    sum_o c_o T_o) with one coefficient a class of what symmetry makes equal
    (wavefunctions.excitations), 0 at the start. parity, spin_flip: even or odd under r -> -r and
    under s -> -s (wavefunctions.projection). Exact for particles without interaction in closed
    shells. Raises ValueError where the orbitals are too few, labels unknown, or options would do
    nothing.
    """

    name = "slater"
    rowwise = True  # where its orbitals are

    def __init__(
        self,
        system: Any,
        orbitals: Any = None,
        determinants: int = 1,
        occupied_up: Any = None,
        occupied_down: Any = None,
        mixing: int = 0,
        network: MessagePassing | None = None,
        heads: Sequence[str] | None = None,
        excitations: int = 0,
        parity: str | None = None,
        spin_flip: str | None = None,
    ) -> None:
        self.place(system)
        self._projection = Projection("Slater", system, parity, spin_flip)
        self.determinants = arguments.whole("Slater determinants", determinants, 1, 10_000)
        self.mixing = mixing = arguments.whole("Slater mixing", mixing, 0, 100)
        excitations = arguments.whole("Slater excitations", excitations, 0, 100)
        spins = np.asarray(system.spins)
        numbers = {UP: int((spins > 0).sum()), DOWN: int((spins < 0).sum())}
        chosen, most = orbitals is None, max(numbers.values())
        if chosen:
            orbitals = system.orbitals(most, max(mixing, excitations))
        elif Orbitals not in type(orbitals).__mro__:
            raise ValueError(
                "Slater orbitals must be an Orbitals object such as HarmonicOrbitals.holding(3, 2, "
                f"1.0), got {arguments.shown(orbitals)}"
            )
        self.orbitals, self.rowwise = orbitals, rowwise(orbitals)
        self.box, self.twisted, self.decays = orbitals.box, orbitals.twisted, orbitals.decays
        given = {UP: occupied_up, DOWN: occupied_down}
        if chosen:
            given = {
                spin: system.occupied(spin) if labels is None else labels
                for spin, labels in given.items()
            }
        self.occupied = {
            spin: filled(orbitals, count, given[spin], f"occupied_{spin}")
            for spin, count in numbers.items()
            if count or given[spin]
        }
        self._shared = len(set(self.occupied.values())) == 1
        self._reach = orbitals.size  # so many of the set's first are occupied or mixed in
        if mixing:
            own = system.orbitals(most, mixing) if chosen else None
            self._reach = _reach(orbitals, self.occupied, mixing) if own is None else own.size
        heads = None if heads is None else arguments.texts("Slater heads", heads)
        if network is None and heads is not None:
            raise ValueError(f"Slater heads = {list(heads)}: there is no network for them to read")
        if network is not None:
            network_given("Slater", network)
        heads = ("backflow", "jastrow") if heads is None else heads
        self._check(network, heads)
        self.layout = Layout()
        self._spins_seen: dict[int, tuple] = {}
        self._forms: PairForms | None = None
        self.excitations: PairExcitations | None = None  # the classes of what pairs are lifted into
        orbitals.declare(self.layout, "")
        for spin in self.sets:
            if mixing:
                shape = (len(self._empty(spin)), self.determinants * len(self.occupied[spin]))
                self.layout.add(self._key(spin), shape)
        if self.determinants > 1:
            self.layout.add("weights", (self.determinants,))
        if excitations:
            self._excite(excitations)
        columns = sum(self.determinants * len(self.occupied[spin]) for spin in self.sets)
        waves = isinstance(orbitals, PlaneWaves) and not orbitals.real
        self._heads = (
            None
            if network is None
            else Heads(network, heads, self.layout, system, columns, waves, bool(excitations))
        )

    def _excite(self, shells: int) -> None:
        if self.determinants > 1:
            raise ValueError(
                f"Slater excitations = {shells}: expected one determinant, not {self.determinants}"
            )
        found = self.excitations = self.orbitals.excitations(
            self.occupied.get(UP, ()), self.occupied.get(DOWN, ()), shells
        )
        if not len(found):
            raise ValueError(
                f"Slater excitations = {shells}: no pair of particles can be excited there with "
                "its symmetry kept: take more shells, or none"
            )
        none = [()] * 4
        parts = [found.unlike, found.up, found.down]
        parts = [(p.class_, p.first, p.second, p.value) for p in parts]
        if len(self.occupied) == 1:
            parts = [none, parts[1 if UP in self.occupied else 2], none]
        self._forms, self._virtual = PairForms(len(found), parts), found.virtual
        self.layout.add("excitations", (len(found),))

    def _check(self, network: MessagePassing | None, heads: Sequence[str]) -> None:
        different = self.mixing or (network is not None and "orbitals" in heads)
        if self.determinants > 1 and not different:
            raise ValueError(
                f"Slater determinants = {self.determinants} of the same orbitals are one: use "
                "mixing = 1, or a network with the head orbitals"
            )
        if self.mixing < 0 or (self.mixing and not all(self._empty(s) for s in self.sets)):
            raise ValueError(
                f"Slater mixing = {self.mixing}: expected at least 0, and orbitals above the "
                "occupied ones"
            )

    @property
    def sets(self) -> list[str]:
        """The spins whose occupied orbitals have parameters of their own."""
        return list(self.occupied)[:1] if self._shared else list(self.occupied)

    def _key(self, spin: str) -> str:
        return "mixing" if self._shared else f"mixing_{spin}"

    def _empty(self, spin: str) -> tuple[int, ...]:
        return tuple(k for k in range(self._reach) if k not in self.occupied[spin])

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = self.orbitals.initial("")
        for spin in self.sets if self.mixing else []:
            start = np.zeros(self.layout.entries[self._key(spin)].shape)
            if self.determinants > 1:  # equal determinants would stay equal
                start[:, len(self.occupied[spin]) :] = 0.1 * stream.normal(
                    start[:, len(self.occupied[spin]) :].shape
                )
            out[self._key(spin)] = start
        if self.determinants > 1:
            out["weights"] = np.full(self.determinants, 1.0 / self.determinants)
            out["weights"][0] = 1.0
        if self._forms is not None:
            out["excitations"] = np.zeros(self._forms.classes)
        return out if self._heads is None else out | self._heads.initial(stream)

    def _one(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        r, factors, more, y, empty = walkers.r, None, None, None, None
        if self._heads is not None:
            h = self._heads.network.hidden(ops, theta, walkers)
            r, factors, more = self._heads.read(ops, theta, walkers, h)
            y = self._heads.imaginary(ops, theta, h)
            empty = self._heads.virtual(ops, theta, r, h)
        phi = self._waves(ops, theta, r, y)
        virtual = phi if empty is None else self._waves(ops, theta, empty, y)
        sign, log = self._determinant(ops, theta, phi, factors, walkers.s, virtual)
        if self.determinants > 1:
            sign, log = ops.logsumexp(log, sign, theta["weights"])
        envelope = self.orbitals.envelope(ops, theta, "", walkers.r)
        for term in (envelope, more):
            log = log if term is None else log + term
        return sign, log

    def _waves(self, ops: Interpreter, theta: Parameters, x: Handle, y: Handle | None) -> Handle:
        """All orbitals at x, or at x + i y."""
        phi = self.orbitals.matrix(ops, theta, "", x)
        return phi if y is None else phi * self.orbitals.imaginary(ops, y)

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        """Moves of one particle by the determinant lemma, of one determinant without a network."""
        if not self._alone:
            return None

        def make(walkers: Walkers) -> LocalUpdate | None:
            rows, _ = self._rows(walkers.s)
            fixed = all(isinstance(x, tuple) for x in rows.values())
            return SlaterUpdate(self, values, walkers, rows) if fixed else None

        return ParticleRule(make)

    @property
    def _alone(self) -> bool:
        """Whether psi is one determinant, and nothing but the determinant reads the spins."""
        plain = self.determinants == 1 and not self._projection
        return plain and self._heads is None and self._forms is None

    def exchange_ratios(self, ops: Interpreter, theta: Parameters, walkers: Configuration) -> Array:
        """Of one determinant without a network; the envelope does not see spins."""
        if not self._alone or len(self.occupied) < 2:
            return None
        self._rows(walkers.s)
        phi = self.orbitals.matrix(ops, theta, "", walkers.r)
        up, down = (self.columns(ops, theta, phi, None, spin).data for spin in (UP, DOWN))
        return determinant_ratios(up, down, walkers.s)

    def _determinant(
        self,
        ops: Interpreter,
        theta: Parameters,
        phi: Handle,
        factors: Any,
        s: Array,
        virtual: Handle,
    ) -> tuple[Any, Handle]:
        """sign and logarithm, (w,), or (w, K) of K determinants; virtual: the orbitals that pairs
        are excited into are taken from it.
        """
        rows, parity = self._rows(s)
        blocks, filled_ones = [], []
        for spin in self.occupied:
            block = _rows_of(ops, phi, rows[spin])
            own = None if factors is None else _rows_of(ops, factors, rows[spin])
            blocks.append(self.columns(ops, theta, block, own, spin))
            if self._forms is not None:
                lifted = block if virtual is phi else _rows_of(ops, virtual, rows[spin])
                filled_ones.append(_chosen(ops, lifted, self._virtual, -1))
        if self._forms is not None:
            pairs = list(zip(blocks, filled_ones, strict=True))
            sign, log = ops.excited(pairs, theta["excitations"], self._forms)
        else:
            sign, log = self._slogdet(ops, blocks)
        if parity is None:
            return sign, log
        parity = ops.phase(parity.astype(ops.real_dtype))
        if sign is not None and len(sign.shape) == 2:
            parity = ops.expand(parity, -1)
        return parity if sign is None else sign * parity, log

    def _slogdet(self, ops: Interpreter, blocks: list) -> tuple[Any, Handle]:
        """The product of the determinants of both spins."""
        sign: Any = None
        total: Any = None
        for block in blocks:
            count = None if self.determinants == 1 else self.determinants
            p, log = ops.slogdet(block, count=count)
            sign = p if sign is None else sign * p
            total = log if total is None else total + log
        return sign, total

    def columns(
        self, ops: Interpreter, theta: Parameters, phi: Handle, factors: Any, spin: str
    ) -> Handle:
        """(w, rows, K m): the occupied orbitals of all determinants, side by side."""
        occupied = self.occupied[spin]
        columns = _chosen(ops, phi, occupied, -1)
        if self.determinants > 1:
            columns = ops.concatenate([columns] * self.determinants)
        if self.mixing:
            empty = _chosen(ops, phi, self._empty(spin), -1)
            columns = columns + ops.affine(empty, theta[self._key(spin)])
        if factors is None:
            return columns
        first = 0 if self._shared or spin == UP else self.determinants * len(self.occupied[UP])
        own = range(first, first + self.determinants * len(occupied))
        return columns * _chosen(ops, factors, tuple(own), -1)

    def _rows(self, s: Array) -> Any:
        """The particles of either spin: a tuple where all walkers have the same spins, otherwise an
        array (w, m); and the sign (w,) of bringing the particles up to the front, None where it is
        1 everywhere. Raises ValueError for other numbers up and down than the determinants have.
        """
        if isinstance(s, np.ndarray):
            return self._look(s)
        known, found = self._spins_seen.pop(id(s), (None, None))
        if known is not s:  # on a device, where looking at numbers means waiting
            found = self._look(s)
        self._spins_seen[id(s)] = s, found
        if len(self._spins_seen) > SEEN:
            del self._spins_seen[next(iter(self._spins_seen))]
        return found

    def _look(self, s: Array) -> Any:
        xp, up, m = namespace(s), s > 0, len(self.occupied.get(UP, ()))
        passed = ((~up).cumsum(axis=1) * up).sum(axis=1)  # particles down before those up
        alike = (s == s[:1]).all().reshape(1).astype(passed.dtype)
        numbers, passed, alike, first = seen(
            [up.sum(axis=1), passed, alike, up[0].astype(passed.dtype)]
        )
        if (numbers != m).any():
            raise ValueError(
                f"slater: a walker has {int(numbers.min())} to {int(numbers.max())} spins up; "
                f"these determinants were built for {m} of {self.particles}"
            )
        if alike[0]:
            both = {UP: first > 0, DOWN: first == 0}
            rows = {spin: tuple(np.flatnonzero(x).tolist()) for spin, x in both.items()}
        else:
            order = xp.argsort(~up, axis=1, kind="stable")
            rows = {UP: order[:, :m], DOWN: order[:, m:]}
        parity = 1.0 - 2.0 * (passed % 2)
        return rows, None if (parity == 1).all() else xp.asarray(parity)

    @property
    def plane_waves(self) -> list[np.ndarray] | None:
        """Where psi is one determinant without a network, of the system's waves alone."""
        if not self._alone or self.mixing or not isinstance(self.orbitals, PlaneWaves):
            return None
        return self.orbitals.waves([self.occupied.get(spin, ()) for spin in (UP, DOWN)])

    def describe(self) -> str:
        parts = [f"{spin} {described(self.orbitals, k)}" for spin, k in self.occupied.items()]
        if self.determinants > 1:
            parts.append(f"{self.determinants} determinants")
        if self._forms is not None:
            parts.append(f"{self._forms.classes} classes of pair excitations")
        if self._projection:
            parts.append(self._projection.describe())
        return f"slater({self.layout.size} parameters; {'; '.join(parts)})"


def _reach(orbitals: Any, occupied: dict, shells: int) -> int:
    """How many of a set's first orbitals hold the occupied ones and so many shells above."""
    top = max(orbitals.energies[k] for columns in occupied.values() for k in columns)
    above = sorted({e for e in orbitals.energies if e > top})
    if len(above) < shells:
        raise ValueError(
            f"Slater mixing = {shells}: expected so many empty shells of orbitals above the "
            f"occupied ones, this set has {len(above)}"
        )
    return sum(e <= above[shells - 1] for e in orbitals.energies)


def _rows_of(ops: Interpreter, x: Handle, rows: Any) -> Handle:
    """The particles `rows`, a tuple or one row a walker."""
    return _chosen(ops, x, rows, 1) if isinstance(rows, tuple) else ops.select(x, rows)


def _chosen(ops: Interpreter, x: Handle, index: tuple[int, ...], axis: int) -> Handle:
    """ops.take, and x itself where all entries are taken in their order."""
    return x if index == tuple(range(x.shape[axis])) else ops.take(x, index, axis)
