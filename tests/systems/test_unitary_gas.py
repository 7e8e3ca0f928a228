"""The unitary gas: its well, the energy of plane waves, and how a job reads it."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import vmcnet as vmc
from tests.calculus.differences import check_jet
from tests.device import fakecupy
from vmcnet.backend.stream import Stream
from vmcnet.hamiltonians.poeschl_teller import PoeschlTeller
from vmcnet.systems import UnitaryGas
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import ResonantJastrow


def well(r, r_e):
    return -8 / r_e**2 / np.cosh(2 * r / r_e) ** 2


@pytest.mark.parametrize("r_e", [0.4, 1.0])
def test_infinite_scattering_length(r_e):
    """u'' = u v at zero energy (hbar^2/m = 1, the reduced mass m/2): u becomes flat, 1/a = 0, and
    the effective range 2 integral of 1 - u^2 is r_e.
    """
    found = solve_ivp(
        lambda r, u: [u[1], well(r, r_e) * u[0]], (0, 8 * r_e), [0, 1], rtol=1e-10, atol=1e-12,
        dense_output=True,
    )  # fmt: skip
    end, slope = found.y[:, -1]
    assert abs(slope / end) < 1e-6
    u = lambda r: (found.sol(r)[0] / end) ** 2  # noqa: E731
    assert 2 * quad(lambda r: 1 - u(r), 0, 8 * r_e)[0] == pytest.approx(r_e, rel=1e-6)


def test_the_sum_over_images():
    """At ranges that need few cells or many; its integral over a cell; on the stand-in."""
    for r_e in (0.3, 0.9, 1.1):
        u = PoeschlTeller(r_e, vmc.Box.cube(3.0))
        x = np.random.default_rng(1).uniform(-6, 6, size=(20, 3))
        cells = 3.0 * np.array(list(product(range(-5, 6), repeat=3)))
        known = well(np.sqrt(((x[:, None] + cells) ** 2).sum(axis=-1)), r_e).sum(axis=1)
        np.testing.assert_allclose(u(x), known, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(u(fakecupy.asarray(x)).get(), u(x), rtol=1e-12)
        assert u(x.astype(np.float32)).dtype == np.float32
    grid = np.stack(np.meshgrid(*[np.arange(24) / 8] * 3), axis=-1)  # exact for smooth functions
    assert u(grid).mean() * 27.0 == pytest.approx(u.integral, rel=1e-8)


def test_terms():
    """Opposite spins alone feel the well; 14 free fermions have 1.0144 E_FG, plane waves 0.8981."""
    system = UnitaryGas(14)
    psi = vmc.wavefunctions.Slater(system)
    walkers = system.start(Stream(1, 0, 0, 0), 4)
    r, s = walkers.r, np.random.default_rng(2).permuted(walkers.s, axis=1)
    known, u = np.zeros(4), PoeschlTeller(0.4, system.box)
    for i, j in combinations(range(14), 2):
        known += u(r[:, i] - r[:, j]) * (s[:, i] != s[:, j]) / 0.3
    np.testing.assert_allclose(system.terms["pairs"].local(Walkers(r, s), None), known, rtol=1e-12)
    kinetic = system.terms["kinetic"].local(walkers, psi.bind(psi.start(Stream(1, 0, 0, 0))))
    free = 12 * 0.5 * (2 * np.pi) ** 2 / (42 * np.pi**2) ** (2 / 3) / 0.3 / 14
    np.testing.assert_allclose(kinetic / 14, free, rtol=1e-10)
    pairs = 49 * -(np.pi**3) / 3 * 0.4 / (42 * np.pi**2) / 0.3 / 14
    assert system.reference_of(psi)[0] / 14 == pytest.approx(free + pairs, rel=1e-12)
    assert free == pytest.approx(1.0144, abs=1e-4) and free + pairs == pytest.approx(
        0.8981, abs=1e-4
    )


@pytest.mark.parametrize("spins", [[1, 1, -1, -1], [1, -1, 1, -1]])
def test_resonant_jastrow(spins):
    """Its formula, jets, and two close particles of opposite spin: no kinetic energy beside v."""
    system = UnitaryGas(4, 0.6)
    psi = ResonantJastrow(system, 1.3)
    bound, r = psi.bind(psi.start(Stream(1, 0, 0, 0))), system.start(Stream(2, 0, 0, 0), 3).r
    s = np.tile(np.array(spins, np.int8), (3, 1))
    length = system.box.lengths[0]
    known = np.zeros(3)
    for i, j in combinations(range(4), 2):
        d = length / np.pi * np.sqrt((np.sin(np.pi * (r[:, i] - r[:, j]) / length) ** 2).sum(-1))
        g = np.tanh(2 * d / 0.6) * np.sqrt(1 / d**2 + 1 / 1.3**2)
        known += (s[:, i] != s[:, j]) * np.log(g)
    found = bound.log(r, s)
    np.testing.assert_allclose(found, known, atol=1e-12)
    check_jet(lambda r: bound.log(r, np.tile(s[:1], (len(r), 1))), r, *bound.jet(Walkers(r, s)))
    pair = UnitaryGas(2, 0.2)
    alone = ResonantJastrow(pair, 1e3)
    bound = alone.bind(alone.start(Stream(1, 0, 0, 0)))
    r = np.array([[[0.0, 0, 0], [x, 0, 0]] for x in (1e-4, 0.02, 0.1)]) + 1.0
    walkers = Walkers(r, pair.labels(3))
    energy = sum(t.local(walkers, bound) for t in pair.terms.values())
    depth = 8 / 0.2**2 / 0.3
    assert np.abs(energy).max() < 2e-2 * depth and np.abs(energy[0]) < 1e-2 * depth


@pytest.mark.verify
def test_the_energy_of_plane_waves():
    """Within three errors of at most 0.004."""
    system = UnitaryGas(14, 1.0)
    psi = vmc.wavefunctions.Slater(system)
    trained = vmc.train(system, psi, optimizer=vmc.optimizers.SGD(1e-9), iterations=1, walkers=1024)
    found = vmc.evaluate(trained, steps=100, interval=10)
    exact = system.reference_of(psi)[0]
    assert found.error / 14 < 0.004 and abs(found.energy - exact) < 3 * found.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((13,), "even number"),
        ((0,), "particles"),
        ((14, 9.0), "at most 2.75"),
        ((14, 0.0), "range"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        UnitaryGas(*arguments)


def test_a_gas_without_resonance():
    with pytest.raises(ValueError, match="such as UnitaryGas, got NeutronMatter"):
        ResonantJastrow(vmc.systems.NeutronMatter(14))
