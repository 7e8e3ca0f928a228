"""Trial wavefunctions."""

from vmcnet.wavefunctions.base import Product, Wavefunction
from vmcnet.wavefunctions.binary_rbm import BinaryRBM
from vmcnet.wavefunctions.boltzmann import Boltzmann
from vmcnet.wavefunctions.elliptical_gaussian import EllipticalGaussian
from vmcnet.wavefunctions.feedforward import FeedForward
from vmcnet.wavefunctions.gaussian_envelope import GaussianEnvelope
from vmcnet.wavefunctions.gaussian_rbm import GaussianRBM
from vmcnet.wavefunctions.hidden_fermions import HiddenFermions
from vmcnet.wavefunctions.jastrow import HardCoreJastrow, PadeJastrow
from vmcnet.wavefunctions.message_passing import MessagePassing
from vmcnet.wavefunctions.network_jastrow import NetworkJastrow
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals, Orbitals, UserOrbitals
from vmcnet.wavefunctions.pfaffian import Pfaffian
from vmcnet.wavefunctions.plane_waves import LatticeOrbitals, PlaneWaves
from vmcnet.wavefunctions.resonant_jastrow import ResonantJastrow
from vmcnet.wavefunctions.s_shell import SShell
from vmcnet.wavefunctions.slater import Slater
from vmcnet.wavefunctions.spin_jastrow import SpinJastrow
from vmcnet.wavefunctions.spin_network import SpinNetwork

__all__ = [
    "BinaryRBM",
    "Boltzmann",
    "EllipticalGaussian",
    "FeedForward",
    "GaussianEnvelope",
    "GaussianRBM",
    "HardCoreJastrow",
    "HarmonicOrbitals",
    "HiddenFermions",
    "LatticeOrbitals",
    "MessagePassing",
    "NetworkJastrow",
    "Orbitals",
    "PadeJastrow",
    "Pfaffian",
    "PlaneWaves",
    "Product",
    "ResonantJastrow",
    "SShell",
    "Slater",
    "SpinJastrow",
    "SpinNetwork",
    "UserOrbitals",
    "Wavefunction",
]
