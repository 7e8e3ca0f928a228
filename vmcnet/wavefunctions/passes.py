"""log psi forward and back: by the tape, and repeated without log_psi where walkers of the same
kind come again.
"""

from __future__ import annotations

from typing import Any

from vmcnet.backend.arrays import Array, namespace, on_host
from vmcnet.calculus.replay import TapeRecorder
from vmcnet.calculus.tape import Tape

MOST = 8  # kinds of walkers that are remembered


class Passes:
    """What reverse passes of one wavefunction do, at any theta: written down when walkers come
    again that differ in coordinates alone, and repeated from then on.
    """

    def __init__(self) -> None:
        self._known: list[tuple] = []  # (kind, function, or None where log_psi must be called)

    def __call__(
        self,
        reading: Any,
        r: Array,
        s: Array,
        seed: Array | None,
        parameters: bool,
        per_walker: Any = False,
        factored: bool = False,
    ) -> tuple[Array, list]:
        """log psi (W,) and its adjoints as Tape.reverse gives them, one an entry of the layout and
        that of the coordinates as the last; None for what is not wanted, parameters or
        coordinates, and where log psi does not depend on it. seed (W,), None: 1.
        """
        xp, dtype, repeat = namespace(r), r.dtype, None
        wanted = (not parameters, parameters)
        if on_host(s) and reading.wavefunction.reads == "coordinates":
            sums = per_walker, type(per_walker), factored
            kind = parameters, sums, dtype, r.shape, s.tobytes()
            found = next((n for n, (known, _) in enumerate(self._known) if known == kind), None)
            if found is None:
                self._known = [*self._known[1 - MOST :], (kind, None)]
            elif self._known[found][1] is None:
                repeat = self._recorded(reading, xp, r, s, wanted, (per_walker, factored))
                self._known[found] = kind, repeat or False
            else:
                repeat = self._known[found][1]
        if repeat:
            return repeat(r, reading.arrays(xp, dtype).values(), seed)
        ops: Any = Tape(xp, *wanted)
        handles, log = self._read(ops, reading, xp, r, s)
        one = xp.ones(log.shape, log.data.dtype) if seed is None else seed
        adjoints = ops.reverse(log, one, per_walker, factored)
        return log.data, [adjoints.get(k) for k in (*[h.index for h in handles], ops.position)]

    @staticmethod
    def _read(ops: Any, reading: Any, xp: Any, r: Array, s: Array) -> tuple[list, Any]:
        handles = reading.handles(ops, xp, r.dtype)
        _, log = reading.log_psi(ops, handles, r, s)
        return [handles[name] for name in reading.values], log

    def _recorded(
        self, reading: Any, xp: Any, r: Array, s: Array, wanted: tuple, sums: tuple
    ) -> Any:
        ops = TapeRecorder(xp, *wanted)
        handles, log = self._read(ops, reading, xp, r, s)
        return ops.passes(log, handles, *sums)
