"""A wavefunction that starts from the parameters of another run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Transfer:
    """theta (P,) and the names of the parameters that were taken, and of those that start as usual
    because the other run has none of that name (missing) or one of another shape (unfit).
    """

    theta: np.ndarray
    taken: list
    missing: list
    unfit: list

    def __str__(self):
        text = f"{len(self.taken)} arrays of parameters taken from the other run"
        for what, names in (("new here", self.missing), ("of another shape there", self.unfit)):
            if names:
                text += f"; {what}: {', '.join(names)}"
        return text


def transferred(wavefunction, theta, values: dict, units: dict | None = None) -> Transfer:
    """theta (P,) with every parameter of `values` (name -> array) that has a name and shape here.

    Values are those that psi sees, so that another map of theta does no harm. units: name -> unit
    of the system they come from; a value is multiplied by its unit here over that one there, so
    that lengths follow a change of scale. Raises ValueError where nothing fits.
    """
    units = units or {}
    theta, taken, missing, unfit = theta.copy(), [], [], []
    for name, entry in wavefunction.layout.entries.items():
        if name not in values:
            missing.append(name)
        elif np.shape(values[name]) != entry.shape:
            unfit.append(name)
        else:
            value = np.asarray(values[name], np.float64) * (
                entry.unit / units.get(name, entry.unit)
            )
            theta[entry.slice] = np.ravel(entry.map.inverse(value))
            taken.append(name)
    if not taken:
        raise ValueError(
            f"no parameter of the other run fits: it has {', '.join(sorted(values)) or 'none'}; "
            f"this wavefunction has {', '.join(wavefunction.layout.entries) or 'none'}"
        )
    if not np.isfinite(theta).all():
        raise ValueError("the other run's parameters are not finite: it diverged")
    return Transfer(theta, taken, missing, unfit)
