"""Samplers of |psi|^2."""

from vmcnet.sampling.alternating import Alternating, LabelExchange
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.langevin import Langevin
from vmcnet.sampling.metropolis import Metropolis
from vmcnet.sampling.one_particle import OneParticle
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip

__all__ = [
    "Alternating",
    "Exchange",
    "Gaussian",
    "LabelExchange",
    "Langevin",
    "Metropolis",
    "OneParticle",
    "SpinFlip",
]
