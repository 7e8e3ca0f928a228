"""Where E_L is largest: does it diverge there, and is its square integrable with |psi|^2?

A sample cannot tell P(|E_L| > u) ~ u^-2 from a tail that bends later. Near a place where E_L ~
l^-p and psi ~ l^beta, l the distance to a set of codimension c, P(|E_L| > u) ~ u^-((2 beta + c)/p):
the Pareto shape is p/(2 beta + c). A node or a hard wall has p = beta = c = 1, shape 1/3 (Trail,
Phys. Rev. E 77, 016703 (2008)); a missing cusp p = 1, beta = 0, shape 1/c; far out, where psi has
its exponential tail, nothing diverges.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vmcnet.engine.results import Measured
from vmcnet.estimators.energy import local_energies
from vmcnet.statistics.tails import pareto_tail
from vmcnet.walkers import Walkers

MOST, COORDINATES = 8, 512  # walkers that are followed, and coordinates of all of them
ROUNDS, GROWTH = 16, 1e5  # of the ascent: it ends where |E_L| has grown so often
FASTEST = 30.0  # most growth of |E_L| in a round
ALL, FLAT = 2, 1e-2  # rounds after which particles of smaller slopes stay where they are
DIVERGES = 1e2  # growth of |E_L| from which it is called a divergence
LEAST, STEEPEST = 0.3, 12.0  # powers p that are believed
START, NEAREST = 1e-3, 1e-8  # first guess of l and least l, in lengths of the system
LENGTHS = np.array([0.25, 0.5, 0.75, 0.9, 1.2, 1.5, 1.8, 2.5, 4.0])  # steps tried, of 1/|grad|


def probed(population: Any, theta: np.ndarray, measured: Measured | None) -> Measured | None:
    """What was `measured`, on rank 0 with the largest Pareto shape that follows from how E_L
    diverges near the last walkers; None elsewhere. Only where the sampled tail is doubtful: one
    broadcast, there two gathers more.
    """
    suspect = False
    if measured is not None and measured.tail is not None:
        suspect = population.system.moves == "coordinates" and pareto_tail(measured.tail).suspect
    if not population.comm.broadcast(suspect):
        return measured
    r, s = population.collect()
    if measured is None:
        return None
    psi = population.wavefunction.bind(theta)
    found = shapes(population.system, psi, r.astype(np.float64), s, measured.centre)
    return replace(measured, singular=float(np.max(found, initial=0.0)))


def shapes(system: Any, psi: Any, r: np.ndarray, s: np.ndarray, centre: float) -> np.ndarray:
    """Pareto shapes (K,) of E_L near the K walkers with the largest |E_L - centre| of all blocks
    (B, W, n, d), (B, W, n); 0 where it does not diverge.
    """

    def looked(r: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log|E_L - centre| and log|psi|; -inf where either is not finite."""
        log = psi.log(r, s)
        energy = local_energies(system.terms, Walkers(r, s, log), psi).total.real - centre
        fine = np.isfinite(energy) & np.isfinite(log) & (energy != 0.0)
        return (
            np.where(fine, np.log(np.abs(np.where(fine, energy, 1.0))), -np.inf),
            np.where(fine, log.real, -np.inf),
        )

    with np.errstate(all="ignore"):
        energy = np.concatenate([looked(*block)[0] for block in zip(r, s, strict=True)])
        r, s = r.reshape(-1, *r.shape[2:]), s.reshape(-1, s.shape[2])
        count = int(np.clip(COORDINATES // r[0].size, 2, MOST))
        chosen = np.argsort(-energy, kind="stable")[:count]
        return np.array([_shape(looked, r[k], s[k], system.length) for k in chosen])


def _shape(looked: Any, r: np.ndarray, s: np.ndarray, length: float) -> float:
    """p/(2 beta + c) of the divergence that an ascent from one configuration r (n, d) meets."""

    def at(moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return looked(moved, np.broadcast_to(s, (len(moved), *s.shape)))

    axes = np.eye(r.size).reshape(-1, *r.shape)
    path: list[tuple[float, float, float]] = []  # log|E_L|, log|psi|, length
    here, scale = r, START * length
    for k in range(ROUNDS):
        energy, log_psi = (float(x[0]) for x in at(here[None]))
        guess = np.inf
        while guess > 5.0 * scale:  # differences over a small part of the length
            guess, h = scale, 1e-3 * scale
            slope = (at(here + h * axes)[0] - at(here - h * axes)[0]) / (2.0 * h)
            steep = float(np.linalg.norm(slope))
            if not np.isfinite(steep) or steep == 0.0:
                return 0.0
            scale = 1.0 / steep
        path.append((energy, log_psi, scale))
        end, slopes = here, slope / steep
        direction = np.tensordot(slopes, axes, 1)
        if k < ALL:  # whole particles: beside a contact some coordinates have no slope
            part = np.abs(direction).max(axis=1) > FLAT * np.abs(direction).max()
            kept = (axes[:, part] != 0.0).any(axis=(1, 2))
            axes, slopes = axes[kept], slopes[kept]
        if energy - path[0][0] > np.log(GROWTH) or scale < NEAREST * length:
            break
        trials = here + (LENGTHS * scale)[:, None, None] * direction
        risen = at(trials)[0]
        risen[risen > energy + np.log(FASTEST)] = -np.inf  # too near for differences at once
        if not risen.max() > energy:
            break
        here = trials[int(risen.argmax())]
    return _of_path(np.array(path), at, end, slopes, axes)


def _of_path(path: Any, at: Any, here: np.ndarray, slopes: np.ndarray, axes: Any) -> float:
    """The shape from the ascent's last two decades of |E_L|, and from c = sum over coordinates of
    w, where a step t adds t^2 w - 2 t l slope to l^2. Behind a wall nothing is finite.
    """
    energy, log_psi, scale = path[path[:, 0] > path[-1, 0] - np.log(DIVERGES)].T
    if path[-1, 0] - path[0, 0] < np.log(DIVERGES) or len(energy) < 2:
        return 0.0
    nearer = np.log(scale)
    if not (np.diff(nearer) < 0.0).all():
        return 0.0  # far out E_L grows too, but no distance falls
    power = -np.polyfit(nearer, energy, 1)[0]
    if not LEAST < power < STEEPEST:
        return 0.0
    zero = max(0.0, float(np.polyfit(nearer, log_psi, 1)[0]))
    beside = 3.0 * power * scale[-1]  # l = p/|grad log|E_L||
    added = np.full((2, len(axes)), np.nan)
    for k, sign in enumerate((1.0, -1.0)):
        risen = at(here + sign * beside * axes)[0] - energy[-1]
        squares = np.exp(-2.0 * np.where(np.isfinite(risen), risen, np.nan) / power)
        added[k] = squares - 1.0 + 6.0 * sign * slopes
    added = np.where(np.isfinite(added), added, added[::-1])  # where one side is a wall
    codimension = max(1.0, float(added.mean(axis=0).sum()) / 9.0)
    return power / (2.0 * zero + codimension)
