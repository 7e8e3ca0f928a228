"""Gaussian-binary restricted Boltzmann machine with the hidden units summed out."""

from __future__ import annotations

import numpy as np

from vmcnet import arguments
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction

FORMS = ("F", "sqrtF")


class GaussianRBM(Wavefunction):
    """psi = F or sqrt(F), F(X) = exp(-sum_i (X_i - a_i)^2 / 2 s^2) prod_j (1 + exp(b_j + sum_i X_i
    W_ij / s^2)).

    X are the M = n d coordinates as they are, in the unit of the system's coordinates; a (M,), b (N,), W (M, N), s > 0,
    all trainable.
    F is the marginal of the joint distribution exp(-E(X, h)), h in {0, 1}^N. Start: s of the
    oscillator's ground state
    (1/sqrt omega for F, 1/sqrt(2 omega) for sqrt F), small random weights. Carleo and Troyer,
    Science 355, 602 (2017), eq. 2,
    with Gaussian visible units. Raises ValueError for hidden < 1 or an unknown form.
    """

    name = "rbm"
    decays = True

    def __init__(self, system, hidden: int = 4, form: str = "F", spread: float = 0.01):
        self.place(system)
        self.hidden = hidden = arguments.whole("GaussianRBM hidden", hidden, 1)
        self.form = arguments.choice("GaussianRBM form", form, FORMS)
        self.spread = arguments.positive("GaussianRBM spread", spread)
        self._width = system.length if form == "F" else system.length / np.sqrt(2.0)
        visible = self.particles * self.dimensions
        self.layout = (
            Layout()
            .add("a", (visible,))
            .add("b", (hidden,))
            .add("weights", (visible, hidden))
            .add("width", (), POSITIVE)
        )

    def initial(self, stream):
        visible = self.particles * self.dimensions
        return {
            "a": self.spread * stream.normal((visible,)),
            "b": self.spread * stream.normal((self.hidden,)),
            "weights": self.spread * stream.normal((visible, self.hidden)),
            "width": np.float64(self._width),
        }

    def log_psi(self, ops, theta, walkers):
        x = ops.flatten(walkers.r)
        u = (x - theta["a"]) / theta["width"]
        hidden = ops.dense(
            x / theta["width"] / theta["width"], theta["weights"], theta["b"], "softplus"
        )
        log = ops.sum(hidden, axis=-1) - 0.5 * ops.sum(u * u, axis=-1)
        return None, 0.5 * log if self.form == "sqrtF" else log
