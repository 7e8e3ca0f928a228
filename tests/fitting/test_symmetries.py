"""What `fit` asks of psi: signs of fermions whose labels H exchanges, the boundary of a box."""

import numpy as np
import pytest

from vmcnet.engine.fitting import Misfit, fit
from vmcnet.parameters import Layout
from vmcnet.systems import ElectronGas, NeutronMatter, Nucleus, UnitaryGas
from vmcnet.wavefunctions import (
    GaussianEnvelope,
    HiddenFermions,
    MessagePassing,
    NetworkJastrow,
    Pfaffian,
    ResonantJastrow,
    Slater,
    SShell,
    Wavefunction,
)

NET = MessagePassing(width=3, passes=1)


def test_labels_that_h_exchanges_want_a_sign():
    """Two neutrons up and down, four nucleons: no two spins are equal, and still a symmetric psi
    would turn singlets into triplets.
    """
    pair = NeutronMatter(2)
    for psi in (NetworkJastrow(pair, NET), Slater(pair) * Slater(pair)):
        with pytest.raises(Misfit, match=r"2 fermions of which H exchanges labels need.*slater"):
            fit(pair, psi)
    fit(pair, Slater(pair, network=NET))
    helium = Nucleus(2, 2)
    with pytest.raises(Misfit, match=r"4 fermions of which H exchanges.*s_shell"):
        fit(helium, GaussianEnvelope(helium) * NetworkJastrow(helium, NET))
    fit(helium, SShell(helium) * NetworkJastrow(helium, NET))
    free = UnitaryGas(2)  # no term of it exchanges labels
    fit(free, ResonantJastrow(free) * NetworkJastrow(free, NET))


class Cosine(Wavefunction):
    """psi = exp(a sum_i cos(q k.r_i)) with k the first wave vector: periodic for whole q. With
    `turned` times exp(i sum_i theta.r_i/L).
    """

    name, decays = "cosine", True

    def __init__(self, system, q=1.0, turned=False):
        self.place(system)
        self.box, self.twisted = system.box, True
        self._waves = q * 2.0 * np.pi / self.box.lengths[0] * np.eye(system.dimensions)[:, :1]
        self._turn = turned * (self.box.twist / self.box.lengths)[:, None]
        self.layout = Layout().add("a", ())

    def initial(self, stream):
        return {"a": 0.0}

    def log_psi(self, ops, theta, walkers):
        log = ops.total(ops.cos(ops.affine(walkers.r, ops.fixed(self._waves)))) * theta["a"]
        if not self._turn.any():
            return None, log
        return None, ops.complex(log, ops.total(ops.affine(walkers.r, ops.fixed(self._turn))))


def test_psi_follows_the_boundary_of_its_box():
    """Looked at beside the starting parameters, at which a factor may hide."""
    gas = ElectronGas(2)
    fit(gas, Cosine(gas, 2.0) * Slater(gas))
    with pytest.raises(Misfit, match=r"crosses the box along axis 0.*the boundary wants 1"):
        fit(gas, Cosine(gas, 0.5) * Slater(gas))
    twisted = ElectronGas(2, twist=[0.0, 0.25, 0.0])
    fit(twisted, Cosine(twisted, turned=True))
    with pytest.raises(Misfit, match=r"axis 1, and the boundary wants 6.12e-17\+1j"):
        fit(twisted, Cosine(twisted))


def test_what_follows_a_twist_and_what_is_refused():
    half, other = (ElectronGas(n, twist=t) for n, t in ((16, [0.5] * 3), (2, [0.1, 0.2, 0.3])))
    fit(half, Slater(half, network=NET, parity="even"))
    fit(half, Pfaffian(half, network=NET, triplet=False))
    fit(other, Slater(other, network=NET, heads=["backflow", "complex_backflow", "orbitals"]))
    for make, words in (
        (lambda: Slater(other, parity="even"), "Slater parity: .* opposite twist"),
        (lambda: Pfaffian(half, network=NET), "triplet = false"),
        (lambda: HiddenFermions(half, network=NET), "follow no twist"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
