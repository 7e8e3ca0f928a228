"""What is not finite: which factor of psi, which term of H, in which walkers."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import to_host
from vmcnet.engine.own_parts import factors_of
from vmcnet.estimators.energy import local_energies
from vmcnet.hamiltonians.external import Potential
from vmcnet.walkers import Walkers


class NonFiniteError(RuntimeError):
    """A walker's local energy or log psi became NaN or infinite; names rank, block and
    iteration.
    """


def told(population: Any, theta: np.ndarray, block: int, cause: str) -> str:
    """What is NaN or infinite in a block, in words; `cause` is added where psi may have come to it
    by its parameters. The same on every rank; collective.
    """
    own = population.members.get(block)
    texts = population.comm.exchange("" if own is None else _text(population, theta, own, cause))
    return next(text for text in texts if text)


def _text(population: Any, theta: np.ndarray, walkers: Walkers, cause: str) -> str:
    system, wavefunction, found, first = population.system, population.wavefunction, [], 0
    with np.errstate(all="ignore"):
        for factor in factors_of(wavefunction):
            own = theta[first : first + factor.layout.size]
            first += factor.layout.size
            log = factor.bind(own).log(walkers.r, walkers.s)
            found += [f"log psi of {type(factor).__name__} {bad}" for bad in _bad(log)]
        if not found:
            parts = local_energies(system.terms, walkers, wavefunction.bind(theta)).terms
            found = [f"the term {name} {bad}" for name, x in parts.items() for bad in _bad(x)]
            by_place = [isinstance(system.terms[n], Potential) for n, x in parts.items() if _bad(x)]
            cause = "" if found and all(by_place) else cause
    if not found:
        return f"log psi is NaN where walkers were to move{cause}"
    text = f"{', '.join(found)} of the {len(walkers.s)} walkers there"
    return f"{text}; two particles coincide" if _coincide(to_host(walkers.r)) else text + cause


def _bad(x: Any) -> list[str]:
    """In how many walkers a quantity (W,) is NaN, or infinite; none where it is finite."""
    x = to_host(x)
    nan, infinite = int(np.isnan(x).sum()), int(np.isinf(x).sum())
    zero = bool(infinite) and bool((x.real[np.isinf(x)] < 0).all())
    kinds = (("NaN", nan), ("-infinite" if zero else "infinite", infinite))
    return [f"is {kind} in {n}" for kind, n in kinds if n]


def _coincide(r: np.ndarray) -> bool:
    """Whether two particles of a walker are at the same place; r (W, n, d)."""
    if not r.shape[2]:
        return False
    order = np.argsort(r[:, :, 0], axis=1)
    along = np.take_along_axis(r, order[..., None], axis=1)
    return bool((along[:, 1:] == along[:, :-1]).all(axis=2).any())
