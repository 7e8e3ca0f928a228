"""Binary-binary restricted Boltzmann machine on spins, with the hidden units summed out."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array, namespace
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.outer import Outer
from vmcnet.calculus.quantity import Handle
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.local_update import UpdateRule
from vmcnet.wavefunctions.machines.machine import Machine
from vmcnet.wavefunctions.reading import Configuration, Parameters

UNITS = ("spin", "binary")


class BinaryRBM(Wavefunction):
    """psi(s) = sum_{h = +-1} exp(a.s + b.h + s.W.h), that is log psi = sum_i a_i s_i + sum_j log 2
    cosh(b_j + sum_i s_i W_ij), s_i = +-1.

    a (n,), b (M,), W (n, M), M = alpha n hidden units. units = "binary": visible and hidden units
    are 0 and 1 instead, log psi = a.v +
    sum_j log(1 + exp(b_j + v.W_j)), v = (1 + s)/2. weights = "complex": every parameter has a real
    and an imaginary part (two real views).
    symmetric: one filter W_f (n,) a feature, alpha features, applied at all translations g of a
    periodic lattice, and one a and b_f:
    log psi = a sum_i s_i + sum_{f, g} log 2 cosh(b_f + sum_i s_{g(i)} W_if). The constant log 2 of
    each unit is left out.
    point_group: g runs over reflections, rotations and their products with translations as well.
    Carleo and Troyer, Science 355, 602 (2017), eq. 2 and its symmetric form. Raises ValueError for
    a system without spins, alpha n below 1
    or no whole number, symmetric without translations, point_group without symmetric.
    """

    name = "rbm"
    rowwise = True
    reads = "spins"

    def __init__(
        self,
        system: Any,
        alpha: float = 1.0,
        weights: str = "real",
        symmetric: bool = False,
        point_group: bool = False,
        units: str = "spin",
        spread: float = 0.02,
    ) -> None:
        self.place(system)
        n = self.particles
        self.units = arguments.choice("BinaryRBM units", units, UNITS)
        weights = arguments.choice("BinaryRBM weights", weights, ("real", "complex"))
        symmetric = arguments.flag("BinaryRBM symmetric", symmetric)
        point_group = arguments.flag("BinaryRBM point_group", point_group)
        self.spread = arguments.positive("BinaryRBM spread", spread)
        alpha = arguments.positive("BinaryRBM alpha", alpha)
        self.complex, self._group = weights == "complex", None
        features = alpha if symmetric else alpha * n
        if features < 1 or abs(features - round(features)) > 1e-9:
            raise ValueError(
                f"BinaryRBM alpha = {alpha}: "
                f"{'features' if symmetric else f'alpha x {n} hidden units'} must be a whole "
                "number, at least 1"
            )
        self.hidden = round(features)
        if symmetric:
            self._group = system.lattice.symmetries("BinaryRBM", point_group)
        elif point_group:
            raise ValueError("BinaryRBM point_group = true belongs to symmetric = true")
        self.layout = Layout()
        for part in ("", "_imaginary")[: 1 + self.complex]:
            self.layout.add(f"a{part}", () if symmetric else (n,)).add(
                f"b{part}", (self.hidden,)
            ).add(f"weights{part}", (n, self.hidden))

    def initial(self, stream: Stream) -> dict[str, Array]:
        return {e.name: self.spread * stream.normal(e.shape) for e in self.layout.entries.values()}

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        s = walkers.s if self.units == "spin" else (1 + walkers.s) // 2
        visible = ops.constant(s.astype(ops.real_dtype))
        seen = (
            visible if self._group is None else ops.constant(self._images(s).astype(ops.real_dtype))
        )

        def read(part: str) -> Any:
            bias = ops.sum(visible * theta[f"a{part}"], axis=-1)
            return bias, ops.affine(seen, theta[f"weights{part}"], theta[f"b{part}"])

        bias, hidden = read("")
        if self.complex:
            imaginary = read("_imaginary")
            bias, hidden = ops.complex(bias, imaginary[0]), ops.complex(hidden, imaginary[1])
        unit = ops.logcosh(hidden) if self.units == "spin" else ops.softplus(hidden)
        for _ in unit.shape[1:]:
            unit = ops.sum(unit, axis=-1)
        return None, bias + unit

    def _images(self, s: Array) -> Array:
        """s under every element of the group (W, G, n), contiguous, which fancy indexing would not
        give.
        """
        xp = namespace(s)
        return xp.take(s, xp.asarray(self._group), axis=1)

    def update_rule(self, values: dict[str, np.ndarray]) -> UpdateRule | None:
        return self.machine(values)

    def machine(self, values: dict[str, np.ndarray]) -> Machine:
        """The Machine that psi is at the parameters `values` (name -> array)."""
        a, b, w = (
            values[k] + 1j * values[f"{k}_imaginary"] if self.complex else values[k]
            for k in ("a", "b", "weights")
        )
        if self._group is not None:
            n = self.particles
            full = np.zeros((n, len(self._group), self.hidden), w.dtype)
            for g, sites in enumerate(self._group):
                full[sites, g] = w
            a, b, w = np.full(n, a), np.tile(b, len(self._group)), full.reshape(n, -1)
        if self.units == "binary":  # log(1 + e^x) = x/2 + log 2 cosh(x/2), v = (1 + s)/2
            a, b, w = a / 2 + w.sum(axis=1) / 4, b / 2 + w.sum(axis=0) / 4, w / 4
        return Machine(a, b, w)

    def quick_derivatives(self, walkers: Walkers) -> list | None:
        """For units +-1: d/da_i = s_i, d/db_j = t_j, d/dW_ij = s_i t_j; sums over the group where
        filters are shared.
        """
        if self.units == "binary":
            return None
        s, tanh = walkers.s.astype(np.float64), walkers.update.tanh()
        if self._group is None:
            pieces = [s, tanh, Outer(s, tanh, True)]
            turned = 1j * tanh
            return pieces + [1j * s, turned, Outer(s, turned, True)] if self.complex else pieces
        t = tanh.reshape(len(s), len(self._group), self.hidden)
        filters = np.matmul(namespace(t).ascontiguousarray(t.transpose(0, 2, 1)), self._images(s))
        pieces = [s.sum(axis=1), t.sum(axis=1), filters.transpose(0, 2, 1)]
        return pieces + [1j * piece for piece in pieces] if self.complex else pieces
