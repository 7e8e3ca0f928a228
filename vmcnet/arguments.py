"""Checks of the arguments that a user gives: kind, range, and one clear line where they fail.

Every function takes the argument's name (with its owner: "QuantumDot omega"), returns the value as
a plain Python one and raises ValueError. True and False are no numbers, 2.0 is no whole number, NaN
and infinity are refused.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

FAR = 100  # limits from which a message names one side alone
LONGEST = 10**6  # numbers of a list
SMALLEST, LARGEST = 1e-50, 1e50  # physical scales: products of a few of them stay finite


def recorded(init: Callable) -> Callable:
    """An __init__ that keeps in `made_with` what an object was made with, so that a run file can
    name it.
    """

    @functools.wraps(init)
    def kept(self: Any, *arguments: Any, **named: Any) -> None:
        vars(self).setdefault("made_with", (arguments, named))  # a subclass came first
        init(self, *arguments, **named)

    return kept


def called(made: Any) -> str:
    """How an object was made, as a call, on one line: Adam(0.01)."""
    # an object whose class is not Recording has none
    given, named = getattr(made, "made_with", ((), {}))
    words = [shown(x) for x in given] + [f"{k}={shown(x)}" for k, x in named.items()]
    return f"{type(made).__name__}({', '.join(words)})"


class Recording:
    """Classes whose objects tell what they were made with."""

    def __repr__(self) -> str:
        return called(self)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = recorded(cls.__init__)  # type: ignore[method-assign]


def shown(value: Any) -> str:
    """A value for a message: numbers short, anything else cut to 60 characters."""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4300 digits
        return f"a number of {int(value).bit_length()} bits"
    if type(value) is int and len(text) > 24:
        return f"{text[:8]}... ({len(text.lstrip('-'))} digits)"
    return text if len(text) <= 60 else f"{text[:57]}..."


def closest(word: str, known: Iterable[str]) -> str:
    """The known name that a mistyped word most likely meant; "" where none is near."""
    names = [str(name) for name in known]
    parts = [name for name in names if len(word) > 2 and word.lower() in name.lower()]
    near = difflib.get_close_matches(word, parts or names, 1, 0.0 if parts else 0.6)
    return near[0] if near else ""


def closest_hint(word: str, known: Iterable[str]) -> str:
    """What follows a message about a mistyped word; "" where no name is near."""
    near = closest(word, known)
    return f"; did you mean {near!r}?" if near else ""


def _range(least: Any, most: Any, above: Any = None, below: Any = None) -> str:
    if least is not None and most is not None:
        return (
            f"between {least:g} and {most:g}" if isinstance(most, float) else f"{least} to {most}"
        )
    parts = [
        f"{word} {limit:g}" if isinstance(limit, float) else f"{word} {limit}"
        for word, limit in (
            ("at least", least),
            ("above", above),
            ("at most", most),
            ("below", below),
        )
        if limit is not None
    ]
    return " and ".join(parts)


def whole(name: str, value: Any, least: int | None = 0, most: int | None = None) -> int:
    """A whole number in least .. most (None: no limit)."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        found = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {shown(value)}") from None
    if (least is not None and found < least) or (most is not None and found > most):
        far = most is not None and most >= FAR  # a limit of sizes: only the side that is violated
        low = least is not None and found < least
        limits = (least, most) if not far else (least, None) if low else (None, most)
        raise ValueError(f"{name} must be {_range(*limits)}, got {shown(found)}")
    return found


def wholes(
    name: str, values: Any, least: int = 0, most: int | None = None, longest: int = LONGEST
) -> list[int]:
    """A list of at most `longest` whole numbers; a single number is none."""
    if isinstance(values, str | bytes | dict) or not np.iterable(values):
        raise ValueError(f"{name} must be a list of whole numbers, got {shown(values)}")
    values = list(itertools.islice(values, longest + 1))
    if len(values) > longest:
        raise ValueError(f"{name} must be at most {longest} numbers, got more")
    return [whole(f"{name}[{k}]", value, least, most) for k, value in enumerate(values)]


def texts(name: str, values: Any) -> list[str]:
    """A list of texts; a single text is none."""
    listed = not isinstance(values, str | bytes) and np.iterable(values)
    if not listed or not all(isinstance(x, str) for x in values):
        raise ValueError(f"{name} must be a list of texts, got {shown(values)}")
    return list(values)


def number(
    name: str,
    value: Any,
    *,
    least: Any = None,
    most: Any = None,
    above: Any = None,
    below: Any = None,
) -> float:
    """A finite real number within the limits given."""
    real = isinstance(value, int | float | np.integer | np.floating)
    if not real and isinstance(value, np.ndarray) and value.ndim == 0:
        real = value.dtype.kind in "iuf"
    if not real or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = np.inf
    if not np.isfinite(found):
        raise ValueError(f"{name} must be a finite number, got {shown(value)}")
    if (
        (least is not None and found < least)
        or (most is not None and found > most)
        or (above is not None and found <= above)
        or (below is not None and found >= below)
    ):
        raise ValueError(f"{name} must be {_range(least, most, above, below)}, got {shown(value)}")
    return found


def numbers(name: str, values: Any, length: int | None = None, **limits: Any) -> list[float]:
    """A list of real numbers, of a length."""
    if isinstance(values, str | bytes | dict) or not np.iterable(values):
        raise ValueError(f"{name} must be a list of numbers, got {shown(values)}")
    found = [number(f"{name}[{k}]", value, **limits) for k, value in enumerate(values)]
    if length is not None and len(found) != length:
        raise ValueError(f"{name} must be {length} numbers, got {shown(found)}")
    return found


def positive(name: str, value: Any) -> float:
    return number(name, value, above=0)


def scale(name: str, value: Any) -> float:
    """A positive physical quantity, in units in which it is neither tiny nor huge."""
    found = number(name, value, above=0)
    if not SMALLEST <= found <= LARGEST:
        raise ValueError(
            f"{name} must be between {SMALLEST:g} and {LARGEST:g} so that energies are finite "
            f"numbers, got {shown(found)}: choose other units"
        )
    return found


def coupling(name: str, value: Any) -> float:
    """A real physical quantity of either sign."""
    found = number(name, value)
    if abs(found) > LARGEST:
        raise ValueError(
            f"{name} must be at most {LARGEST:g} in size so that energies are finite numbers, got "
            f"{shown(found)}: choose other units"
        )
    return found


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def choice(name: str, value: Any, choices: Any) -> Any:
    """One of `choices`."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        expected = (
            " or ".join(map(repr, choices))
            if len(choices) == 2
            else f"one of {', '.join(map(str, choices))}"
        )
        raise ValueError(f"{name} {shown(value)}: expected {expected}")
    return value
