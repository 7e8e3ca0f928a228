"""What limits a wavefunction: E_L of a frozen state is regressed on what could be added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet.arguments import shown
from vmcnet.backend.arrays import to_host
from vmcnet.backend.stream import Stream
from vmcnet.engine.population import LIMITS
from vmcnet.engine.training import TrainingResult
from vmcnet.estimators.candidates import Sample
from vmcnet.estimators.energy import local_energies
from vmcnet.estimators.extensions import chosen
from vmcnet.estimators.linear_method import (
    FOLDS,
    Directions,
    WeightedSamples,
    forecast,
    rest_of,
)
from vmcnet.walkers import Walkers

# samples with a longer |grad log psi|, in 1 / the guide's length, are left out; q is 1 before that,
# where the kinetic part has no boundary term
CLOSE = 5.0
DIFFERENCE = 0.01  # step of the differences far from nodes, in units of the guide's length


@dataclass(frozen=True)
class Limit:
    """One candidate: features, the share of Var(E_L) that they explain on unseen walkers and the
    energy that is likely gained, each with its standard error over the folds.
    """

    name: str
    features: int
    share: float
    share_error: float
    gain: float
    gain_error: float


@dataclass(frozen=True)
class Limits:
    """The candidates in the order of what they gain; energy, its variance, samples."""

    rows: list
    energy: float
    variance: float
    samples: int
    units: str

    def __str__(self):
        width = max(len(row.name) for row in self.rows)
        lines = [
            f"E_L of {self.samples} samples: mean {self.energy:.6g} {self.units}, "
            f"variance {self.variance:.3g}",
            f"{'candidate':<{width}}  features  share of the variance           likely gain",
        ]
        for row in self.rows:
            share = f"{100 * row.share:.1f} +- {100 * row.share_error:.1f} %"
            gain = f"{row.gain:.2e} +- {row.gain_error:.0e}"
            lines.append(f"{row.name:<{width}}  {row.features:8d}  {share:>21}  {gain:>20}")
        return "\n".join(lines)


class Guided:
    """Walkers of one block that sample psi^2 (1 + l^2 |grad log psi|^2), which has no nodes, so
    that averages of what grows like 1/x at a node have a variance; l^2 = 2 length^2 / (n d), where
    the bracket is 2 on average in the ground state of a trap.

    Moves of all particles, the step tuned in the first ones and then kept.
    """

    def __init__(self, population: Any, psi: Any, block: int, step: float) -> None:
        members = population.members[block]
        self.population, self.psi, self.s, self.step = population, psi, members.s, step
        self.r = to_host(members.r).astype(np.float64)
        system = population.system
        self.length = system.length * np.sqrt(2.0 / (system.particles * system.dimensions))
        self.log, _ = self._guide(self.r)

    def walkers(self, r: Any) -> Walkers:
        return Walkers(*self.population.device.place(r, to_host(self.s)))

    def _guide(self, r: Any) -> Any:
        walkers = self.walkers(r)
        log, drift = (to_host(x) for x in self.psi.log_and_drift(walkers.r, walkers.s))
        square = (drift.astype(np.float64) ** 2).sum(axis=(1, 2))
        return 2.0 * log.real + np.log1p(self.length**2 * square), square

    def move(self, stream: Stream, steps: int, tune: bool) -> None:
        for _ in range(steps):
            trial = self.r + self.step * stream.normal(self.r.shape)
            log, _ = self._guide(trial)
            accepted = np.log(stream.uniform((len(trial),))) < log - self.log
            self.r = np.where(accepted[:, None, None], trial, self.r)
            self.log = np.where(accepted, log, self.log)
            if tune:
                self.step *= 1.0 + 0.2 * (float(accepted.mean()) - 0.5)


def limits(result, candidates=None, *, snapshots: int = 8, interval: int = 25) -> Limits | None:
    """Which additions to a trained wavefunction would lower its energy, before any is built.

    Frozen parameters; `snapshots` sets of all walkers, `interval` Metropolis steps apart, with
    twice as many steps before the first. Every candidate (estimators.candidates) gives features,
    first-order changes of log psi: own parameters, Jastrow factors and displacements of one, two
    and three particles, and what the factors of psi offer (estimators.extensions): pair
    excitations or one shell more of them, mixed shells, further determinants, heads of the network,
    a wider network, another pass. candidates: a list of such objects or of these names instead.

    Found are the share of the variance of E_L that features explain by ridge regression, and the
    energy that the linear method gains with them (estimators.linear_method), fitted to three
    quarters of the walkers and judged on the last one. Training gains up to three times that, where
    what is added adapts. Rank 0 gets the result, other ranks None. Raises ValueError for lattices,
    for a number below 1 and for an unknown name.
    """
    if not isinstance(result, TrainingResult):
        raise ValueError(
            f"limits expects what train returned, got {shown(result)}; a run on disk has its own: "
            "vmcnet.open_run(path).limits()"
        )
    population, theta = result.population, result.state.theta
    system, comm = population.system, population.comm
    for name, value in (("snapshots", snapshots), ("interval", interval)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"limits {name} = {value!r}: expected a whole number of at least 1")
    if not system.dimensions:
        raise ValueError("limits looks at wavefunctions of coordinates; this system has spins only")
    candidates = chosen(candidates, system, population.wavefunction)
    psi = population.wavefunction.bind(theta)
    values = population.wavefunction.layout.values(theta)
    chains = {b: Guided(population, psi, b, float(result.state.step_size)) for b in population.own}
    parts = []
    for k in range(snapshots):
        for b, chain in chains.items():
            stream = Stream(population.seed, LIMITS, k, b)
            if k == 0:
                chain.move(stream, 2 * interval, tune=True)
            chain.move(stream, interval, tune=False)
            parts.append(_measured(chain, candidates, values, stream))
    return _judged(comm, population, candidates, parts, snapshots)


def _measured(chain: Guided, candidates, values, stream: Stream) -> tuple:
    """E_L, |grad log psi|^2 and, of every candidate, value, slope and rest, of one block."""
    system, r = chain.population.system, chain.r
    walkers = chain.walkers(r)
    here = Sample(system, chain.psi, walkers, values)
    energy = to_host(local_energies(system.terms, walkers, chain.psi).total)
    square = (here.drift**2).sum(axis=(1, 2))
    eta = stream.normal(r.shape)
    # shorter than the way to a node: there terms 1 / x^3 cancel down to 1 / x^2
    step = DIFFERENCE * chain.length * (1.0 + chain.length * np.sqrt(square)) ** -1.5
    above, below = (
        Sample(system, chain.psi, chain.walkers(r + sign * step[:, None, None] * eta), values)
        for sign in (1.0, -1.0)
    )
    q, up, down = (
        _near(chain.length**2 * (x.drift**2).sum(axis=(1, 2))) for x in (here, above, below)
    )
    along, turn = (eta * here.gradient).sum(axis=(1, 2)), (up - down) / (2.0 * step)
    features = []
    for candidate in candidates:
        x, high, low = (candidate.features(sample) for sample in (here, above, below))
        slope = (high - low) / (2.0 * step[:, None])
        curvature = (high + low - 2.0 * x) / step[:, None] ** 2
        features.append((x, slope, rest_of(q, slope, curvature, along, turn)))
    return np.stack([energy, 1.0 / (1.0 + chain.length**2 * square), 1.0 - q], axis=1), features


def _near(square):
    """The share q of |grad log psi|^2 in 1 / the guide's length: from 0 far away to 1 at CLOSE."""
    x = np.minimum(1.0, square / CLOSE**2)
    return x * (2.0 - x)


def _judged(comm, population, candidates, parts, snapshots) -> Limits | None:
    """Gather what all ranks measured and judge it on rank 0."""
    own, blocks = len(population.own), population.blocks

    def gathered(what):
        """(M, ...) of all snapshots and blocks on rank 0, None elsewhere."""
        found = []
        for k in range(snapshots):
            mine = [what(part) for part in parts[k * own : (k + 1) * own]]
            found.append(comm.gather(np.stack(mine), blocks))
        if comm.rank:
            return None
        joined = np.stack(found)
        return joined.reshape(-1, *joined.shape[3:])

    rows, samples, kept = [], None, None
    head = gathered(lambda part: part[0])
    if head is not None:
        # Along one direction a sample what grows like 1 / x^2 at a node does not cancel in u y and
        # rest together: the variance would be infinite.
        kept = head[:, 1].real > 1.0 / (1.0 + CLOSE**2)
        energy, weight, away = head[kept, 0], *head[kept, 1:].T.real
        fold = np.tile(np.arange(len(head) // snapshots) % FOLDS, snapshots)[kept]
        samples = WeightedSamples(energy, weight / weight.mean(), away, fold)
    for k, candidate in enumerate(candidates):
        found = [gathered(lambda part, j=j, k=k: part[1][k][j]) for j in range(3)]
        if samples is not None:
            size, directions = found[0].shape[1], Directions(*(part[kept] for part in found))
            rows.append(Limit(candidate.name, size, *forecast(directions, samples)))
    if samples is None:
        return None
    rows.sort(key=lambda row: -row.gain)
    return Limits(
        rows, samples.mean, samples.variance, len(samples.energy), population.system.units
    )
