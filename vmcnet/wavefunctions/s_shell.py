"""Up to four nucleons in one s shell."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters


class SShell(Wavefunction):
    """psi = sigma(s) exp(-R^2/2 b^2) prod_{i<j} exp(-kappa d_ij) d_ij^-gamma, d_ij =
    sqrt(r_ij^2 + core^2): sigma the sign of the order of the labels, 0 where two are equal.

    So particles whose labels are all different are in one orbital of their relative motion, as in
    2H, 3H, 3He and 4He: psi changes sign where two are exchanged with their labels. R is the mean
    of all positions, b that of the system (`centre_length`). kappa, gamma and core > 0 are trained;
    far out 2H falls as exp(-kappa r)/r. Multiply it by a NetworkJastrow. Raises ValueError for
    systems without such a centre, and for labels that are not all different.
    """

    name, decays = "s_shell", True

    def __init__(self, system: Any, kappa: float | None = None, core: float | None = None) -> None:
        self.place(system)
        labels = np.asarray(system.spins).tolist()
        self._centre = system.centre_length
        if self._centre is None:
            raise ValueError(
                "SShell is a function of relative positions: expected a system that keeps its "
                f"centre of mass, such as Nucleus, got {type(system).__name__}"
            )
        if len({*labels}) < len(labels):
            raise ValueError(f"SShell: labels {labels}: expected all of them to be different")
        self.layout = Layout()
        others = self.particles - 1
        self._start = {
            "kappa": system.tail / others if kappa is None else kappa,
            "gamma": 1.0 / others,
            "core": system.length if core is None else core,
        }
        for name, value in self._start.items():
            arguments.scale(f"SShell {name}", value)
        for name in self._start:
            self.layout.add(name, (), POSITIVE)

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {name: np.float64(value) for name, value in self._start.items()}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        x = ops.displacements(walkers.r)
        square = ops.sum(x * x, axis=-1) + theta["core"] * theta["core"]
        pairs = ops.sqrt(square) * theta["kappa"] + ops.log(square) * (0.5 * theta["gamma"])
        centre = ops.mean(walkers.r, axis=1)
        centre = ops.sum(centre * centre, axis=-1) * (0.5 / self._centre**2)
        return self._sign(ops, walkers.s), -ops.sum(pairs, axis=-1) - centre

    def _sign(self, ops: Interpreter, s: Array) -> Any:
        """(w,): prod_{i<j} sign(s_j - s_i)."""
        xp = namespace(s)
        sign: Any = None
        for i, j in combinations(range(self.particles), 2):
            one = xp.sign(s[:, j] - s[:, i])
            sign = one if sign is None else sign * one
        return ops.phase(ops.constant(sign.astype(ops.real_dtype)))
