"""What a run file tells of system and wavefunction, so that reading needs no class of a user."""

from __future__ import annotations

import json

import numpy as np

from vmcnet.config import parse_job
from vmcnet.config.user import user_tables
from vmcnet.engine.fitting import notes_of
from vmcnet.runs.building import build
from vmcnet.systems.base import System, known_energy
from vmcnet.wavefunctions.base import Wavefunction


def telling(system, wavefunction) -> str:
    """The attribute `about` of a run file, JSON."""
    return json.dumps(
        {
            "units": system.units,
            "length_units": system.length_units,
            "per_particle": system.per_particle,
            "particles": _plain(system.particles),
            "dimensions": _plain(system.dimensions),
            "moves": system.moves,
            "length": _plain(system.length),
            "plasmon": _plain(system.plasmon),
            "terms": list(system.terms),
            "reference": known_energy(system, wavefunction),
            "notes": notes_of(system, wavefunction),
            "system": system.describe(),
            "wavefunction": wavefunction.describe(),
            "parameters": int(wavefunction.layout.size),
        },
        default=float,
    )


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


class ToldSystem(System):
    """A System as far as a run file tells of it."""

    def __init__(self, about: dict):
        self._about = about
        self.units, self.per_particle = about["units"], about["per_particle"]
        self.particles, self.dimensions = about["particles"], about["dimensions"]
        self.length, self.terms = about["length"], dict.fromkeys(about["terms"])
        self.plasmon = about.get("plasmon")
        self.length_units = about.get("length_units", "length")
        self.notes = tuple(about.get("notes", ()))

    @property
    def moves(self) -> str:
        return self._about["moves"]

    def reference_of(self, wavefunction):
        found = self._about["reference"]
        return None if found is None else tuple(found)

    def describe(self) -> str:
        return self._about["system"]


class _Size:
    def __init__(self, size: int):
        self.size = size


class ToldWavefunction(Wavefunction):
    """A Wavefunction as far as a run file tells of it."""

    def __init__(self, about: dict):
        self._about = about
        self.layout = _Size(about["parameters"])

    def describe(self) -> str:
        return self._about["wavefunction"]


def told(file) -> tuple:
    """system and wavefunction of a RunFile for reports: built from the job, or, where that names
    classes of a user, which reading does not import, as the file tells of them.
    """
    job = parse_job(file.attributes["job"], (), str(file.path))
    if not user_tables(job):
        return build(job)[:2]
    about = json.loads(file.attributes["about"])
    return ToldSystem(about), ToldWavefunction(about)
