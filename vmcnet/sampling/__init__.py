"""Samplers of |psi|^2."""

from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.langevin import Langevin
from vmcnet.sampling.metropolis import Metropolis
from vmcnet.sampling.one_particle import OneParticle

__all__ = ["Gaussian", "Langevin", "Metropolis", "OneParticle"]
