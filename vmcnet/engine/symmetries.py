"""Has psi the symmetries that its system relies on: signs of fermions, the boundary of a box?"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.engine.own_parts import Misfit, factors_of
from vmcnet.walkers import Walkers

NEARLY = 0.5  # deviation of psi'/psi from -1 that is rounding of a determinant, not another psi
NEARBY, SAME = 0.1, 1e-6  # width of the step from the start; psi'/psi is -1 up to rounding
PERIODIC = 1e-4  # the same of the phase where a particle crosses a box


def check_exchanges(system: Any, wavefunction: Any) -> None:
    """Misfit unless psi changes sign where two fermions of equal spin are exchanged and, where the
    Hamiltonian exchanges labels, two of different ones with their labels; each factor may do so or
    not.
    """
    values, counts = np.unique(system.spins, return_counts=True)
    if counts.max() > 1:
        equal = np.flatnonzero(system.spins == values[counts.argmax()])
        where = f"two of the {len(equal)} fermions of equal spin are exchanged"
        _check(system, wavefunction, equal[:2], where, f"of which {len(equal)} have equal spins")
    # a user's term need not say it
    if len(values) > 1 and any(getattr(t, "exchanges", False) for t in system.terms.values()):
        other = int(np.flatnonzero(system.spins != system.spins[0])[0])
        where = "two fermions are exchanged with their labels"
        _check(system, wavefunction, np.array([0, other]), where, "of which H exchanges labels")


def _check(system: Any, wavefunction: Any, pair: np.ndarray, where: str, which: str) -> None:
    """Near the starting parameters, and not at them: zero weights hide what a factor does."""
    found = [(type(f).__name__, _exchanged(system, f, pair)) for f in factors_of(wavefunction)]
    if _is(-1.0, [x for _, x in found]):
        return
    signs = [(name, x) for name, x in found if _is(1.0, [x]) or _is(-1.0, [x])]
    others = [name for name, x in found if not (_is(1.0, [x]) or _is(-1.0, [x]))]
    if others and _is(-1.0, [x for _, x in signs]):
        raise Misfit(
            "wavefunction",
            f"{' and '.join(others)} is no symmetric factor, so that psi is not antisymmetric "
            f"where {where}: leave it out, use symmetric = true where it has that key, or a "
            "PadeJastrow or NetworkJastrow (pade_jastrow, network_jastrow in a job file)",
        )
    off = abs(np.prod([x for _, x in found], axis=0) + 1.0).max()
    if not off > NEARLY:  # NaN too
        raise Misfit(
            "wavefunction",
            f"of the determinants of {system.particles} particles rounding leaves no digits where "
            f"walkers start (an exchange changes |psi| by {off:.1g}): take fewer particles, or "
            "orbitals that differ more",
        )
    factor = "an SShell (s_shell" if system.centre_length else "a Slater determinant (slater"
    raise Misfit(
        "wavefunction",
        f"{system.particles} fermions {which} need an antisymmetric wavefunction: multiply by "
        f"{factor} in a job file)",
    )


def _is(sign: float, ratios: Any) -> bool:
    """Whether the product of the factors' ratios (2,) is `sign`, up to rounding."""
    return bool(abs(np.prod(ratios, axis=0) - sign).max() < SAME)


def _exchanged(system: Any, factor: Any, pair: np.ndarray) -> np.ndarray:
    """psi'/psi (2,) of a factor, two particles exchanged with their labels; NaN where psi is not
    finite.
    """
    stream = Stream(0, 0, 0, 0)
    walkers = system.start(stream, 2)
    order = np.arange(system.particles)
    order[pair] = pair[::-1]
    return _ratio(factor, walkers, walkers.r[:, order], walkers.s[:, order], stream)


def _ratio(factor: Any, walkers: Walkers, r: np.ndarray, s: np.ndarray, stream: Stream) -> Any:
    """psi(r, s)/psi (W,) near the starting parameters, at them where psi is not finite there."""
    theta = factor.start(stream)
    with np.errstate(all="ignore"):
        for moved in (theta + NEARBY * stream.normal(theta.shape), theta):
            psi = factor.bind(moved)
            found = psi.ratio(r, s, psi.amplitude(walkers.r, walkers.s))
            if np.isfinite(found).all():
                break
    return found


def check_boundary(system: Any, wavefunction: Any) -> None:
    """Misfit unless psi has the phase of the box's twist where a particle crosses it, the first or
    the last one, along every axis, near the starting parameters.
    """
    box, stream = system.box, Stream(0, 0, 0, 0)
    walkers = system.start(stream, system.dimensions)
    r = walkers.r.copy()
    for axis, length in enumerate(box.lengths):
        r[axis, -(axis % 2), axis] += length
    expected = np.exp(1j * box.twist)
    found = _ratio(wavefunction, walkers, r, walkers.s, stream)
    off = np.abs(found - expected)
    worst = int(off.argmax())
    if off[worst] > PERIODIC:
        raise Misfit(
            "wavefunction",
            f"psi is times {complex(found[worst]):.3g} where a particle crosses the box along axis "
            f"{worst}, and the boundary wants {expected[worst]:.3g}: a factor "
            "does not follow it, take functions of sin and cos of 2 pi x/L, times exp(i theta x/L) "
            "along a twist theta",
        )
