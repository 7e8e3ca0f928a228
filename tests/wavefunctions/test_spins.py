"""Spin Jastrow factor and spin network: formulas, derivatives, symmetry, local energies, products
with a machine.
"""

import numpy as np
import pytest

from tests.spins import amplitudes, dense, made, sector, states, walkers_of
from vmcnet.backend.stream import Stream
from vmcnet.estimators.energy import local_energies
from vmcnet.systems import Heisenberg, QuantumDot, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM, SpinJastrow, SpinNetwork

SYSTEMS = [made(TransverseIsing, [6], field=0.7), made(Heisenberg, [6], second=0.5)]
CHAIN = TransverseIsing([6])
CASES = {
    "jastrow": lambda s: SpinJastrow(s, spread=0.3),
    "jastrow symmetric": lambda s: SpinJastrow(s, symmetric=True, spread=0.3),
    "network": lambda s: SpinNetwork(s, [5, 5], skip=True, spread=0.4),
    "network complex": lambda s: SpinNetwork(s, [5], "logcosh", weights="complex", spread=0.4),
    "network symmetric": lambda s: SpinNetwork(s, [4], symmetric=True, spread=0.4),
    "product": lambda s: (
        BinaryRBM(s, spread=0.3)
        * SpinJastrow(s, spread=0.2)
        * SpinNetwork(s, [3], weights="complex", spread=0.4)
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("system", SYSTEMS, ids=["ising", "heisenberg"])
def test_local_energies(name, system):
    psi = CASES[name](system)
    theta, s = psi.start(Stream(1, 0, 0, 0)), sector(system)
    amplitude = amplitudes(psi, theta, s)
    local = local_energies(
        system.terms, psi.bind(theta).renew(walkers_of(s)), psi.bind(theta)
    ).total
    np.testing.assert_allclose(
        local, dense(system, s) @ amplitude / amplitude, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("name", CASES)
def test_log_derivatives(name):
    psi, s = CASES[name](CHAIN), states(6)[::5]
    theta, step = psi.start(Stream(2, 0, 0, 0)), 1e-5
    o = psi.bind(theta).log_derivatives(walkers_of(s))
    for k in range(0, psi.layout.size, 4):
        e = step * np.eye(psi.layout.size)[k]
        difference = (
            psi.bind(theta + e).log(walkers_of(s).r, s)
            - psi.bind(theta - e).log(walkers_of(s).r, s)
        ) / (2 * step)
        np.testing.assert_allclose(o[:, k], difference, atol=1e-8)


@pytest.mark.parametrize("name", ["jastrow symmetric", "network symmetric"])
@pytest.mark.parametrize("extent", [[6], [3, 4]])
def test_symmetric(name, extent):
    system = TransverseIsing(extent)
    psi = CASES[name](system)
    theta, s = psi.start(Stream(1, 0, 0, 0)), system.start(Stream(2, 0, 0, 0), 20).s
    log = psi.bind(theta).log(walkers_of(s).r, s)
    for g in system.lattice.translations:
        np.testing.assert_allclose(
            psi.bind(theta).log(walkers_of(s).r, s[:, g]), log, rtol=1e-12, atol=1e-14
        )


def test_jastrow_formula():
    psi, s = SpinJastrow(CHAIN, spread=0.3), states(6)
    theta = psi.start(Stream(1, 0, 0, 0))
    j = np.zeros((6, 6))
    j[np.triu_indices(6, 1)] = psi.layout.values(theta)["coupling"]
    np.testing.assert_allclose(
        psi.bind(theta).log(walkers_of(s).r, s),
        np.einsum("wi,ij,wj->w", s.astype(float), j, s.astype(float)),
        atol=1e-13,
    )
    symmetric = SpinJastrow(CHAIN, symmetric=True, spread=0.3)
    v = symmetric.layout.values(symmetric.start(Stream(1, 0, 0, 0)))["coupling"]
    assert v.shape == (3,)  # distances 1, 2, 3 of a ring of six
    exact = sum(
        v[d - 1] * sum(s[:, i] * s[:, (i + d) % 6] for i in range(6 if d < 3 else 3)).astype(float)
        for d in (1, 2, 3)
    )
    np.testing.assert_allclose(symmetric.bind(v).log(walkers_of(s).r, s), exact, atol=1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SpinJastrow(QuantumDot(2)), "lattice"),
        (lambda: SpinNetwork(QuantumDot(2)), "lattice"),
        (lambda: SpinJastrow(TransverseIsing([5], periodic=False), symmetric=True), "translations"),
        (lambda: SpinNetwork(CHAIN, [4, 5], skip=True), "keeps the width"),
        (lambda: SpinNetwork(CHAIN, []), "at least one"),
        (lambda: SpinNetwork(CHAIN, weights="both"), "'real' or 'complex'"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()
