"""What an observable is: a quantity that evaluations measure beside the energy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vmcnet.arguments import shown
from vmcnet.backend.arrays import Array
from vmcnet.walkers import Psi, Walkers

MOST_SHELLS = 300  # of wave vectors: some ten thousand vectors in three dimensions


@runtime_checkable
class Observable(Protocol):
    """K real functions of a walker, measured at every measurement of an evaluation.

    A subclass sets name (a word, which the report and the run file use), labels (K texts, one a
    component), units (a text for all, or one a component), and gives

      measure(walkers, psi) -> (W, K) real, numpy or cupy

    of the walkers of one block, r (W, n, d) and s (W, n), at the parameters of psi (`psi.log(r,
    s)`, `psi.jet(walkers)`). They are copies: what it does to them
    stays inside. The errors come from the means of single
    walkers (above 2^18 numbers in all: of groups of walkers), blocking, R-hat and autocorrelation
    times beside them.

    derived(mean, square) -> {label: (value, error)} gives what follows from averages: both
    dictionaries hold (G,) numbers, one a walker or group, of `energy`, of every term by its name
    and of the own labels; averages over time, and those of the square about the common mean. Use
    `statistics.jackknife.jackknife` for the error. rowwise = True, said by the class itself: every
    number is of one walker alone; a device is then asked once for several blocks, one after the
    other. shown: which components the report prints, all
    of them unless given; of more than 4 it prints the largest. grid: name -> numbers that say where
    the components lie (edges of bins, wave vectors), written to the run file beside them. made_for:
    the system that its numbers hold for, where it says so; the walkers of another are refused.
    """

    name: str
    labels: Sequence[str]
    units: str | Sequence[str] = ""
    shown: Sequence[int] | None = None
    grid: Mapping[str, np.ndarray] = MappingProxyType({})
    made_for: Any = None

    def __init__(self) -> None:
        """A subclass may take the system, and whatever else it needs."""

    def __repr__(self) -> str:
        units = f", {self.units}" if self.units else ""
        return f"<observable {self.name}: {len(self.labels)} components{units}>"

    def measure(self, walkers: Walkers, psi: Psi) -> Array:
        """(W, K)."""
        ...

    def derived(self, mean: dict, square: dict) -> dict:
        """label -> (value, error); nothing unless given."""
        return {}


def unit_of(units: str, component: int, count: int) -> str:
    """Units of one of `count` components, where `units` names one for all or, with commas, each."""
    parts = units.split(", ")
    return parts[component] if len(parts) == count else units


def units_in(units: str, system: Any) -> str:
    """Units of an observable where `d` is the number of dimensions and lengths have a name."""
    power = f"^{system.dimensions}" if system.dimensions > 1 else ""
    return re.sub(r"\blength\b", system.length_units, units.replace("^d", power))


def refuse_unfit(observables: Iterable[Any]) -> None:
    """Raise ValueError unless all of them are Observables with names and labels of their own."""
    names = []
    for found in observables:
        if not isinstance(found, Observable):
            raise ValueError(
                f"observable {type(found).__name__}: expected a subclass of "
                "vmcnet.observables.Observable with name, labels and measure(walkers, psi), an "
                f"object such as vmcnet.observables.Density(system), got {shown(found)}"
            )
        if not isinstance(found.name, str) or not found.name.replace("-", "_").isidentifier():
            raise ValueError(
                f"observable {type(found).__name__}: its name {found.name!r} is no word: use "
                "letters, digits, _ and -"
            )
        if found.name == "energy":
            raise ValueError(f"observable {type(found).__name__}: its name is that of the energy")
        labels = found.labels
        listed = not isinstance(labels, str) and np.iterable(labels)
        if not listed or not all(map(_text, labels)) or len(set(labels)) < len(labels):
            raise ValueError(
                f"observable {found.name}: labels must be a list of different texts, one a "
                f"component; found {labels!r:.60}"
            )
        units = found.units
        each = () if isinstance(units, str) or not np.iterable(units) else tuple(units)
        if not isinstance(units, str) and not (
            len(each) == len(labels) and all(isinstance(u, str) for u in each)
        ):
            raise ValueError(
                f"observable {found.name}: units must be one text, or one a component, "
                f"{len(labels)}; found {units!r:.60}"
            )
        shown_ones = () if found.shown is None else found.shown
        if isinstance(shown_ones, str) or not set(shown_ones) <= set(range(len(labels))):
            raise ValueError(
                f"observable {found.name}: shown must be numbers of components, 0 to "
                f"{len(labels) - 1}; found {found.shown!r:.60}"
            )
        grid = found.grid if isinstance(found.grid, Mapping) else {"": None}
        for name, values in grid.items():
            if not _text(name) or "/" in name or np.asarray(values).dtype.kind not in "fiub":
                raise ValueError(
                    f"observable {found.name}: grid must be arrays of numbers by name; found "
                    f"{found.grid!r:.60}"
                )
        names.append(found.name)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"observables: {twice[0]} occurs twice: give one another name")


def refuse_others(observables: Iterable[Observable], system: Any) -> None:
    """Raise ValueError where one of them was made for another system than this."""
    for found in observables:
        made = getattr(found, "made_for", None)  # a user's class may have no such base
        if made is not None and made is not system and _traits(made) != _traits(system):
            raise ValueError(
                f"observable {found.name}: made for {made.describe()}; the walkers are those of "
                f"{system.describe()}: make it with that system"
            )


def _traits(system: Any) -> tuple:
    """What numbers of an observable depend on."""
    spins = np.asarray(system.spins).tolist()
    return system.describe(), spins, system.box, system.temperature, [*system.terms]


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value)


def checked_derived(observable: Observable, found: Any) -> dict:
    """What derived gave: label -> (value, error), numbers, NaN where unknown; raises ValueError."""
    try:
        pairs = {label: tuple(map(float, pair)) for label, pair in found.items()}
    except (AttributeError, TypeError, ValueError):
        pairs = {"": ()}
    if not all(_text(label) and len(pair) == 2 for label, pair in pairs.items()):
        raise ValueError(
            f"observable {observable.name}: derived returned {shown(found)}; expected a dictionary "
            "of labels and (value, error)"
        )
    return {k: tuple(x if np.isfinite(x) else np.nan for x in pair) for k, pair in pairs.items()}


def joined(defaults: Iterable[Observable], further: Any) -> list[Observable]:
    """The defaults of a system and what a user asks for: one of the same name takes its place.
    Raises ValueError for what are no observables.
    """
    if isinstance(further, Observable | str) or not np.iterable(further):
        raise ValueError(f"observables must be a list of observables, got {shown(further)}")
    further = list(further)
    refuse_unfit(further)
    names = {found.name for found in further}
    return [found for found in defaults if found.name not in names] + further
