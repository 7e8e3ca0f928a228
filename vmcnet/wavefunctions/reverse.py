"""Derivatives of log psi by one pass forward and one back: for coordinates, and for parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vmcnet.backend.arrays import Array, namespace, writable
from vmcnet.calculus.operation import Blocks
from vmcnet.calculus.outer import Outer
from vmcnet.calculus.products import block_contract, contract
from vmcnet.calculus.replay import TapeRecorder
from vmcnet.calculus.tape import Tape, built
from vmcnet.parameters import IDENTITY
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.reading import Reading


def _passed(
    reading: Reading,
    r: Array,
    s: Array,
    seed: Array | None,
    parameters: bool,
    per_walker: Any = False,
    factored: bool = False,
) -> tuple[Array, list]:
    """log psi (W,) and its adjoints as Tape.reverse gives them, one an entry of the layout and that
    of the coordinates as the last; None for what is not wanted, parameters or coordinates, and
    where log psi does not depend on it. seed (W,), None: 1.
    """
    xp, wanted = namespace(r), (not parameters, parameters)
    kind = "reverse", parameters, per_walker, type(per_walker), factored
    repeat = reading.records.of(
        reading, kind, r, s, lambda xp: TapeRecorder(xp, *wanted, per_walker, factored)
    )
    if repeat is not None:
        return repeat(reading.arrays(xp, r.dtype).values(), r, seed)
    ops: Any = Tape(xp, *wanted)
    handles = reading.handles(ops, xp, r.dtype)
    _, log = reading.log_psi(ops, handles, r, s)
    one = xp.ones(log.shape, log.data.dtype) if seed is None else seed
    adjoints = ops.reverse(log, one, per_walker, factored)
    leaves: list = [handles[name] for name in reading.values]
    return log.data, [adjoints.get(k) for k in (*[leaf.index for leaf in leaves], ops.position)]


def log_and_drift(reading: Reading, r: Array, s: Array) -> tuple[Array, Array]:
    """log psi (W,) and Re grad log psi (W, n, d), by one pass forward and one back."""
    log, adjoints = _passed(reading, writable(r), writable(s), None, False)
    return log, adjoints[-1].real


def parameter_adjoints(
    reading: Reading, walkers: Walkers, seed: Array, per_walker: Any, factored: bool = False
) -> Iterator[Any]:
    """d log psi / d t of every entry of the layout, in its order: (...) + shape, or an Outer; with
    Blocks(b) as per_walker the sums over b blocks of walkers, (b,) + shape.
    """
    quick = None if walkers.update is None else reading.wavefunction.quick_derivatives(walkers)
    if quick is not None:
        yield from (_weighed(piece, seed, per_walker, factored) for piece in quick)
        return
    xp = namespace(walkers.r)
    log, adjoints = _passed(reading, walkers.r, walkers.s, seed, True, per_walker, factored)
    blocks = isinstance(per_walker, Blocks)
    lead = (int(per_walker),) if blocks else log.shape if per_walker else ()
    entries = reading.wavefunction.layout.entries.values()
    for entry, adjoint in zip(entries, adjoints, strict=False):
        if adjoint is None:
            adjoint = xp.zeros(lead + entry.shape, log.dtype)
        if entry.map is not IDENTITY:
            adjoint = built(adjoint) * reading.slopes(xp, entry)
        yield adjoint


def _weighed(piece: Any, seed: Array, per_walker: Any, factored: bool) -> Array:
    """One entry's derivatives (W,) + shape or an Outer, as they are, weighed by seed (W,), or
    summed over walkers.
    """
    if isinstance(per_walker, Blocks):
        if isinstance(piece, Outer):
            return block_contract(piece.left * seed[:, None], piece.right, per_walker)
        sums = block_contract(piece.reshape(len(seed), -1), seed[:, None], per_walker)
        return sums.reshape(per_walker, *piece.shape[1:])
    if per_walker and seed is None:
        return piece if factored else built(piece)
    if isinstance(piece, Outer):
        left = piece.left * seed[:, None]
        return Outer(left, piece.right).dense() if per_walker else contract(left, piece.right)
    if per_walker:
        return piece * seed.reshape((-1,) + (1,) * (piece.ndim - 1))
    return contract(piece.reshape(len(seed), -1), seed[:, None]).reshape(piece.shape[1:])
