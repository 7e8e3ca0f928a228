"""Derivatives of a wavefunction of a user's own, against differences: a wrong rule of an operation
would give a wrong energy without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.engine.own_parts import Misfit, own_class

WALKERS, MOST = 2, 200  # walkers that are looked at; coordinates of psi up to which that is done
STEP, NEARBY = 1e-3, 0.1  # of coordinates in lengths of the system, and of parameters; from theta
AGREE, APART = 1e-3, 2e-2  # of differences at two steps; of a derivative and such differences
FLOOR = 1e-6  # the same of what is 0 but for rounding


def check_derivatives(system: Any, factors: list) -> None:
    """Misfit where log psi of a class of a user's own has other derivatives, with respect to its
    parameters or the coordinates, than differences give; those that do not settle say nothing.
    """
    for factor in factors:
        # a set of orbitals of one's own inside a factor of vmcnet too
        if own_class(factor) or own_class(vars(factor).get("orbitals")):
            with np.errstate(all="ignore"):
                _check(system, factor)


def _check(system: Any, factor: Any) -> None:
    stream = Stream(0, 0, 0, 0)
    walkers, theta = system.start(stream, WALKERS), factor.start(stream)
    theta = theta + NEARBY * stream.normal(theta.shape)
    name, psi = type(factor).__name__, factor.bind(theta)
    if theta.size:
        way = stream.normal(theta.shape)
        found = psi.log_derivatives(walkers) @ way

        def along(h: float) -> Any:
            logs = (factor.bind(theta + x * way).log(walkers.r, walkers.s) for x in (h, -h))
            return _apart(*logs) / (2.0 * h)

        _compare(name, "derivative with respect to its parameters", found, along)
    if not 0 < walkers.r[0].size <= MOST:
        return
    _, gradient, laplacian = psi.jet(walkers)
    axes = np.eye(walkers.r[0].size).reshape(-1, 1, *walkers.r.shape[1:])

    def moved(h: float) -> Any:
        r = walkers.r + h * axes
        s = np.broadcast_to(walkers.s, (len(r), *walkers.s.shape))
        log = psi.log(r.reshape(-1, *r.shape[2:]), s.reshape(-1, s.shape[2]))
        return log.reshape(len(r), -1)

    def slopes(h: float) -> Any:
        h = h * system.length
        return _apart(moved(h), moved(-h)) / (2.0 * h)

    def curvature(h: float) -> Any:
        h, here = h * system.length, psi.log(walkers.r, walkers.s)
        return ((_apart(moved(h), here) + _apart(moved(-h), here)) / (h * h)).sum(axis=0)

    size = np.abs(slopes(STEP)).max(axis=0) / system.length
    _compare(name, "gradient", gradient, slopes)
    _compare(name, "Laplacian", laplacian, curvature, size)


def _apart(a: Any, b: Any) -> Any:
    """log psi - log psi', of complex ones up to 2 pi i."""
    found = a - b
    return found if found.dtype.kind != "c" else found.real + 1j * np.angle(np.exp(1j * found.imag))


def _compare(name: str, what: str, given: Any, differences: Any, size: Any = 0.0) -> None:
    wide, narrow = differences(STEP), differences(0.5 * STEP)
    scale = np.abs(narrow) + size
    settled = np.abs(wide - narrow) < AGREE * scale + FLOOR
    off = np.abs(given - narrow) > APART * scale + 1e3 * FLOOR
    if (settled & off).any():
        k = np.unravel_index(int(np.argmax(settled & off)), np.shape(narrow))
        raise Misfit(
            "wavefunction",
            f"{name}: the {what} of log psi is {given[k]:.5g} where differences give "
            f"{narrow[k]:.5g}: a rule of an operation is wrong, or log_psi takes numbers out of "
            "its quantities",
        )
