"""Samplers by name, and the usual one of a system."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SAMPLERS = {
    "gaussian": "vmcnet.sampling.gaussian:Gaussian",
    "one_particle": "vmcnet.sampling.one_particle:OneParticle",
    "langevin": "vmcnet.sampling.langevin:Langevin",
    "alternating": "vmcnet.sampling.alternating:Alternating",
    "spin_flip": "vmcnet.sampling.spin_metropolis:SpinFlip",
    "exchange": "vmcnet.sampling.spin_metropolis:Exchange",
    "gibbs": "vmcnet.sampling.gibbs:Gibbs",
    "thermal": "vmcnet.sampling.thermal:Thermal",
}
MOVES = {  # what may move in a system -> the samplers that move it
    "coordinates": ("gaussian", "one_particle", "langevin", "alternating"),
    "spins": ("spin_flip", "exchange", "gibbs", "thermal"),
    "colours": ("thermal",),
}


def usual(system: Any, wavefunction: Any) -> str:
    """The proposal of a system: gaussian for coordinates; for spins exchange in a sector of fixed
    magnetisation, thermal for the Boltzmann factor of a classical model, otherwise spin_flip.
    """
    if system.moves == "coordinates":
        return "gaussian"
    if wavefunction.thermal or system.moves == "colours":
        return "thermal"
    return "spin_flip" if system.magnetisation is None else "exchange"


def sampler(name: str, system: Any, **options: Any) -> Any:
    """The sampler `name` for a system; options: scan, acceptance of proposals that move spins."""
    module, title = SAMPLERS[name].split(":")
    # the class that SAMPLERS names
    made = getattr(import_module(module), title)
    return made() if name in MOVES["coordinates"] else made(system, **options)


def default_sampler(system: Any, wavefunction: Any) -> Any:
    return sampler(usual(system, wavefunction), system)
