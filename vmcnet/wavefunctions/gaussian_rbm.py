"""Gaussian-binary restricted Boltzmann machine with the hidden units summed out."""

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

FORMS = ("F", "sqrtF")


class GaussianRBM(Wavefunction):
    """psi = F or sqrt(F), F(X) = exp(-sum_i (X_i - a_i)^2 / 2 s^2) prod_j (1 + exp(b_j + sum_i X_i
    W_ij / s^2)).

    X are the M = n d coordinates as they are, in the unit of the system's coordinates; a (M,), b
    (N,), W (M, N), s > 0, all trainable. F is the marginal of the joint distribution exp(-E(X, h)),
    h in {0, 1}^N. Start: s of the oscillator's ground state (1/sqrt omega for F, 1/sqrt(2 omega)
    for sqrt F), small random weights. Carleo and Troyer, Science 355, 602 (2017), eq. 2, with
    Gaussian visible units.
    symmetric: weights are shared so that every exchange of particles leaves psi alone: `hidden`
    filters, each with one hidden unit for every ordered pair of particles, b_j + (x_i.first_j +
    x_k.second_j + (sum_l x_l).all_j) / s^2, and one offset a (d,) for all particles. A symmetric
    factor, for bosons or beside a determinant. Raises ValueError for hidden < 1, an unknown form,
    or a symmetric machine of fewer than two particles.
    """

    name = "rbm"
    rowwise = True
    decays = True

    def __init__(
        self,
        system: Any,
        hidden: int = 4,
        form: str = "F",
        spread: float = 0.01,
        symmetric: bool = False,
    ) -> None:
        self.place(system)
        self.hidden = hidden = arguments.whole("GaussianRBM hidden", hidden, 1)
        self.form = arguments.choice("GaussianRBM form", form, FORMS)
        self.spread = arguments.positive("GaussianRBM spread", spread)
        self._width = system.length if form == "F" else system.length / np.sqrt(2.0)
        self.symmetric = arguments.flag("GaussianRBM symmetric", symmetric)
        if symmetric and self.particles < 2:
            raise ValueError("GaussianRBM symmetric = true needs at least 2 particles")
        self.layout = Layout()
        for name, shape in self._shapes().items():
            self.layout.add(name, shape, unit=1.0 if name == "b" else system.length)
        self.layout.add("width", (), POSITIVE, system.length)

    def _shapes(self) -> dict:
        """name -> shape of all parameters but the width."""
        hidden, d = self.hidden, self.dimensions
        if self.symmetric:
            share = (d, hidden)
            return {"a": (d,), "b": (hidden,), "first": share, "second": share, "all": share}
        visible = self.particles * d
        return {"a": (visible,), "b": (hidden,), "weights": (visible, hidden)}

    def initial(self, stream: Stream) -> dict[str, Array]:
        out = {name: self.spread * stream.normal(shape) for name, shape in self._shapes().items()}
        return {**out, "width": np.float64(self._width)}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        x = walkers.r if self.symmetric else ops.flatten(walkers.r)
        u = (x - theta["a"]) / theta["width"]
        scaled = x / theta["width"] / theta["width"]
        if self.symmetric:
            hidden = self._pairs(ops, theta, scaled)
        else:
            hidden = ops.dense(scaled, theta["weights"], theta["b"], "softplus")
        log = ops.total(hidden) - 0.5 * ops.total(u * u)
        return None, 0.5 * log if self.form == "sqrtF" else log

    @staticmethod
    def _pairs(ops: Interpreter, theta: Parameters, x: Handle) -> Any:
        """Hidden units of every pair in both orders, summed, (w, pairs, hidden)."""
        one, other = (ops.pairs(ops.affine(x, theta[name])) for name in ("first", "second"))
        common = ops.affine(ops.sum(x, axis=1, keepdims=True), theta["all"], theta["b"])
        return ops.softplus(one[0] + other[1] + common) + ops.softplus(one[1] + other[0] + common)
