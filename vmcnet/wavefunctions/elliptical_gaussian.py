"""Elliptical Gaussian envelope."""

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


class EllipticalGaussian(Wavefunction):
    """psi = exp(-alpha sum_i (x_i^2 + y_i^2 + beta z_i^2)), z the last axis; alpha > 0 (1/length^2)
    and beta > 0 trainable.

    Without starting values those of the ideal gas: alpha = omega/2, beta = omega_z/omega. DuBois
    and Glyde, Phys. Rev. A 63, 023602 (2001), eq. 10.
    Raises ValueError in one dimension and for values that are not above 0.
    """

    name = "elliptical_gaussian"
    rowwise = True
    decays = True

    def __init__(self, system: Any, alpha: float | None = None, beta: float | None = None) -> None:
        self.place(system)
        if system.dimensions < 2:
            raise ValueError(
                "EllipticalGaussian needs at least 2 dimensions: alpha and alpha beta would be one "
                "parameter; use a GaussianEnvelope"
            )
        for name, value in (("alpha", alpha), ("beta", beta)):
            if value is not None:
                arguments.scale(f"EllipticalGaussian {name}", value)
        self._start = {
            "alpha": 0.5 / system.length**2 if alpha is None else alpha,
            "beta": system.anisotropy if beta is None else beta,
        }
        self.layout = Layout().add("alpha", (), POSITIVE, system.length**-2)
        self.layout.add("beta", (), POSITIVE, system.anisotropy)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {name: np.float64(value) for name, value in self._start.items()}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        squares = walkers.r * walkers.r
        axial = np.zeros((1, 1, self.dimensions))
        axial[..., -1] = 1.0

        def total(weights: np.ndarray) -> Handle:
            return ops.total(squares * ops.constant(ops.xp.asarray(weights, dtype=ops.real_dtype)))

        return None, -((total(1.0 - axial) + total(axial) * theta["beta"]) * theta["alpha"])
