"""Which orbitals of a set are occupied, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vmcnet.arguments import shown
from vmcnet.wavefunctions.orbitals import Orbitals


def filled(orbitals: Orbitals, count: int, labels: Any, name: str) -> tuple[int, ...]:
    """Indices of the `count` occupied orbitals: those of `labels`, in their order, or the first by
    energy. Raises ValueError where there are too few, labels unknown, repeated or not `count`.
    """
    if labels is None:
        if count > orbitals.size:
            raise ValueError(
                f"Slater: {count} particles of one spin and {orbitals.size} orbitals: give more "
                "orbitals"
            )
        return tuple(range(count))
    if isinstance(labels, str | bytes) or not np.iterable(labels):
        raise ValueError(f"Slater {name} must be a list of labels, got {shown(labels)}")
    wanted = [tuple(label) if isinstance(label, tuple | list) else (label,) for label in labels]
    known = {label: k for k, label in enumerate(orbitals.labels)}
    unknown = [label for label in wanted if label not in known]
    if unknown:
        some = " ".join(_written(label) for label in orbitals.labels[:6])
        raise ValueError(
            f"Slater {name}: no orbital {_written(unknown[0])} in this set of {orbitals.size}; "
            f"expected labels such as {some}"
        )
    if len(set(wanted)) != len(wanted) or len(wanted) != count:
        raise ValueError(
            f"Slater {name} names {len(set(wanted))} different orbitals; the system has {count} "
            "particles of this spin"
        )
    return tuple(known[label] for label in wanted)


MANY = 12  # orbitals that are named one by one


def described(orbitals: Orbitals, occupied: Sequence[int]) -> str:
    """The full shells by number, all other occupied orbitals by label."""
    shells: dict[float, list[int]] = {}
    for k, energy in enumerate(orbitals.energies):
        shells.setdefault(energy, []).append(k)
    full = [shell for shell in shells.values() if set(shell) <= set(occupied)]
    lowest = 0
    while lowest < len(full) and full[lowest] == list(shells.values())[lowest]:
        lowest += 1
    closed = {k for shell in full[:lowest] for k in shell}
    rest = [_written(orbitals.labels[k]) for k in occupied if k not in closed]
    if len(rest) > MANY:
        rest = [f"{len(rest)} orbitals {rest[0]} ... {rest[-1]}"]
    words = [f"{lowest} full shell{'s' * (lowest > 1)}"] if lowest else []
    return " + ".join(words + [" ".join(rest)] * bool(rest)) or "none"


def _written(label: Sequence[int]) -> str:
    return "(" + ",".join(str(n) for n in label) + ")"
