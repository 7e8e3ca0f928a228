"""Parameters: one real float64 vector theta (P,) with named views."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np

from vmcnet.arguments import shown


class Map(Protocol):
    """From the numbers t in theta to the values p of a parameter, element by element."""

    name: str

    def forward(self, t: np.ndarray) -> np.ndarray:
        """p."""
        ...

    def slope(self, t: np.ndarray) -> np.ndarray:
        """dp/dt."""
        ...

    def inverse(self, p: Any) -> np.ndarray:
        """t; raises ValueError where p has none."""
        ...


class Identity:
    """p = t."""

    name = "identity"

    def forward(self, t: np.ndarray) -> np.ndarray:
        return t

    def slope(self, t: np.ndarray) -> np.ndarray:
        return np.ones_like(t)

    def inverse(self, p: Any) -> np.ndarray:
        return np.asarray(p, dtype=np.float64)


class Positive:
    """p = exp(t), so that p > 0 for every real t; dp/dt = p."""

    name = "positive"

    def forward(self, t: np.ndarray) -> np.ndarray:
        return np.exp(t)

    def slope(self, t: np.ndarray) -> np.ndarray:
        return np.exp(t)

    def inverse(self, p: Any) -> np.ndarray:
        p = np.asarray(p, dtype=np.float64)
        if not np.all(p > 0):
            raise ValueError(
                f"a positive parameter was given the value {p.min()}; expected a value above 0"
            )
        return np.log(p)


IDENTITY, POSITIVE = Identity(), Positive()


@dataclass(frozen=True)
class Entry:
    """One named array of parameters: its shape, its place in theta, the map from theta to its
    values, and the unit that the system gives them.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int
    map: Map
    unit: float = 1.0

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


class Layout:
    """Names -> slices of theta, in the order of declaration.

    Values seen by a wavefunction are p = map(t), with t the numbers kept in theta. unit: what p is
    natural in, as the system's length for a width: another system starts from p/unit of this one
    times its own.
    """

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.size = 0

    def __repr__(self) -> str:
        return f"<Layout of {self.size} numbers: {', '.join(self.entries) or 'none'}>"

    def add(
        self,
        name: str,
        shape: tuple[int, ...] = (),
        map: Map = IDENTITY,
        unit: float = 1.0,
    ) -> Layout:
        """Append an array of parameters; raises ValueError on a name that is taken."""
        if name in self.entries:
            raise ValueError(f"parameter {name!r} is declared twice in one wavefunction")
        stop = self.size + prod(shape)
        self.entries[name] = Entry(name, tuple(shape), self.size, stop, map, float(unit))
        self.size = stop
        return self

    def prefixed(self, prefix: str, other: Layout) -> None:
        """Append all entries of `other` under `prefix.name`."""
        for e in other.entries.values():
            self.add(f"{prefix}.{e.name}", e.shape, e.map, e.unit)

    def pack(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """theta (P,) whose mapped views equal `values`; every name must be given, with its
        shape.
        """
        if set(values) != set(self.entries):
            raise ValueError(
                f"parameters given {sorted(values)}; this wavefunction has {sorted(self.entries)}"
            )
        theta = np.empty(self.size)
        for e in self.entries.values():
            given = values[e.name]
            try:
                value = np.asarray(given)
            except ValueError:  # lists of different lengths
                value = np.empty(0, object)
            if value.dtype.kind not in "fiub" or not np.isfinite(value).all():
                raise ValueError(
                    f"parameter {e.name!r} is {shown(given)}; expected finite real numbers"
                )
            if value.shape != e.shape:
                raise ValueError(
                    f"parameter {e.name!r} has shape {value.shape}; expected {e.shape}"
                )
            try:
                theta[e.slice] = e.map.inverse(value).ravel()
            except ValueError as error:
                raise ValueError(f"parameter {e.name!r}: {error}") from error
        return theta

    def raw(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """name -> view of theta, shaped, without the map."""
        return {n: theta[e.slice].reshape(e.shape) for n, e in self.entries.items()}

    def values(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """name -> p = map(t), shaped; float64 on the host."""
        return {n: e.map.forward(theta[e.slice]).reshape(e.shape) for n, e in self.entries.items()}

    @property
    def units(self) -> dict[str, float]:
        """name -> unit."""
        return {n: e.unit for n, e in self.entries.items()}


def digest(theta: np.ndarray) -> int:
    """A 64-bit hash of the bytes of theta, to compare ranks."""
    return int.from_bytes(
        hashlib.sha256(np.ascontiguousarray(theta).tobytes()).digest()[:8], "little", signed=True
    )
