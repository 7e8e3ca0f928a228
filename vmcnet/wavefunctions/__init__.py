"""Trial wavefunctions."""

from vmcnet.wavefunctions.base import Product, Wavefunction
from vmcnet.wavefunctions.binary_rbm import BinaryRBM
from vmcnet.wavefunctions.feedforward import FeedForward
from vmcnet.wavefunctions.gaussian_envelope import GaussianEnvelope
from vmcnet.wavefunctions.gaussian_rbm import GaussianRBM
from vmcnet.wavefunctions.jastrow import PadeJastrow
from vmcnet.wavefunctions.spins import SpinJastrow, SpinNetwork

__all__ = ["BinaryRBM", "FeedForward", "GaussianEnvelope", "GaussianRBM", "PadeJastrow", "Product", "SpinJastrow", "SpinNetwork", "Wavefunction"]
