"""Observables of classical lattice models at a temperature."""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, to_host
from vmcnet.observables.base import Observable
from vmcnet.statistics.jackknife import jackknife
from vmcnet.walkers import Psi, Walkers


class OrderParameter(Observable):
    """m, m^2 and m^4 with m = (q max_c n_c / n - 1)/(q - 1), n_c sites of colour c of q; for two
    spins m = |sum_i s_i|/n. Derived: the Binder cumulant 1 - <m^4>/(3 <m^2>^2).
    """

    name, labels = "order", ("m", "m^2", "m^4")
    rowwise = True

    def __init__(self, system: Any) -> None:
        self._colours = _thermal(self, system).labels_of_site

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        s, q = to_host(walkers.s), len(self._colours)
        most = np.stack([(s == c).sum(axis=1) for c in self._colours]).max(axis=0)
        m = (q * most / s.shape[1] - 1.0) / (q - 1.0)
        return np.stack([m, m**2, m**4], axis=1)

    def derived(self, mean: dict, square: dict) -> dict:
        def binder(m2: Array, m4: Array) -> Array:
            return 1.0 - m4 / (3.0 * m2 * m2)

        return {"Binder cumulant": jackknife(binder, mean["m^2"], mean["m^4"])}


class HeatCapacity(Observable):
    """Energy <E>/n and heat capacity (<E^2> - <E>^2)/(n T^2) a site, k_B = 1, with jackknife
    errors: both follow from the energies. Raises ValueError for a system without temperature.
    """

    name, labels = "thermodynamics", ()
    rowwise = True

    def __init__(self, system: Any) -> None:
        self._sites = _thermal(self, system).particles
        self._temperature = system.temperature

    def measure(self, walkers: Walkers, psi: Psi) -> np.ndarray:
        return np.empty((len(walkers.s), 0))

    def derived(self, mean: dict, square: dict) -> dict:
        n, t = self._sites, self._temperature
        e = mean["energy"] - mean["energy"].mean()

        def heat(x: Array, xx: Array) -> Array:
            return (xx - x * x) / (n * t * t)

        return {
            "energy a site": jackknife(lambda x: x / n, mean["energy"]),
            "heat capacity a site": jackknife(heat, e, square["energy"]),
        }


def _thermal(observable: Any, system: Any) -> Any:
    if system.temperature is None:
        raise ValueError(
            f"{observable.name} belongs to classical models at a temperature, and "
            f"{type(system).__name__} has none"
        )
    observable.made_for = system
    return system
