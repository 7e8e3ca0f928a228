"""What classes of a user's own set and give before a walker moves, checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet.arguments import shown
from vmcnet.backend.stream import Stream
from vmcnet.geometry.box import Box
from vmcnet.observables.base import joined
from vmcnet.sampling.defaults import MOVES

RESERVED = ("theta",)  # what run files call the vector of all parameters


class Misfit(ValueError):
    """Parts that do not fit; `part` is the one to change: system, wavefunction or sampler."""

    def __init__(self, part: str, text: str):
        super().__init__(f"{part}: {text}")
        self.part, self.text = part, text


def checked_parts(system: Any, wavefunction: Any) -> None:
    """Misfit unless the attributes of a system and of a wavefunction, and the walkers that the
    system starts from, are of the kinds that everything else relies on.
    """
    _attributes("system", system, SYSTEM)
    try:
        joined((), system.observables)
    except ValueError as error:
        raise Misfit("system", str(error)) from error
    for factor in factors_of(wavefunction):
        for name in ("particles", "dimensions", "layout"):
            # a class may leave them out
            if getattr(factor, name, None) is None:
                raise Misfit("wavefunction", f"{type(factor).__name__} sets no `{name}`")
        _attributes("wavefunction", factor, WAVEFUNCTION)
    for name in wavefunction.layout.entries:
        if not _word(name) or "," in name or "/" in name or name in RESERVED:
            raise Misfit(
                "wavefunction",
                f"a parameter's name is {name!r}: expected a text without commas and slashes that "
                f"is not {RESERVED[0]!r}",
            )


def factors_of(wavefunction: Any) -> list:
    """The factors of a product, or the wavefunction itself."""
    return getattr(wavefunction, "factors", None) or [wavefunction]  # a user's may have none


def own_class(made: Any) -> bool:
    """Whether an object is of a class of a user's own."""
    return made is not None and type(made).__module__.split(".")[0] != "vmcnet"


def checked_start(system: Any) -> None:
    """Misfit unless start(stream, walkers) of a system gives walkers of its sizes."""
    found = system.start(Stream(0, 0, 0, 0), 2)
    n, d = system.particles, system.dimensions
    # start of a user's class may return anything
    shapes = [np.shape(getattr(found, name, None)) for name in ("r", "s")]
    # and dtypes
    kinds = [getattr(getattr(found, name, None), "dtype", None) for name in ("r", "s")]
    if shapes != [(2, n, d), (2, n)] or kinds[1] != np.int8 or kinds[0] != np.float64:
        given = f"r {shapes[0]} {kinds[0]}, s {shapes[1]} {kinds[1]}"
        raise Misfit(
            "system",
            f"start of {type(system).__name__} gives "
            f"{type(found).__name__ if kinds == [None, None] else given}; expected Walkers with r "
            f"{(2, n, d)} float64 and s {(2, n)} int8 of 2 walkers",
        )
    if not np.isfinite(found.r).all():
        raise Misfit("system", f"start of {type(system).__name__} gives coordinates that are NaN")


def _word(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and bool(value)


def _texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(x, str) for x in value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _number(value: Any) -> bool:
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool) and bool(np.isfinite(value))


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 0


Check = dict[str, tuple[Callable[[Any], bool], str]]
SYSTEM: Check = {
    "particles": (lambda x: _whole(x) and x > 0, "a whole number above 0"),
    "dimensions": (_whole, "a whole number"),
    "length": (_positive, "a number above 0"),
    "energy_unit": (_positive, "a number above 0"),
    "core": (_number, "a number"),
    "units": (lambda x: x == "" or _word(x), "a text"),
    "length_units": (_word, "a text"),
    "moves": (lambda x: isinstance(x, str) and x in MOVES, f"one of {', '.join(MOVES)}"),
    "box": (lambda x: x is None or isinstance(x, Box), "None or a vmcnet.Box"),
    "notes": (_texts, "a tuple of texts"),
}
WAVEFUNCTION: Check = {
    "name": (_word, "a text"),
    "reads": (lambda x: isinstance(x, str) or _texts(x), f"one of {', '.join(MOVES)}"),
    "core": (_number, "a number"),
    "decays": (lambda x: x is None or isinstance(x, bool | np.bool_), "True, False or None"),
}


def _attributes(part: str, made: Any, checks: Check) -> None:
    for name, (fits, expected) in checks.items():
        value = getattr(made, name, None)  # a user's class may leave it out
        if not fits(value):
            raise Misfit(
                part, f"{type(made).__name__}.{name} is {shown(value)}: expected {expected}"
            )
