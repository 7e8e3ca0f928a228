"""Metropolis sampling of spins: single flips, and exchanges that keep the magnetisation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vmcnet import arguments
from vmcnet.backend.arrays import namespace
from vmcnet.geometry.moves import SpinMove, SpinMoves
from vmcnet.sampling.sampler import Counts, Sampler, Unseen, groups
from vmcnet.walkers import Walkers

SCANS, ACCEPTANCES = ("random", "systematic"), ("metropolis", "heat_bath")


class SpinMetropolis(Sampler):
    """One step is a sweep: as many proposals as there are moves, each shared by the walkers of a
    block, accepted walker by walker.

    scan: moves drawn at random, or one after the other. acceptance, with p = |psi(s')/psi(s)|^2:
    metropolis min(1, p), heat_bath
    p/(1 + p). Where p is near 1 Metropolis turns over almost every proposed spin, so that the
    parity of a walker's flips would stay that
    of the sweep: the last proposal of every sweep is made with probability 1/2 only. Systematic
    sweeps would still be all but
    deterministic there, so they need heat_bath (ValueError otherwise).
    N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953); A. A. Barker, Aust. J. Phys. 18, 119
    (1965).
    """

    name = "spins"
    move = SpinMove
    kinds = ("spins",)

    def __init__(self, moves: SpinMoves, scan: str = "random", acceptance: str = "metropolis"):
        arguments.choice("scan", scan, SCANS)
        arguments.choice("acceptance", acceptance, ACCEPTANCES)
        if (scan, acceptance) == ("systematic", "metropolis"):
            raise ValueError(
                "scan = 'systematic' with acceptance = 'metropolis' is deterministic where psi is "
                "flat: use acceptance = 'heat_bath'"
            )
        self.moves, self.scan, self.acceptance = moves, scan, acceptance

    def __repr__(self) -> str:
        return f"<sampler {self.name}: {self.scan} scan, {self.acceptance}>"

    def check(self, system: Any, wavefunction: Any) -> None:
        """Any wavefunction can be sampled; the moves must be those of the system."""
        if self.moves != type(self)(system).moves:
            raise ValueError(
                f"{self.name} was built for another lattice: build it with this system"
            )

    def plan(self, stream: Any, steps: int, walkers: int) -> Any:
        """The moves proposed, (K,) or of B blocks (B, K), and thresholds (K, W) of all walkers: a
        proposal is accepted if its threshold is below p.
        """
        count = len(self.moves)
        total = steps * count
        if self.scan == "random":
            sequence = np.floor(stream.each((total,)) * count).astype(np.int64)
        else:
            blocks = len(stream.parts)
            sequence = np.tile(np.arange(total) % count, (blocks, 1) if blocks > 1 else 1)
        u = stream.uniform((total, walkers))
        if self.acceptance == "heat_bath":
            return sequence, u / (1.0 - u)  # u < p/(1 + p)
        last = u[count - 1 :: count]
        last[...] = np.where(last < 0.5, 2.0 * last, np.inf)
        return sequence, u

    def sample(
        self, walkers: Walkers, psi: Any, step: float, steps: int, stream: Any
    ) -> tuple[Walkers, Counts | Unseen]:
        """`steps` sweeps of every walker, renewed for psi: by local updates where psi offers them,
        by log psi otherwise, with the same proposals and thresholds. Walkers of several blocks need
        an update that joins them. `step` is not used: moves have no size.
        """
        s, log, update = walkers.s, walkers.log_psi, walkers.update
        accepted, bad, tried, size = 0, 0, 0, len(s)
        for some in groups(steps, size // len(stream.parts) * len(self.moves)):
            sequence, thresholds = self.plan(stream, some, size)
            if update is None:
                s, log, moved, wrong = self._sweep(psi, walkers.r, s, log, sequence, thresholds)
            else:
                if tried:
                    update.renew()
                moved, wrong = update.sweep(self.moves, sequence, thresholds)
            accepted, bad, tried = accepted + moved, bad + wrong, tried + sequence.shape[-1]
        counts = Counts.of(accepted, bad, tried)
        if update is not None:
            return replace(walkers, s=update.configuration()[1]), counts
        return Walkers(walkers.r, s, log), counts

    def _sweep(
        self, psi: Any, r: np.ndarray, s: np.ndarray, log: Any, sequence: Any, thresholds: Any
    ) -> tuple:
        """One proposal after the other by log psi; spins, log psi, accepted moves and NaN."""
        xp = namespace(s)
        limits = xp.log(xp.asarray(thresholds))
        accepted, bad = xp.zeros(s.shape[0], np.int64), xp.zeros(s.shape[0], np.int64)
        for m, limit in zip(sequence.tolist(), limits, strict=True):
            one = slice(m, m + 1)
            trial = self.moves.connected(s, one)[:, 0]
            trial_log = psi.log(r, trial)
            exponent = 2.0 * (trial_log.real - log.real)
            accept = (limit < exponent) & self.moves.acts(s, one)[:, 0]
            bad += xp.isnan(exponent)
            accepted += accept
            s = xp.where(accept[:, None], trial, s)
            log = xp.where(accept, trial_log, log)
        return s, log, accepted, bad


class SpinFlip(SpinMetropolis):
    """Single spin flips, s_i -> -s_i, for the full space: n proposals a sweep. Raises ValueError
    for a system whose magnetisation is fixed.
    """

    name = "spin_flip"
    rowwise = True

    def __init__(self, system: Any, scan: str = "random", acceptance: str = "metropolis"):
        if system.magnetisation is not None:
            raise ValueError(
                "spin_flip changes the magnetisation, which this system fixes at "
                f"{system.magnetisation}: use exchange"
            )
        super().__init__(SpinMoves.flips(system.particles), scan, acceptance)


class Exchange(SpinMetropolis):
    """Exchanges of the two spins of a nearest-neighbour bond, for a sector of fixed magnetisation:
    as many proposals a sweep as there are bonds. Raises ValueError for a system without a sector.
    """

    name = "exchange"
    rowwise = True

    def __init__(self, system: Any, scan: str = "random", acceptance: str = "metropolis"):
        if system.magnetisation is None:
            raise ValueError(
                "exchange keeps the magnetisation of every walker, but this system has no fixed "
                "one: use spin_flip, or set magnetisation"
            )
        super().__init__(SpinMoves(system.lattice.shells[0]), scan, acceptance)
