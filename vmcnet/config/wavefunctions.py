"""[[wavefunction]]: one table a factor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vmcnet.config.table import Positive, Table
from vmcnet.config.user import UserTable
from vmcnet.kernels.activations import NAMES
from vmcnet.wavefunctions.feedforward import MOST_LAYERS, WIDEST

Label = Annotated[list[int], Field(min_length=1, max_length=8)]
Parity = Annotated[
    Literal["even", "odd"] | None,
    Field(description="psi(r) + psi(-r), or their difference, at twice the cost; none when absent"),
]
SpinFlip = Annotated[
    Literal["even", "odd"] | None,
    Field(description="the same of psi with all spins turned over; none when absent"),
]


class GaussianRBMTable(Table):
    """Gaussian-binary restricted Boltzmann machine."""

    builds = "vmcnet.wavefunctions:GaussianRBM"
    type: Literal["gaussian_rbm"]
    hidden: int = Field(ge=1, le=1_000_000, description="hidden units")
    form: Literal["F", "sqrtF"] = Field(description="psi = F or its square root")
    spread: Positive = Field(description="width of the random starting weights")
    symmetric: bool = Field(
        description="weights shared by all pairs of particles, so that exchanges leave it alone"
    )


class GaussianEnvelopeTable(Table):
    """exp(-alpha sum r^2)."""

    builds = "vmcnet.wavefunctions:GaussianEnvelope"
    type: Literal["gaussian_envelope"]
    alpha: Positive | None = Field(description="starting exponent; the oscillator's when absent")


class EllipticalGaussianTable(Table):
    """exp(-alpha sum (x^2 + y^2 + beta z^2))."""

    builds = "vmcnet.wavefunctions:EllipticalGaussian"
    type: Literal["elliptical_gaussian"]
    alpha: Positive | None = Field(description="starting exponent; the ideal gas's when absent")
    beta: Positive | None = Field(
        description=(
            "starting ratio of the exponents along z and across; the ideal gas's when absent"
        ),
    )


class HardCoreJastrowTable(Table):
    """prod (1 - diameter/r) over pairs, zero inside the hard core."""

    builds = "vmcnet.wavefunctions:HardCoreJastrow"
    type: Literal["hard_core_jastrow"]


class PadeJastrowTable(Table):
    """exp sum c r/(1 + beta r) over pairs, with the electron-electron cusp."""

    builds = "vmcnet.wavefunctions:PadeJastrow"
    type: Literal["pade_jastrow"]
    beta: Positive | None = Field(
        description="starting beta; when absent 1/2 over the length of a quantum dot, that of the "
        "density in the electron gas, otherwise 1",
    )


class ResonantJastrowTable(Table):
    """tanh(2 r/r_e) (1/r^2 + 1/healing^2)^(1/2) over pairs of opposite spin of a unitary gas."""

    builds = "vmcnet.wavefunctions:ResonantJastrow"
    type: Literal["resonant_jastrow"]
    healing: Positive = Field(description="starting distance from which it is constant, 1/k_F")


class FeedForwardTable(Table):
    """Feed-forward network, exp(network): a factor beside an envelope."""

    builds = "vmcnet.wavefunctions:FeedForward"
    type: Literal["feed_forward"]
    layers: list[Annotated[int, Field(ge=1, le=WIDEST)]] = Field(
        min_length=1, max_length=MOST_LAYERS, description="units of the layers, [16, 16] for two"
    )
    activation: Literal[NAMES] = Field(description="nonlinear function")
    skip: bool = Field(
        description="skip connections: a layer that keeps the width adds to its input"
    )
    symmetric: bool = Field(
        description="one network for every particle, pooled: symmetric under permutations"
    )
    pairs: bool = Field(description="pair features as well")
    head: list[Annotated[int, Field(ge=1, le=WIDEST)]] = Field(
        max_length=MOST_LAYERS, description="layers after the pooling, with symmetric = true"
    )
    spread: Positive = Field(description="width of the last layer's random starting weights")


class MessagePassingTable(Table):
    """A network over particles and pairs whose hidden states others read."""

    builds = "vmcnet.wavefunctions:MessagePassing"
    type: Literal["message_passing"]
    width: int = Field(ge=1, le=4096, description="numbers of a hidden state")
    passes: int = Field(ge=1, le=100, description="sums of messages over pairs")
    activation: Literal[NAMES] = Field(description="nonlinear function")
    edges: Literal["filter", "full", "attention"] = Field(
        description="weights of messages: of the pair alone, of the hidden states too, or both "
        "through attention; the last two need 2 passes in a box",
    )
    spread: float = Field(
        ge=0, description="width of the random starting weights of what reads the network"
    )
    range: Positive | None = Field(
        description="in a box: messages fall off with the distance over this, in units of the "
        "system's length, so that a network starts larger boxes; no limit when absent",
    )


class SlaterTable(Table):
    """Slater determinants of the system's orbitals, of the particles or of what a network makes of
    them.
    """

    builds = "vmcnet.wavefunctions:Slater"
    type: Literal["slater"]
    determinants: int = Field(
        ge=1, le=10_000, description="determinants; more than 1 need mixing or the head orbitals"
    )
    occupied_up: list[Label] | None = Field(
        description="quantum numbers of the occupied orbitals of spin up; the lowest when absent",
    )
    occupied_down: list[Label] | None = Field(description="the same of spin down")
    mixing: int = Field(
        ge=0, le=100, description="empty shells that are mixed into the occupied orbitals"
    )
    network: MessagePassingTable | None = Field(
        description="network that the heads read; none when absent"
    )
    heads: (
        list[Literal["backflow", "complex_backflow", "virtual_backflow", "orbitals", "jastrow"]]
        | None
    ) = Field(
        min_length=1,
        description="what the network does: moves the coordinates that orbitals read, with a twist "
        "into the complex plane too, those of excited pairs farther, multiplies orbitals, adds a "
        "symmetric factor; backflow and jastrow when absent",
    )
    excitations: int = Field(
        ge=0,
        le=20,
        description="empty shells that pairs are excited into, one coefficient a class of symmetry",
    )
    parity: Parity
    spin_flip: SpinFlip


class PfaffianTable(Table):
    """A Pfaffian of the system's orbitals: fermions in pairs, starting at the determinants."""

    builds = "vmcnet.wavefunctions:Pfaffian"
    type: Literal["pfaffian"]
    shells: int = Field(ge=0, le=100, description="empty shells that pairs may occupy")
    triplet: bool | None = Field(
        description="a triplet part of the pairs, made by the network; where there is one, when "
        "absent"
    )
    network: MessagePassingTable | None = Field(
        description="network that the heads read; none when absent"
    )
    heads: list[Literal["backflow", "orbitals", "jastrow"]] | None = Field(
        min_length=1, description="as in slater; backflow and jastrow when absent"
    )
    parity: Parity
    spin_flip: SpinFlip


class HiddenFermionsTable(Table):
    """A determinant of the particles and of hidden ones, whose rows are functions of all."""

    builds = "vmcnet.wavefunctions:HiddenFermions"
    type: Literal["hidden_fermions"]
    hidden: int = Field(ge=1, le=1000, description="number of hidden fermions")
    shells: int = Field(ge=0, le=100, description="empty shells that hidden orbitals are made of")
    network: MessagePassingTable | None = Field(
        description="network that everything reads; its defaults when absent"
    )
    heads: list[Literal["backflow", "jastrow"]] | None = Field(
        min_length=1, description="as in slater; both when absent"
    )
    parity: Parity
    spin_flip: SpinFlip


class SShellTable(Table):
    """Up to four nucleons with different labels in one s shell of relative motion."""

    builds = "vmcnet.wavefunctions:SShell"
    type: Literal["s_shell"]
    kappa: Positive | None = Field(
        description="starting decay of a pair, 1/fm; that of 2H over the other particles when "
        "absent"
    )
    core: Positive | None = Field(
        description="starting distance below which a pair is smooth, fm; the length of the system "
        "when absent"
    )


class NetworkJastrowTable(Table):
    """exp sum h_i.j of a message-passing network: a symmetric factor."""

    builds = "vmcnet.wavefunctions:NetworkJastrow"
    type: Literal["network_jastrow"]
    network: MessagePassingTable = Field(
        MessagePassingTable(type="message_passing"), description="the network"
    )


class BinaryRBMTable(Table):
    """Binary-binary restricted Boltzmann machine on spins."""

    builds = "vmcnet.wavefunctions:BinaryRBM"
    type: Literal["binary_rbm"]
    alpha: Positive = Field(
        description="hidden units a visible one; with symmetric = true the number of filters"
    )
    weights: Literal["real", "complex"] = Field(description="real or complex parameters")
    symmetric: bool = Field(description="translation-symmetric: filters shared by all sites")
    point_group: bool = Field(
        description="with symmetric = true: under reflections and rotations of the lattice as well",
    )
    units: Literal["spin", "binary"] = Field(description="units +1 / -1, or 1 / 0")
    spread: Positive = Field(description="width of the random starting parameters")


class SpinJastrowTable(Table):
    """exp sum J_ij s_i s_j over pairs of spins."""

    builds = "vmcnet.wavefunctions:SpinJastrow"
    type: Literal["spin_jastrow"]
    symmetric: bool = Field(description="one number for every class of pairs under translations")
    spread: Positive = Field(description="width of the random starting parameters")


class SpinNetworkTable(Table):
    """Feed-forward network of the spins."""

    builds = "vmcnet.wavefunctions:SpinNetwork"
    type: Literal["spin_network"]
    layers: list[Annotated[int, Field(ge=1, le=WIDEST)]] = Field(
        min_length=1, max_length=MOST_LAYERS, description="units of the layers"
    )
    activation: Literal[NAMES] = Field(description="nonlinear function")
    skip: bool = Field(
        description="skip connections: a layer that keeps the width adds to its input"
    )
    weights: Literal["real", "complex"] = Field(
        description="logarithm alone, or logarithm and phase"
    )
    symmetric: bool = Field(description="summed over all translations")
    spread: Positive = Field(description="width of the last layer's random starting weights")


class BoltzmannTable(Table):
    """exp(-E/2T) of a classical model: |psi|^2 is its Boltzmann distribution; no parameters."""

    builds = "vmcnet.wavefunctions:Boltzmann"
    type: Literal["boltzmann"]


WavefunctionTable = Annotated[
    GaussianRBMTable
    | GaussianEnvelopeTable
    | EllipticalGaussianTable
    | FeedForwardTable
    | PadeJastrowTable
    | SlaterTable
    | PfaffianTable
    | HiddenFermionsTable
    | SShellTable
    | NetworkJastrowTable
    | HardCoreJastrowTable
    | ResonantJastrowTable
    | BinaryRBMTable
    | SpinJastrowTable
    | SpinNetworkTable
    | BoltzmannTable
    | UserTable,
    Field(discriminator="type"),
]
