"""Gaussian envelope."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters


class GaussianEnvelope(Wavefunction):
    """psi = exp(-alpha sum_i r_i^2), alpha > 0 in 1/length^2; alpha = omega/2 is the oscillator's
    ground state.

    `alpha` is the starting value; without it, the oscillator's. Raises ValueError where it is not
    positive.
    """

    name = "envelope"
    rowwise = True
    decays = True

    def __init__(self, system: Any, alpha: float | None = None) -> None:
        self.place(system)
        if alpha is not None:
            alpha = arguments.scale("GaussianEnvelope alpha", alpha)
        self._alpha = 0.5 / system.length**2 if alpha is None else alpha
        self.layout = Layout().add("alpha", (), POSITIVE, system.length**-2)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {"alpha": np.float64(self._alpha)}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        square = ops.total(walkers.r * walkers.r)
        return None, -(square * theta["alpha"])
