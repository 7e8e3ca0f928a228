"""Projection onto parity, and onto states that change sign or not where all spins turn over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import Array
from vmcnet.backend.stream import Stream
from vmcnet.calculus.interpreter import Interpreter
from vmcnet.calculus.quantity import Handle
from vmcnet.calculus.values import Values
from vmcnet.wavefunctions.base import Wavefunction
from vmcnet.wavefunctions.reading import Configuration, Parameters, Reading

PROBES, LEAST = 8, 0.1  # walkers at which psi is looked at; the part of psi that must be left
SIGNS = {"even": 1.0, "odd": -1.0}


class Projection:
    """psi(r, s) + p psi(-r, s), and of that the same with f and psi(r, -s): p, f = 1 (even), -1
    (odd), or None, which projects on nothing. Twice the cost, or four times.

    A state of N spins 1/2 in all and spin S is multiplied by (-1)^(N/2 - S) where all of them turn
    over: 7 + 7 plane waves are odd. Raises ValueError for other words, for a spin flip of unequal
    numbers up and down, and for a parity in a box whose twist -r turns round.
    """

    def __init__(self, title: str, system: Any, parity: str | None, spin_flip: str | None) -> None:
        for name, word in (("parity", parity), ("spin_flip", spin_flip)):
            if word is not None:
                arguments.choice(f"{title} {name}", word, sorted(SIGNS))
        if spin_flip is not None and np.asarray(system.spins).sum() != 0:
            raise ValueError(f"{title} spin_flip: expected as many particles up as down")
        if parity is not None and system.box is not None and not system.box.even:
            raise ValueError(
                f"{title} parity: psi(-r) follows the opposite twist: expected one of 0 or 1/2 "
                "along every axis, or no parity"
            )
        self.parity, self.spin_flip = parity, spin_flip

    def __bool__(self) -> bool:
        return self.parity is not None or self.spin_flip is not None

    def __call__(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration, log_psi: Callable
    ) -> tuple[Any, Handle]:
        """(phase, log) of the projection of log_psi(ops, theta, walkers)."""
        parts = self._parts(walkers)
        if len(parts) == 1:
            return log_psi(ops, theta, walkers)
        found = [log_psi(ops, theta, Configuration(r, s)) for r, s, _ in parts]
        logs = ops.stack([log for _, log in found])
        # which are None where the labels of all walkers stand in their order
        one = ops.constant(ops.xp.ones((logs.shape[0],), ops.real_dtype))
        phases = [one if phase is None else ops.phase(phase) for phase, _ in found]
        signs = ops.stack([phase * c for phase, (_, _, c) in zip(phases, parts, strict=True)])
        return ops.logsumexp(logs, signs)

    def _parts(self, walkers: Configuration) -> list[tuple[Any, Array, float]]:
        """Coordinates, spins and the sign of all elements of the group."""
        parts: list[tuple[Any, Array, float]] = [(walkers.r, walkers.s, 1.0)]
        if self.parity is not None:
            parts += [(r * -1.0, s, SIGNS[self.parity] * c) for r, s, c in parts]
        if self.spin_flip is not None:
            parts += [(r, -s, SIGNS[self.spin_flip] * c) for r, s, c in parts]
        return parts

    def check(self, wavefunction: Any, system: Any) -> None:
        """ValueError where the projection takes all but a small part of psi away at its start."""
        if not self:
            return
        ops, found = Values(np), system.start(Stream(0, 0, 0, 0), PROBES)
        reading = Reading(wavefunction, wavefunction.start(Stream(0, 0, 0, 0)))
        theta = reading.handles(ops, np, found.r.dtype)
        psi = []
        for r, s, c in self._parts(Configuration(ops.coordinates(found.r), found.s)):
            phase, log = wavefunction._one(ops, theta, Configuration(r, s))
            psi.append(c * np.exp(log.data) * (1.0 if phase is None else ops.phase(phase).data))
        left = np.abs(sum(psi)) / sum(np.abs(x) for x in psi)
        if np.median(left) < LEAST:
            raise ValueError(
                f"{self.describe()}: {np.median(left):.2g} of psi is left at its start, which has "
                "the other sign: choose the other word"
            )

    def describe(self) -> str:
        words = [f"parity {self.parity}"] * (self.parity is not None)
        words += [f"spin flip {self.spin_flip}"] * (self.spin_flip is not None)
        return ", ".join(words)


class Projected(Wavefunction):
    """A psi of `orbitals` whose log_psi is the projection, `_projection`, of its `_one`."""

    orbitals: Any
    _projection: Projection

    def check(self, system: Any) -> None:
        self._projection.check(self, system)

    def log_psi(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        return self._projection(ops, theta, walkers, self._one)

    def _one(
        self, ops: Interpreter, theta: Parameters, walkers: Configuration
    ) -> tuple[Any, Handle]:
        """log_psi before it is projected."""
        raise NotImplementedError
