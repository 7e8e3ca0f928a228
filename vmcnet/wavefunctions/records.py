"""What calls of log_psi do, repeated without log_psi where walkers of the same kind come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vmcnet.backend.arrays import Array, namespace, on_host

MOST = 16  # kinds of calls that are remembered


class Records:
    """What log_psi of one wavefunction does, at any theta: written down when walkers come again
    that differ in coordinates alone, and repeated from then on.
    """

    def __init__(self) -> None:
        self._known: list[tuple] = []  # (kind, function, or None where log_psi must be called)

    def of(
        self, reading: Any, kind: tuple, r: Array, s: Array, recorder: Callable[..., Any]
    ) -> Any:
        """The function that `repeat` of recorder(xp) made for calls of this kind with walkers r
        (W, n, d) and s (W, n); None where they are new, or log_psi must be called.
        """
        if not on_host(s) or reading.wavefunction.reads != "coordinates":
            return None
        kind = (*kind, r.dtype, r.shape, s.tobytes())
        found = next((n for n, (known, _) in enumerate(self._known) if known == kind), None)
        if found is None:
            self._known = [*self._known[1 - MOST :], (kind, None)]
            return None
        if self._known[found][1] is None:
            ops = recorder(namespace(r))
            handles = reading.handles(ops, namespace(r), r.dtype)
            phase, log = reading.log_psi(ops, handles, r, s)
            leaves = [handles[name] for name in reading.values]
            self._known[found] = kind, ops.repeat(phase, log, leaves) or False
        return self._known[found][1] or None
