"""Trial wavefunctions."""

from vmcnet.wavefunctions.base import Product, Wavefunction
from vmcnet.wavefunctions.gaussian_envelope import GaussianEnvelope
from vmcnet.wavefunctions.gaussian_rbm import GaussianRBM
from vmcnet.wavefunctions.jastrow import PadeJastrow

__all__ = ["GaussianEnvelope", "GaussianRBM", "PadeJastrow", "Product", "Wavefunction"]
