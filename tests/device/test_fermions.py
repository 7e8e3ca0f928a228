"""Determinants moved by a message-passing network on a device: the numbers of the host."""

import sys

import numpy as np
import pytest

from tests.device import fakecupy
from vmcnet.backend.arrays import namespace, to_host
from vmcnet.backend.stream import Stream
from vmcnet.geometry.box import Box
from vmcnet.systems import ElectronGas, NeutronMatter, Nucleus, Particles, QuantumDot
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import MessagePassing, NetworkJastrow, PadeJastrow, Slater, SShell

STANDIN = sys.modules["fakecupy"]
DOT = QuantumDot(5)
GAS = Particles(
    4, 3, {"none": lambda r: 0 * r[:, 0, 0]}, spins=[1, 1, -1, -1], box=Box([2, 2.5, 3])
)
TURNED = ElectronGas(4, 2.0, 2, twist=[0.1, 0.23])
CASES = {
    "filter": (DOT, lambda s: Slater(s, network=MessagePassing(5)) * PadeJastrow(s)),
    "full": (DOT, lambda s: Slater(s, network=MessagePassing(4, edges="full"))),
    "attention": (DOT, lambda s: Slater(s, network=MessagePassing(4, edges="attention"))),
    "box": (GAS, lambda s: NetworkJastrow(s, MessagePassing(5, 3, "silu", spread=0.5))),
    "range": (GAS, lambda s: NetworkJastrow(s, MessagePassing(5, 2, spread=0.5, range=0.8))),
    "twist": (
        TURNED,
        lambda s: Slater(
            s,
            network=MessagePassing(4, 1, spread=0.2),
            excitations=5,
            heads=["backflow", "complex_backflow", "virtual_backflow"],
        ),
    ),
}


@pytest.fixture(params=["stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    return STANDIN if request.param == "stand-in" else pytest.importorskip("cupy")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_every_reading(xp, name, dtype):
    system, made = CASES[name]
    psi = made(system)
    theta = psi.start(Stream(3, 0, 0, 0))
    walkers = system.start(Stream(4, 0, 0, 0), 6)

    def readings(space):
        w = Walkers(space.asarray(walkers.r.astype(dtype)), space.asarray(walkers.s))
        bound = psi.bind(theta)
        weights = space.asarray(np.linspace(-1, 1, 6).astype(dtype))
        return [
            bound.log(w.r, w.s),
            *bound.jet(w),
            bound.drift(w.r, w.s),
            bound.log_derivatives(w),
            bound.contracted(w, weights),
        ]

    for a, b in zip(readings(xp), readings(np), strict=True):
        assert namespace(a) is xp and a.dtype == b.dtype
        scale = np.abs(b).max()
        tolerance = 1e-10 if dtype == np.float64 else 2e-3
        np.testing.assert_allclose(to_host(a), b, rtol=0, atol=tolerance * scale)


NUCLEONS = {
    "neutrons": (
        NeutronMatter(4, polarisation=0.5, twist=[0.1, 0.23, -0.3]),
        lambda s: Slater(s, network=MessagePassing(3, 2, spread=0.2), excitations=6),
    ),
    "nucleus": (
        Nucleus(2, 2),
        lambda s: SShell(s) * NetworkJastrow(s, MessagePassing(3, 1, spread=0.2)),
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NUCLEONS)
def test_every_term_of_nucleons(xp, name, dtype):
    """Spins, isospins and masses are looked up where the walkers are; float32 beside float64."""
    system, made = NUCLEONS[name]
    psi = made(system)
    theta = psi.start(Stream(3, 0, 0, 0))
    theta = theta + 0.05 * np.random.default_rng(1).normal(size=theta.shape)
    bound, walkers = psi.bind(theta), system.start(Stream(4, 0, 0, 0), 6)
    moved = Walkers(xp.asarray(walkers.r.astype(dtype)), xp.asarray(walkers.s))
    for term in system.terms.values():
        found, known = term.local(moved, bound), term.local(walkers, bound)
        assert namespace(found) is xp and to_host(found).real.dtype == dtype
        tolerance = 1e-10 if dtype == np.float64 else 1e-3
        np.testing.assert_allclose(to_host(found), known, atol=tolerance * np.abs(known).max())


@pytest.mark.parametrize("edges", ["filter", "full", "attention"])
def test_launches_do_not_grow_with_particles(edges):
    """Pairs and particles are no loops of a device: as many launches for 8 as for 4."""

    def launched(n):
        system = Particles(n, 2, {"none": lambda r: 0 * r[:, 0, 0]}, spins=[1, -1] * (n // 2))
        psi = NetworkJastrow(system, MessagePassing(3, 2, edges=edges)) * PadeJastrow(system)
        walkers = system.start(Stream(4, 0, 0, 0), 3)
        walkers = Walkers(STANDIN.asarray(walkers.r), STANDIN.asarray(walkers.s))
        bound, weights = psi.bind(psi.start(Stream(3, 0, 0, 0))), STANDIN.ones(3)

        def counted():
            before = fakecupy.launches["arrays"]
            bound.log(walkers.r, walkers.s), bound.jet(walkers), bound.log_derivatives(walkers)
            bound.contracted(walkers, weights), bound.drift(walkers.r, walkers.s)
            return fakecupy.launches["arrays"] - before

        counted()
        return counted()

    assert 0 < launched(8) == launched(4)
