"""log_psi of a wavefunction at one theta, for any interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Entry
from vmcnet.wavefunctions.records import Records


@dataclass(frozen=True)
class Configuration:
    """What log_psi reads: r a handle (w, n, d), s the spins (w, n) int8."""

    r: Handle
    s: Array


class Parameters:
    """name -> handle, as log_psi sees them; `within` gives a factor of a product its own names."""

    def __init__(self, handles: dict, prefix: str = "") -> None:
        self._handles, self._prefix = handles, prefix
        self._within: dict[str, Parameters] = {}

    def __getitem__(self, name: str) -> Handle:
        key = self._prefix + name
        if key not in self._handles:
            known = [k[len(self._prefix) :] for k in self._handles if k.startswith(self._prefix)]
            raise KeyError(f"log_psi asks for the parameter {name!r}; the layout declares {known}")
        return self._handles[key]

    def within(self, prefix: str) -> Parameters:
        if prefix not in self._within:
            self._within[prefix] = Parameters(self._handles, f"{self._prefix}{prefix}.")
        return self._within[prefix]


class Reading:
    """A wavefunction with the values of its parameters (name -> array), and their slopes with
    respect to theta; `records` are those of the same wavefunction at another theta, if there are.
    """

    def __init__(
        self, wavefunction: Any, theta: np.ndarray, records: Records | None = None
    ) -> None:
        self.wavefunction = wavefunction
        self.records = Records() if records is None else records
        self.values = wavefunction.layout.values(theta)
        self._theta = theta
        self._arrays: dict[Any, Any] = {}

    def arrays(self, xp: Any, dtype: Any) -> dict[str, Array]:
        """Parameters as arrays of the walkers' kind: cast, and sent to a device, once."""
        if (xp, dtype) not in self._arrays:
            self._arrays[xp, dtype] = {
                n: xp.asarray(v, dtype=dtype) for n, v in self.values.items()
            }
        return self._arrays[xp, dtype]

    def slopes(self, xp: Any, entry: Entry) -> Array:
        """d value / d theta of an entry of the layout, sent to a device once."""
        if (xp, entry.name) not in self._arrays:
            slopes = entry.map.slope(self._theta[entry.slice])
            self._arrays[xp, entry.name] = xp.asarray(slopes.reshape(entry.shape))
        return self._arrays[xp, entry.name]

    def handles(self, ops: Interpreter, xp: Any, dtype: Any) -> Parameters:
        """The parameters as quantities of the interpreter `ops`."""
        return Parameters({n: ops.parameter(v) for n, v in self.arrays(xp, dtype).items()})

    def log_psi(
        self, ops: Interpreter, parameters: Parameters, r: Array, s: Array
    ) -> tuple[Any, Any]:
        """(phase, log) as quantities of `ops`, (w,) each, the phase None where psi > 0; raises
        ValueError or TypeError where log_psi gives something else.
        """
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
                f"log_psi of {type(self.wavefunction).__name__} returns the phase {result[0]!s}; "
                "expected None where psi > 0, or one number a walker"
            )
        phase: Handle | None = ops.phase(result[0])
        log = result[1]
        if log.shape != s.shape[:1] or (phase is not None and phase.shape != log.shape):
            given = log.shape if phase is None else f"{log.shape} and a phase {phase.shape}"
            raise ValueError(
                f"log_psi of {type(self.wavefunction).__name__} has shape {given}; expected "
                f"one number a walker, {s.shape[:1]}"
            )
        return phase, log
