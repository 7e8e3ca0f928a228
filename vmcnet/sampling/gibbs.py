"""Block Gibbs sampling of Boltzmann machines with real weights: all spins at once, nothing
rejected.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import on_host
from vmcnet.sampling.sampler import Counts, Sampler
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions.machines.machine import Machine


def _logistic(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _is_real_machine(rule: Any) -> bool:
    return isinstance(rule, Machine) and not rule.is_complex


class Gibbs(Sampler):
    """|psi|^2 of a machine with real weights is a machine with every hidden unit twice and the
    visible bias 2a: a step draws

      h_j, h'_j = +1 with probability logistic(2 (b_j + sum_i s_i W_ij)), then s_i = +1 with
      logistic(2 (2 a_i + sum_j W_ij (h_j + h'_j))).

    For the full space: a sector of fixed magnetisation does not factorise (ValueError), nor do
    complex weights or other functions.
    Accepted moves are the spins that changed. R. Salakhutdinov, A. Mnih, G. Hinton, ICML (2007),
    for the machine's two conditionals.
    """

    name = "gibbs"
    kinds = ("spins",)

    def __init__(self, system: Any):
        if system.magnetisation is not None:
            raise ValueError(
                "gibbs draws all spins at once, but this system fixes the magnetisation at "
                f"{system.magnetisation}: use exchange"
            )

    def check(self, system: Any, wavefunction: Any) -> None:
        """ValueError unless the wavefunction is a machine with real weights, and all spins are
        free.
        """
        Gibbs(system)
        zero = wavefunction.layout.values(np.zeros(wavefunction.layout.size))
        if not _is_real_machine(wavefunction.update_rule(zero)):
            raise ValueError(
                "gibbs needs a wavefunction that is a binary_rbm with real weights, or a product "
                "of such: use spin_flip"
            )

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts]:
        """`steps` steps of every walker; `step` is not used."""
        machine, s = psi.rule, walkers.s
        if not _is_real_machine(machine) or not on_host(s):
            raise ValueError("gibbs needs a machine with real weights, on the host")
        changed = np.zeros(s.shape[0], np.int64)
        for _ in range(steps):
            p = _logistic(2.0 * (s.astype(np.float64) @ machine.weights + machine.b))
            hidden = (stream.uniform((2, *p.shape)) < p).sum(axis=0) * 2.0 - 2.0  # h + h'
            q = _logistic(2.0 * (2.0 * machine.a + hidden @ machine.weights.T))
            new = np.where(stream.uniform(q.shape) < q, 1, -1).astype(np.int8)
            changed += (new != s).sum(axis=1)
            s = new
        return psi.renew(Walkers(walkers.r, s)), Counts(
            int(changed.sum()), steps * s.size, int(np.isnan(machine.weights).any()), changed
        )
