"""A wavefunction bound to one parameter vector, read in three ways."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from vmcnet.backend.arrays import namespace, writable
from vmcnet.calculus.jet import CONSTANT, JetData, Unmade, pair_arrays
from vmcnet.calculus.jets import Jet, Jets
from vmcnet.calculus.outer import Outer
from vmcnet.calculus.quantity import Handle
from vmcnet.calculus.replay import Recorder
from vmcnet.calculus.tape import Tape, built
from vmcnet.calculus.values import Values
from vmcnet.geometry.moves import SpinMove
from vmcnet.parameters import IDENTITY
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.exchanges import exchange_sum

TILE = 16  # connected configurations evaluated in one call
MEASURED = 16  # walkers whose jets are made to see how wide they are
NEAR = 2**21  # bytes of a jet that stays near the processor
WIDEST = WeakKeyDictionary()  # wavefunction -> {(n, d, dtype): bytes of a walker's widest jet}


@dataclass(frozen=True)
class Configuration:
    """What log_psi reads: r a handle (w, n, d), s the spins (w, n) int8."""

    r: object
    s: object


class Parameters:
    """name -> handle, as log_psi sees them; `within` gives a factor of a product its own names."""

    def __init__(self, handles: dict, prefix: str = ""):
        self._handles, self._prefix, self._within = handles, prefix, {}

    def __getitem__(self, name: str):
        key = self._prefix + name
        if key not in self._handles:
            known = [k[len(self._prefix) :] for k in self._handles if k.startswith(self._prefix)]
            raise KeyError(f"log_psi asks for the parameter {name!r}; the layout declares {known}")
        return self._handles[key]

    def within(self, prefix: str) -> Parameters:
        if prefix not in self._within:
            self._within[prefix] = Parameters(self._handles, f"{self._prefix}{prefix}.")
        return self._within[prefix]


class Measuring(Jets):
    """Jets that note the bytes of a walker's slots in the widest jet that is made."""

    widest = 0

    def apply(self, operation, args, **static):
        out = super().apply(operation, args, **static)
        for handle in (*args, *(out if isinstance(out, tuple) else (out,))):
            data = handle.data if isinstance(handle, Jet) else None  # a sign is no jet
            unread = isinstance(data, Unmade) and not data.made
            if isinstance(data, JetData) and not unread and data.support != CONSTANT:
                self.widest = max(self.widest, data.slots.nbytes // data.slots.shape[1])
        return out


def jet_tile(walkers: int, widest: int) -> int:
    """Walkers a tile: the largest of W, W/2, W/4 ... that divides W and keeps the widest jet, of
    that many bytes a walker, within NEAR.
    """
    while walkers % 2 == 0 and walkers * widest > NEAR:
        walkers //= 2
    return walkers


def _weighed(piece, seed, per_walker, factored):
    """One entry's derivatives (W,) + shape or an Outer, as they are, weighed by seed (W,), or
    summed over walkers.
    """
    if per_walker and seed is None:
        return piece if factored else built(piece)
    if isinstance(piece, Outer):
        left = piece.left * seed[:, None]
        return Outer(left, piece.right).dense() if per_walker else left.T @ piece.right
    return (
        piece * seed.reshape((-1,) + (1,) * (piece.ndim - 1))
        if per_walker
        else np.tensordot(seed, piece, 1)
    )


class Bound:
    """A wavefunction at one theta, read in three ways. All methods take Walkers of one block."""

    def __init__(self, wavefunction, theta):
        self.wavefunction = wavefunction
        self._values = wavefunction.layout.values(theta)
        self._slopes = wavefunction.layout.slopes(theta)
        self._arrays, self._readers, self._repeats = {}, {}, {}

    def _handles(self, ops, xp, dtype) -> Parameters:
        return Parameters({n: ops.parameter(v) for n, v in self._parameters(xp, dtype).items()})

    def _read(self, ops, parameters, r, s):
        result = self.wavefunction.log_psi(ops, parameters, Configuration(ops.coordinates(r), s))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"log_psi of {type(self.wavefunction).__name__} returns "
                f"{type(result).__name__}; expected (phase, log), phase None where psi > 0"
            )
        if not isinstance(result[1], Handle):
            raise TypeError(
                f"log_psi of {type(self.wavefunction).__name__} returns (phase, "
                f"{type(result[1]).__name__}); expected (phase, log), the log made with ops from "
                "walkers.r or walkers.s"
            )
        if np.isscalar(result[0]):
            raise TypeError(
                f"log_psi of {type(self.wavefunction).__name__} returns the phase {result[0]}; "
                "expected None where psi > 0, or one number a walker"
            )
        phase, log = ops.phase(result[0]), result[1]
        if log.shape != r.shape[:1] or (phase is not None and phase.shape != log.shape):
            given = log.shape if phase is None else f"{log.shape} and a phase {phase.shape}"
            raise ValueError(
                f"log_psi of {type(self.wavefunction).__name__} has shape {given}; expected "
                f"one number a walker, {r.shape[:1]}"
            )
        return phase, log

    def _value(self, r, s):
        """phase and log psi as numbers; the handles of the parameters are made once. On the host,
        spins that come again have their operations repeated.
        """
        key = namespace(r), r.dtype
        if key[0] is np and self.wavefunction.reads == "coordinates":
            spins = s.tobytes()
            known, repeat = self._repeats.get(r.dtype, (None, None))
            if spins == known:
                if repeat is None:
                    repeat = self._recorded(r, s)
                    self._repeats[r.dtype] = spins, repeat
                if repeat:
                    return repeat(r)
            else:
                self._repeats[r.dtype] = spins, None
        phase, log = self._read(*self._reader(*key), r, s)
        return None if phase is None else phase.data, log.data

    def _reader(self, xp, dtype):
        """The interpreter of values and the handles of the parameters, made once."""
        key = xp, dtype
        if key not in self._readers:
            ops = Values(xp)
            self._readers[key] = ops, self._handles(ops, xp, dtype)
        return self._readers[key]

    def phase_and_log(self, r, s):
        """The phase (None: 1) and log psi (W,) of the walkers."""
        return self._value(r, s)

    def is_real(self, walkers) -> bool:
        """Whether psi is real (of either sign), by evaluating it for one walker."""
        phase, log = self._value(writable(walkers.r)[:1], writable(walkers.s)[:1])
        return log.dtype.kind != "c" and (phase is None or phase.dtype.kind != "c")

    def _recorded(self, r, s):
        """Phase and log psi as a function of coordinates alone, or False where log_psi does not
        allow it.
        """
        ops = Recorder(np)
        phase, log = self._read(ops, self._handles(ops, np, r.dtype), r, s)
        return ops.repeat(phase, log) or False

    def _parameters(self, xp, dtype):
        """Parameters as arrays of the walkers' kind: cast, and sent to a device, once."""
        if (xp, dtype) not in self._arrays:
            self._arrays[xp, dtype] = {
                n: xp.asarray(v, dtype=dtype) for n, v in self._values.items()
            }
        return self._arrays[xp, dtype]

    def _device_slopes(self, xp, entry):
        if (xp, entry.name) not in self._arrays:
            self._arrays[xp, entry.name] = xp.asarray(
                self._slopes[entry.slice].reshape(entry.shape)
            )
        return self._arrays[xp, entry.name]

    def amplitude(self, r, s):
        """(phase, log) of psi = phase exp(log), (W,) each; the phase is None where psi > 0."""
        return self._value(r, s)

    def log(self, r, s):
        """log psi (W,), complex if the wavefunction is; the sign is not in it."""
        return self._value(r, s)[1]

    @cached_property
    def rule(self):
        """The UpdateRule that psi offers, or None."""
        return self.wavefunction.update_rule(self._values)

    def update(self, walkers, kind=SpinMove):
        """The LocalUpdate of the walkers for moves of a kind; None where psi offers none."""
        return self.rule.of(walkers) if self.rule is not None and kind in self.rule.kinds else None

    def renew(self, walkers, kind=SpinMove):
        """The walkers with what sampling by moves of a kind starts from: a LocalUpdate where psi
        offers it, log psi otherwise.
        """
        update, (r, s) = self.update(walkers, kind), (walkers.r, walkers.s)
        return Walkers(r, s, self.log(r, s) if update is None else None, update)

    def connected(self, walkers, moves, elements):
        """sum_m elements_m psi(s^m)/psi(s) over the SpinMoves that act on s (W, n), (W,); elements
        (M,).

        Configurations are made in tiles of TILE moves at most, so that the calls' shapes depend on
        sizes alone.
        """
        update = self.update(walkers) if walkers.update is None else walkers.update
        if update is not None:
            return update.connected(moves, elements)
        r, s, xp = writable(walkers.r), writable(walkers.s), namespace(walkers.r)
        phase, log = self._value(r, s)
        total = xp.zeros(log.shape, log.dtype if phase is None else xp.result_type(phase, log))
        for start in range(0, len(moves), TILE):
            tile = slice(start, min(start + TILE, len(moves)))
            to = moves.connected(s, tile)
            count = to.shape[1]
            new_phase, new_log = self._value(
                xp.repeat(r, count, axis=0), to.reshape(-1, s.shape[1])
            )
            ratios = xp.exp(new_log.reshape(-1, count) - log[:, None])
            if phase is not None:
                ratios = ratios * new_phase.reshape(-1, count) * xp.conj(phase)[:, None]
            total += xp.where(moves.acts(s, tile), ratios, 0.0) @ xp.asarray(elements[tile])
        return total

    def spin_exchanges(self, walkers, elements):
        """sum_{i<j} elements_ij psi(s_i <-> s_j)/psi over the pairs whose spins differ, (W,);
        elements (W, pairs) of all pairs i < j. By the wavefunction's ratios where it has them.
        """
        ops, theta = self._reader(namespace(walkers.r), walkers.r.dtype)
        read = Configuration(ops.coordinates(walkers.r), walkers.s)
        ratios = self.wavefunction.exchange_ratios(ops, theta, read)
        if ratios is None:
            return exchange_sum(self._value, walkers, elements)
        xp = namespace(walkers.r)
        i, j = pair_arrays(xp, walkers.s.shape[1])
        acts = walkers.s[:, i] != walkers.s[:, j]
        return xp.where(acts, elements * ratios, 0.0).sum(axis=1)

    def jet(self, walkers):
        """log psi (W,), its coordinate derivatives (n d, W) and its Laplacian (W,).

        On the host in tiles of walkers that keep a jet near the processor; their size depends on
        shapes and dtype alone.
        """
        r, s = writable(walkers.r), writable(walkers.s)
        xp, (count, *shape) = namespace(r), r.shape
        tile = jet_tile(count, self._widest(walkers)) if xp is np else count
        ops = Jets(xp, *shape)
        parameters = self._handles(ops, xp, r.dtype)
        parts = [
            ops.read(self._read(ops, parameters, r[k : k + tile], s[k : k + tile])[1])
            for k in range(0, count, tile)
        ]
        return (
            parts[0]
            if len(parts) == 1
            else tuple(xp.concatenate(p, axis=-1) for p in zip(*parts, strict=True))
        )

    def _widest(self, walkers) -> int:
        """Bytes of a walker's widest jet: of the first walkers, once for a wavefunction and shape,
        since shapes alone decide.
        """
        r, s = walkers.r[:MEASURED], walkers.s[:MEASURED]
        known, key = WIDEST.setdefault(self.wavefunction, {}), (*r.shape, r.dtype)
        if key not in known:
            ops = Measuring(np, *r.shape[1:])
            self._read(ops, self._handles(ops, np, r.dtype), r, s)
            known[key] = ops.widest
        return known[key]

    def drift(self, r, s):
        """Re grad log psi (W, n, d), by one reverse pass."""
        return self.log_and_drift(r, s)[1]

    def log_and_drift(self, r, s):
        """log psi (W,) and Re grad log psi (W, n, d), by one pass forward and one back."""
        r, s, xp = writable(r), writable(s), namespace(r)
        ops = Tape(xp, coordinates_wanted=True, parameters_wanted=False)
        _, log = self._read(ops, self._handles(ops, xp, r.dtype), r, s)
        adjoints = ops.reverse(log, xp.ones(log.shape, log.data.dtype))
        return log.data, adjoints[ops.position].real

    def _adjoints(self, walkers, seed, per_walker, factored=False):
        """d log psi / d t of every entry of the layout, in its order: (...) + shape, or an
        Outer.
        """
        quick = None if walkers.update is None else self.wavefunction.quick_derivatives(walkers)
        if quick is not None:
            yield from (_weighed(piece, seed, per_walker, factored) for piece in quick)
            return
        xp = namespace(walkers.r)
        ops = Tape(xp)
        handles = self._handles(ops, xp, walkers.r.dtype)
        _, log = self._read(ops, handles, walkers.r, walkers.s)
        adjoints = ops.reverse(
            log, xp.ones(log.shape, log.data.dtype) if seed is None else seed, per_walker, factored
        )
        lead = log.shape if per_walker else ()
        for entry in self.wavefunction.layout.entries.values():
            adjoint = adjoints.get(handles[entry.name].index)
            if adjoint is None:
                adjoint = xp.zeros(lead + entry.shape, log.data.dtype)
            if entry.map is not IDENTITY:
                adjoint = built(adjoint) * self._device_slopes(xp, entry)
            yield adjoint

    def _log_derivatives(self, walkers, seed, per_walker):
        xp, width = namespace(walkers.r), (walkers.r.shape[0], -1) if per_walker else (-1,)
        parts = [adjoint.reshape(width) for adjoint in self._adjoints(walkers, seed, per_walker)]
        return (
            xp.concatenate(parts, axis=-1)
            if parts
            else xp.zeros(walkers.r.shape[:1] * per_walker + (0,))
        )

    def contracted(self, walkers, weights):
        """sum_w weights_w O_w (P,), O = d log psi / d theta, without ever building O."""
        return self._log_derivatives(walkers, weights, False)

    def log_derivatives(self, walkers):
        """O (W, P) = d log psi / d theta of every walker."""
        return self._log_derivatives(walkers, None, True)

    def log_derivative_pieces(self, walkers):
        """O as one piece an entry of the layout: (W,) + shape, or an Outer for the weight of a
        dense layer met once.
        """
        return list(self._adjoints(walkers, None, True, factored=True))
