"""A Jastrow factor of pairs whose scattering length is infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.jet import pair_arrays
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters


class ResonantJastrow(Wavefunction):
    """psi = prod over pairs of opposite spin of tanh(2 d/r_e) (1/d^2 + 1/b^2)^(1/2): at distances
    below b two particles at zero energy in the system's Poeschl-Teller well, constant above.

    r_e is the effective range of the system, a UnitaryGas; b > 0 (`healing`) is trained, 1 at the
    start unless given. d is the length of (L/pi) sin(pi x/L), x = r_i - r_j: smooth, periodic. It
    has no nodes: multiply it by a determinant or a Pfaffian. Raises ValueError for other systems.
    """

    name = "resonant"
    rowwise = True
    decays = False

    def __init__(self, system: Any, healing: float = 1.0) -> None:
        self.place(system)
        if system.effective_range is None or system.box is None:
            raise ValueError(
                "ResonantJastrow: expected a system of infinite scattering length with an "
                f"effective range, such as UnitaryGas, got {type(system).__name__}"
            )
        self._healing = arguments.scale("ResonantJastrow healing", healing)
        self.box, self._rate = system.box, 2.0 / system.effective_range
        turns = np.pi / system.box.lengths
        self._turns, self._back = np.diag(turns), np.diag(1.0 / turns)
        self.layout = Layout().add("healing", (), POSITIVE, system.length)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {"healing": np.float64(self._healing)}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        i, j = pair_arrays(ops.xp, self.particles)
        unlike = (walkers.s[:, i] != walkers.s[:, j]).astype(ops.real_dtype)
        turned = ops.affine(ops.displacements(walkers.r), ops.fixed(self._turns))
        d = ops.norm(ops.affine(ops.sin(turned), ops.fixed(self._back)))
        scaled = d * theta["healing"] ** -1.0
        pairs = ops.log(ops.tanh(d * self._rate)) - ops.log(d)
        pairs = pairs + 0.5 * ops.log(1.0 + scaled * scaled)
        return None, ops.sum(pairs * ops.constant(unlike), axis=-1)
