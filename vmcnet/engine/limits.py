"""What limits a wavefunction: E_L of a frozen state is regressed on what could be added to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.engine.population import LIMITS
from vmcnet.estimators.candidates import Sample, default_candidates
from vmcnet.walkers import Walkers

FOLDS = 4  # of walkers: every share is of walkers that the fit has not seen
RIDGE = 1e-2  # of the variance of a standardised feature
CLIP_ENERGY, CLIP_FEATURE = 8.0, 24.0  # mean absolute deviations from the median
DIFFERENCE = 1e-4  # step of the differences along random directions, in units of the length


@dataclass(frozen=True)
class Limit:
    """One candidate: features, the share of Var(E_L) that they explain on unseen walkers with its
    standard error over the folds, and the energy that is likely gained to first order.
    """

    name: str
    features: int
    share: float
    share_error: float
    gain: float


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
            f"variance {self.variance:.3g} (clipped at {CLIP_ENERGY:g} mean deviations)",
            f"{'candidate':<{width}}  features  share of the variance  likely gain",
        ]
        for row in self.rows:
            share = f"{100 * row.share:.1f} +- {100 * row.share_error:.1f} %"
            lines.append(f"{row.name:<{width}}  {row.features:8d}  {share:>21}  {row.gain:11.2e}")
        return "\n".join(lines)


def limited(x, width: float):
    """x (M, ...) limited to the median +- width times the mean absolute deviation."""
    middle = np.median(x, axis=0)
    spread = np.abs(x - middle).mean(axis=0)
    return np.clip(x, middle - width * spread, middle + width * spread)


def ridge(x, y):
    """Coefficients (K,) of y (M,) on standardised columns x (M, K), both centred."""
    m, k = x.shape
    if k <= m:
        return np.linalg.solve(x.T @ x / m + RIDGE * np.eye(k), x.T @ y / m)
    return x.T @ np.linalg.solve(x @ x.T / m + RIDGE * np.eye(m), y) / m


def explained(x, energy, fold, shifted=None):
    """Share of the variance of energy (M,) explained by x (M, K) on unseen folds, its standard
    error, and the first-order gain.

    On each fold u = x c with c fitted on the others. The state psi (1 + t u) has the energy
    E - b^2 / D at its best t, b = <u (E_L - E)>, D = <|grad u|^2>/2 + <u^2 (E_L - E)>: the linear
    method in one direction (M. P. Nightingale and V. Melik-Alaverdian, Phys. Rev. Lett. 87, 043401
    (2001)). grad u comes from `shifted`: rows (R,), x there displaced by +- h eta (R, K), h.
    """
    shares, numbers = [], []
    for k in range(FOLDS):
        seen, unseen = fold != k, fold == k
        middle, scale = x[seen].mean(axis=0), x[seen].std(axis=0)
        scale = np.where(scale > 1e-12 * np.abs(middle) + 1e-300, scale, np.inf)
        centre = energy[seen].mean()
        c = ridge((x[seen] - middle) / scale, energy[seen] - centre)
        u, y = ((x[unseen] - middle) / scale) @ c, energy[unseen] - centre
        shares.append(1.0 - (y - u).var() / y.var())
        if shifted is None:
            continue
        rows, up, down, h = shifted
        own = unseen[rows]
        slope = ((up[own] - down[own]) / scale) @ c / (2.0 * h)
        u, y = u - u.mean(), y - y.mean()
        numbers.append([(u * y).mean(), 0.5 * (slope**2).mean(), (u * u * y).mean()])
    share, error = float(np.mean(shares)), float(np.std(shares, ddof=1) / np.sqrt(FOLDS))
    if shifted is None:
        return share, error, float("nan")
    b, kinetic, rest = np.mean(numbers, axis=0)
    stiffness = kinetic + max(rest, -0.5 * kinetic)
    gain = b * b / stiffness if share > error and stiffness > 0 else 0.0
    return share, error, float(gain)


def limits(result, candidates=None, *, snapshots: int = 8, interval: int = 25) -> Limits | None:
    """Which additions to a trained wavefunction would lower its energy, before any is built.

    Frozen parameters; `snapshots` sets of all walkers, `interval` Metropolis steps apart. Every
    candidate (estimators.candidates) gives features; E_L, limited at 8 mean deviations, is fitted
    to them by ridge regression on three quarters of the walkers and judged on the last one. The
    gain is that of the best single direction to first order; training gained up to three times it.
    Rank 0 gets the result, other ranks None. Raises ValueError for lattices and for a number
    below 1.
    """
    population, theta = result.population, result.state.theta
    system, comm = population.system, population.comm
    for name, value in (("snapshots", snapshots), ("interval", interval)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"limits {name} = {value!r}: expected a whole number of at least 1")
    if not system.dimensions:
        raise ValueError("limits looks at wavefunctions of coordinates; this system has spins only")
    candidates = candidates or default_candidates(system, population.wavefunction)
    psi, length = population.wavefunction.bind(theta), system.length
    values = population.wavefunction.layout.values(theta)
    h, parts = DIFFERENCE * length, []
    for k in range(snapshots):
        _, energies = population.advance(theta, LIMITS, k, interval, result.state.step_size)
        for b in population.own:
            walkers = population.members[b]
            r = to_host(walkers.r)
            eta = h * population.device.stream(population.seed, LIMITS, snapshots + k, b).normal(
                r.shape
            )
            samples = [Sample(system, psi, walkers, values)]
            if k % 2 == 0:
                samples += [
                    Sample(
                        system,
                        psi,
                        Walkers(*population.device.place(x, to_host(walkers.s))),
                        values,
                    )
                    for x in (r + to_host(eta), r - to_host(eta))
                ]
            columns = [[c.features(sample) for c in candidates] for sample in samples]
            parts.append((k, b, to_host(energies[b].total.real), columns))
    return _judged(population, candidates, parts, snapshots, h) if comm.size >= 1 else None


def _judged(population, candidates, parts, snapshots, h):
    """Gather what all ranks measured and judge it on rank 0."""
    comm, blocks, block = population.comm, population.blocks, population.block
    widths = [x.shape[1] for x in parts[0][3][0]]

    def gathered(values):
        """(own blocks, ...) -> all blocks on rank 0."""
        return comm.gather(np.stack(values), blocks)

    def of(k, what):
        return [what(p) for p in parts if p[0] == k]

    energies = [gathered(of(k, lambda p: p[2])) for k in range(snapshots)]
    here, up, down = [], [], []
    for k in range(snapshots):
        here.append(gathered(of(k, lambda p: np.concatenate(p[3][0], axis=1))))
        if k % 2 == 0:
            up.append(gathered(of(k, lambda p: np.concatenate(p[3][1], axis=1))))
            down.append(gathered(of(k, lambda p: np.concatenate(p[3][2], axis=1))))
    if comm.rank:
        return None
    width, count = sum(widths), blocks * block
    energy = np.stack(energies).reshape(-1)
    x, above, below = (np.stack(a).reshape(-1, width) for a in (here, up, down))
    fold = np.tile(np.arange(count) % FOLDS, snapshots)
    rows = np.concatenate([k * count + np.arange(count) for k in range(0, snapshots, 2)])
    energy = limited(energy, CLIP_ENERGY)
    found, start = [], 0
    for candidate, size in zip(candidates, widths, strict=True):
        part = slice(start, start + size)
        start += size
        kept = limited(x[:, part], CLIP_FEATURE)
        inside = (kept == x[:, part])[rows]
        steps = [np.where(inside, a[:, part], 0.0) for a in (above, below)]
        share, error, gain = explained(kept, energy, fold, (rows, *steps, h))
        found.append(Limit(candidate.name, size, share, error, gain))
    found.sort(key=lambda row: -row.gain)
    return Limits(
        found, float(energy.mean()), float(energy.var()), len(energy), population.system.units
    )
