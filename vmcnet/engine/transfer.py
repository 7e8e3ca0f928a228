"""A wavefunction that starts from the parameters of another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vmcnet.arguments import shown


@dataclass(frozen=True)
class Transfer:
    """theta (P,) and the names of the parameters that were taken, of those that start as usual
    because the other run has none of that name (missing) or one of another shape (unfit), and of
    those of the other run that have no place here (unused).
    """

    theta: np.ndarray
    taken: list
    missing: list
    unfit: list
    unused: list

    @property
    def whole(self) -> bool:
        """Whether all parameters of the other run were taken."""
        return not (self.unfit or self.unused)

    def __str__(self):
        text = f"{len(self.taken)} arrays of parameters taken from the other run"
        for what, names in (
            ("new here", self.missing),
            ("without a place here", self.unused),
            ("of another shape there", self.unfit),
        ):
            if names:
                text += f"; {what}: {', '.join(names)}"
        return text


def parameters_of(start: Any) -> tuple[Mapping, Mapping | None]:
    """name -> array of what a training is to start from, and their units where they are known;
    ValueError for what has no parameters.
    """
    if isinstance(start, Mapping):
        return start, None
    # anything may be passed here by mistake
    values, units = getattr(start, "parameters", None), getattr(start, "parameter_units", None)
    if not isinstance(values, Mapping) or not isinstance(units, Mapping):
        raise ValueError(
            "start must be a result of train, a run of open_run or a dictionary name -> array, got "
            f"{shown(start)}"
        )
    return values, units


def transferred(wavefunction, theta, values: Mapping, units: Mapping | None = None) -> Transfer:
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
            given = np.asarray(values[name])
            if given.dtype.kind not in "fiub":
                raise ValueError(
                    f"parameter {name!r} is {shown(values[name])}: expected real numbers"
                )
            value = given * (entry.unit / units.get(name, entry.unit))
            theta[entry.slice] = np.ravel(entry.map.inverse(value))
            taken.append(name)
    if not taken:
        there = ", ".join(sorted(map(str, values))) or "none"
        raise ValueError(
            f"no parameter of the other run fits: it has {there}; "
            f"this wavefunction has {', '.join(wavefunction.layout.entries) or 'none'}"
        )
    if not np.isfinite(theta).all():
        raise ValueError("the other run's parameters are not finite: it diverged")
    known = {*wavefunction.layout.entries, "theta"}  # run files have the whole vector too
    unused = [str(name) for name in values if name not in known]
    return Transfer(theta, taken, missing, unfit, unused)
