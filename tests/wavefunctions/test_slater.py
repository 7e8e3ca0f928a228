"""Slater determinants: exact shells, antisymmetry, what networks and several determinants leave
unchanged, refusals.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from vmcnet.backend.stream import Stream
from vmcnet.parameters import Layout
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import (
    HarmonicOrbitals,
    MessagePassing,
    PadeJastrow,
    Slater,
    UserOrbitals,
    Wavefunction,
)

FREE = [(1, 2, 1.0), (1, 5, 6.5), (2, 2, 2.0), (2, 6, 10.0), (2, 12, 28.0), (2, 20, 60.0)]
FREE += [(3, 2, 3.0), (3, 8, 18.0), (3, 20, 60.0)]


def points(system, walkers, seed=1):
    r = system.length * np.random.default_rng(seed).normal(
        size=(walkers, system.particles, system.dimensions)
    )
    return Walkers(r, system.labels(walkers))


def started(psi, seed=3, spread=0.0):
    """psi at its start, and away from it by normals of this spread."""
    theta = psi.start(Stream(seed, 0, 0, 0))
    return psi.bind(theta + spread * np.random.default_rng(7).normal(size=theta.shape))


def energies(system, psi, walkers):
    return sum(term.local(walkers, psi) for term in system.terms.values())


@pytest.mark.parametrize(("d", "n", "energy"), FREE)
def test_free_shells_are_exact(d, n, energy):
    """E_L is constant: 99 % of random points within 1e-9, all within rounding times the condition
    number of the matrices.
    """
    system = vmc.systems.QuantumDot(n, omega=0.7, dimensions=d, interaction="none")
    assert system.reference[0] == pytest.approx(0.7 * energy, rel=1e-14)
    walkers, slater = points(system, 1000), Slater(system)
    off = abs(energies(system, started(slater), walkers) - 0.7 * energy)
    assert np.quantile(off, 0.99) < 1e-9
    x = walkers.r * np.sqrt(0.7)
    condition = 0
    for spin in (1, -1):
        block = x[:, system.spins == spin]
        matrix = slater.orbitals._functions.value(np, block)[..., : block.shape[1]]
        inverse = np.linalg.inv(matrix)
        first = slater.orbitals._functions.derivatives(np, block)[1]
        size = abs(first[..., : block.shape[1]]).max(axis=(0, 2, 3)) * abs(inverse).max(axis=(1, 2))
        condition = condition + np.linalg.cond(matrix) * (1 + size**2)
    assert (off <= 1e-13 * energy * condition).all()


def ansatz(name, system):
    network = MessagePassing(width=4, passes=2, spread=0.4)
    return {
        "plain": lambda: Slater(system),
        "pade": lambda: Slater(system) * PadeJastrow(system),
        "mixing": lambda: Slater(system, mixing=1),
        "network": lambda: Slater(system, network=network, heads=["backflow", "jastrow"]),
        "factors": lambda: Slater(system, network=network, heads=["orbitals"]),
        "three": lambda: Slater(system, mixing=1, determinants=3),
        "three of a network": lambda: Slater(
            system, network=network, heads=["backflow", "orbitals"], determinants=3
        ),
        "excited": lambda: Slater(system, excitations=1),
        "excited network": lambda: Slater(system, excitations=2, network=network, mixing=1),
    }[name]()


NAMES = ["plain", "pade", "mixing", "network", "factors", "three", "three of a network"]
NAMES += ["excited", "excited network"]


def both(psi, r, s):
    phase, log = psi.amplitude(r, s)
    return phase, log


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("projection", [0, 1])
def test_exchange(name, projection):
    """Two particles exchanged with their spins: the sign turns and log|psi| stays, equal spins or
    not, in walkers of one configuration of spins and of many.
    """
    system = vmc.systems.QuantumDot(6, spin_projection=projection)
    psi, walkers = started(ansatz(name, system), spread=0.2), points(system, 24)
    phase, log = both(psi, walkers.r, walkers.s)
    assert set(np.unique(phase)) == {-1.0, 1.0}
    rng = np.random.default_rng(2)
    orders = np.stack([rng.permutation(6) for _ in range(24)])
    signs = np.array([round(np.linalg.det(np.eye(6)[order])) for order in orders])
    mixed = np.take_along_axis(walkers.r, orders[:, :, None], 1)
    turned, same = both(psi, mixed, np.take_along_axis(walkers.s, orders, 1))
    assert np.array_equal(turned, signs * phase)
    np.testing.assert_allclose(same, log, rtol=1e-11, atol=1e-11)
    for i, j in ((0, 1), (0, 5), (4, 5)):
        swap = np.arange(6)
        swap[[i, j]] = j, i
        turned, same = both(psi, walkers.r[:, swap], walkers.s[:, swap])
        assert np.array_equal(turned, -phase)
        np.testing.assert_allclose(same, log, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name):
    """Jets, drift and log-derivatives against differences, of one configuration of spins and of
    several.
    """
    system = vmc.systems.QuantumDot(4, spin_projection=1, omega=0.8)
    psi, walkers = started(ansatz(name, system), spread=0.2), points(system, 4, seed=5)
    if name in ("plain", "three", "excited"):
        walkers.s[1], walkers.s[2] = walkers.s[1, [3, 0, 1, 2]], walkers.s[2, [0, 3, 1, 2]]
    check_jet(psi.log, walkers.r, *psi.jet(walkers), walkers.s)
    _, gradient, _ = psi.jet(walkers)
    np.testing.assert_allclose(
        psi.drift(walkers.r, walkers.s).reshape(4, -1).T, gradient, rtol=1e-9, atol=1e-9
    )
    theta, rows = psi.wavefunction.start(Stream(3, 0, 0, 0)), psi.log_derivatives(walkers)
    theta = theta + 0.2 * np.random.default_rng(7).normal(size=theta.shape)
    way, h = np.random.default_rng(8).normal(size=theta.shape), 1e-5
    moved = [psi.wavefunction.bind(theta + t * way).log(walkers.r, walkers.s) for t in (h, -h)]
    np.testing.assert_allclose(rows @ way, (moved[0] - moved[1]) / (2 * h), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["plain", "pade", "mixing", "excited"])
@pytest.mark.parametrize("d", [2, 3])
def test_rotation(name, d):
    """Closed shells: |psi| does not change where all particles are turned together."""
    system = vmc.systems.QuantumDot(6 if d == 2 else 8, dimensions=d)
    psi, walkers = ansatz(name, system), points(system, 20)
    theta = psi.start(Stream(3, 0, 0, 0))
    if name == "excited":
        theta[psi.layout.entries["excitations"].slice] = np.linspace(-0.3, 0.3, len(theta) - 1)
    psi = psi.bind(theta)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))[0]
    np.testing.assert_allclose(
        psi.log(walkers.r @ turn, walkers.s), psi.log(walkers.r, walkers.s), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("d", [2, 3])
def test_no_excitation_is_the_determinant(d):
    """c = 0: the determinant's sign and logarithm, to the bit."""
    system = vmc.systems.QuantumDot(8, dimensions=d)
    psi, plain, walkers = Slater(system, excitations=1), Slater(system), points(system, 16)
    for a, b in zip(
        both(started(psi), walkers.r, walkers.s),
        both(started(plain), walkers.r, walkers.s),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_one_class_is_a_sum_of_excited_determinants():
    """Two electrons up in one dimension, (0, 1) -> (2, 3) and the like: psi over the determinant
    from determinants of other orbitals.
    """
    system = vmc.systems.QuantumDot(2, dimensions=1, spin_projection=1, interaction="none")
    psi = Slater(system, excitations=2)
    assert psi.layout.entries["excitations"].shape == (1,)
    theta = psi.start(Stream(1, 0, 0, 0))
    theta[psi.layout.entries["excitations"].slice] = 0.7
    walkers = points(system, 30)
    phase, log = psi.bind(theta).amplitude(walkers.r, walkers.s)
    x = walkers.r[:, :, 0]
    h = [np.ones_like(x), np.sqrt(2) * x, (4 * x**2 - 2) / np.sqrt(8)]
    h.append((8 * x**3 - 12 * x) / np.sqrt(48))
    ground, excited = (np.linalg.det(np.stack([h[a], h[b]], axis=-1)) for a, b in ((0, 1), (2, 3)))
    gauss = np.exp(-0.5 * (x**2).sum(axis=1))
    entries = psi._forms.parts[1]
    size = np.abs(entries[3]).max() * np.sign(entries[3][np.argmin(entries[1] % 2)])
    known = (ground + 0.7 * size * excited) * gauss
    np.testing.assert_allclose(phase * np.exp(log), known, rtol=1e-11)


def test_open_shells_are_excited_into_themselves():
    """Four electrons, S_z = 0, with (1,0) filled: both may go to (0,1) of the same shell."""
    system = vmc.systems.QuantumDot(4)
    slater = Slater(system, excitations=1)
    labels = [slater.orbitals.labels[k] for k in slater._virtual]
    assert labels == [(0, 1), (2, 0), (1, 1), (0, 2)]
    assert any(
        set(zip(first.tolist(), second.tolist(), strict=True)) == {(4, 4)}
        for first, second in _classes_of(slater)
    )


def _classes_of(slater):
    class_, first, second, _ = slater._forms.parts[0]
    for k in range(slater._forms.classes):
        yield first[class_ == k], second[class_ == k]


def test_excitations_of_plane_waves():
    """The same of an electron gas: real at the Gamma point, complex with a twist; moved and turned
    sign as they must.
    """
    for twist, shells in ((None, 1), ([0.1, -0.2, 0.3], 6)):
        gas = vmc.systems.ElectronGas(14 if twist is None else 4, twist=twist)
        psi, plain = Slater(gas, excitations=shells), Slater(gas)
        assert len(psi.excitations) > 5
        theta = psi.start(Stream(1, 0, 0, 0))
        walkers = gas.start(Stream(2, 0, 0, 0), 6)
        same = [p.bind(t).amplitude(walkers.r, walkers.s) for p, t in ((psi, theta), (plain, []))]
        np.testing.assert_array_equal(same[0][1].real, same[1][1].real)
        theta[:] = 0.2 * np.random.default_rng(1).normal(size=theta.shape)
        bound = psi.bind(theta)
        moved = bound.log(walkers.r + [0.3, -0.1, 0.2], walkers.s)
        np.testing.assert_allclose(moved.real, bound.log(walkers.r, walkers.s).real, rtol=1e-10)
        swap = [1, 0, *range(2, gas.particles)]
        turned = bound.log(walkers.r[:, swap], walkers.s)
        np.testing.assert_allclose(turned.real, bound.log(walkers.r, walkers.s).real, rtol=1e-10)


@pytest.mark.parametrize("heads", [["backflow", "jastrow"], ["orbitals"]])
def test_zero_heads_leave_the_determinant(heads):
    system = vmc.systems.QuantumDot(6)
    network = MessagePassing(width=4, spread=0.0)
    plain, more = Slater(system), Slater(system, network=network, heads=heads)
    walkers = points(system, 16)
    for a, b in zip(
        both(started(plain), walkers.r, walkers.s),
        both(started(more), walkers.r, walkers.s),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_equal_determinants_are_one():
    """K determinants at the start of their factors: the plain one times sum c."""
    system = vmc.systems.QuantumDot(6)
    network = MessagePassing(width=4, spread=0.0)
    many = Slater(system, network=network, heads=["orbitals"], determinants=3)
    walkers = points(system, 16)
    (_, log), (_, plain) = (
        both(started(psi), walkers.r, walkers.s) for psi in (many, Slater(system))
    )
    np.testing.assert_allclose(log, plain + np.log(1 + 2 / 3), rtol=1e-13, atol=1e-12)


class CentreOfMass(Wavefunction):
    """exp(c |sum_i r_i|^2), c fixed."""

    name = "centre"

    def __init__(self, system, c):
        self.particles, self.dimensions, self.c = system.particles, system.dimensions, c
        self.layout = Layout()

    def initial(self, stream):
        return {}

    def log_psi(self, ops, theta, walkers):
        centre = ops.sum(walkers.r, axis=1)
        return None, self.c * ops.sum(centre * centre, axis=-1)


HARMONIC = [(2, 6, 19.0), (2, 12, 55.0), (2, 20, 119.0), (3, 8, 34.5), (3, 20, 118.5)]


@pytest.mark.parametrize(("d", "n", "energy"), HARMONIC)
def test_harmonic_pair_forces(d, n, energy):
    """Interacting fermions with a known energy: omega = 1, pairs (kappa/2) r_ij^2 with kappa = 3/N,
    so that the relative motion has Omega = 2; exact with det(Omega) exp((Omega - 1)/(2N) |sum
    r|^2).
    """

    def pairs(r):
        apart = r[:, :, None] - r[:, None]
        return 0.25 * 3.0 / n * (apart * apart).sum(axis=(1, 2, 3))

    system = vmc.systems.Particles(
        n,
        d,
        {"trap": lambda r: 0.5 * (r * r).sum(axis=(1, 2)), "pairs": pairs},
        spins=[1] * (n // 2) + [-1] * (n // 2),
    )
    orbitals = HarmonicOrbitals.holding(n // 2, d, omega=2.0)
    psi = Slater(system, orbitals) * CentreOfMass(system, 0.5 / n)
    off = abs(energies(system, started(psi), points(system, 1000)) - energy)
    assert np.quantile(off, 0.99) < 3e-9 and np.median(off) < 1e-11


def test_near_nodes():
    """Two electrons of equal spin close to each other: the kinetic energy of the shells within
    1e-13 x (length/distance)^2 of the exact one.
    """
    system = vmc.systems.QuantumDot(6, interaction="none")
    walkers = points(system, 200)
    for distance in (1e-2, 1e-4, 1e-6):
        walkers.r[:, 1] = walkers.r[:, 0] + distance / np.sqrt(2)
        off = abs(energies(system, started(Slater(system)), walkers) - 10.0)
        assert np.median(off) < 1e-13 / distance**2


def test_user_orbitals():
    """det[1, x, y] exp(-r^2/2) written by hand is the first shells of the trap."""

    def function(ops, x):
        gauss = ops.exp(-0.5 * ops.sum(x * x, axis=-1, keepdims=True))
        return ops.concatenate([gauss, gauss * x])

    system = vmc.systems.QuantumDot(6, interaction="none")
    orbitals = UserOrbitals(function, 3, labels=[(0, 0), (1, 0), (0, 1)], energies=[0, 1, 1])
    psi, walkers = Slater(system, orbitals), points(system, 500)
    off = abs(energies(system, started(psi), walkers) - 10.0)
    assert np.quantile(off, 0.99) < 1e-9 and psi.layout.size == 0 and psi.decays


def test_open_shells_are_chosen_and_named():
    """Seven electrons: one in the shell with two quanta; E_L is exact for whichever is chosen."""
    system = vmc.systems.QuantumDot(7, interaction="none")
    assert (system.up, system.down) == (4, 3) and system.reference[0] == 13.0
    walkers = points(system, 500)
    full = [[0, 0], [1, 0], [0, 1]]
    for more, words in (([2, 0], "(2,0)"), ([1, 1], "(1,1)"), ([0, 2], "(0,2)")):
        psi = Slater(system, occupied_up=[*full, more])
        assert f"up 2 full shells + {words}; down 2 full shells" in psi.describe()
        off = abs(energies(system, started(psi), walkers) - 13.0)
        assert np.quantile(off, 0.99) < 1e-9
    assert "up 2 full shells + (2,0);" in Slater(system).describe()
    excited = Slater(vmc.systems.QuantumDot(1), HarmonicOrbitals(2, 1.0, 3), occupied_up=[[1, 1]])
    assert "up (1,1))" in excited.describe()
    one = vmc.systems.QuantumDot(1)
    off = abs(energies(one, started(excited), points(one, 50)) - 3.0)
    assert np.quantile(off, 0.9) < 1e-10


def test_shells_that_are_mixed_in():
    """So many as are asked for, however many pairs are excited into, or a set of one's own has."""
    system = vmc.systems.QuantumDot(particles=6)
    own = HarmonicOrbitals.holding(3, 2, 1.0, 4)
    for options in ({}, {"excitations": 3}, {"orbitals": own}):
        found = [Slater(system, mixing=k, **options).layout.entries["mixing"] for k in (1, 2)]
        assert [x.shape for x in found] == [(3, 3), (7, 3)]
    psi = Slater(system, mixing=1, excitations=2)
    theta = psi.start(Stream(0, 0, 0, 0))
    theta[psi.layout.entries["mixing"].slice] = 0.1
    plain = Slater(system, mixing=1).bind(theta[:10])
    walkers = system.start(Stream(1, 0, 0, 0), 3)
    found, known = (p.log(walkers.r, walkers.s) for p in (psi.bind(theta), plain))
    np.testing.assert_allclose(found, known, rtol=1e-12)


REFUSED = [
    (lambda s: Slater(s, determinants=2), "of the same orbitals are one"),
    (lambda s: Slater(s, determinants=0), "at least 1"),
    (lambda s: Slater(s, occupied_up=[[0, 0], [1, 0]]), "occupied_up names 2.*has 3"),
    (lambda s: Slater(s, occupied_down=[[0, 0], [1, 0], [7, 0]]), r"no orbital \(7,0\)"),
    (lambda s: Slater(s, occupied_up=[[0, 0], [1, 0], [1, 0]]), "names 2 different"),
    (lambda s: Slater(s, HarmonicOrbitals(2, 1.0, 1)), "3 particles of one spin and 1 orbitals"),
    (
        lambda s: Slater(s, UserOrbitals(lambda ops, x: x, 3), mixing=1),
        "orbitals above the occupied",
    ),
    (lambda s: Slater(s, HarmonicOrbitals(2, 1.0, 4), mixing=3), "this set has 2"),
    (lambda s: Slater(s, network=MessagePassing(), heads=["backflow", "x"]), "expected some of"),
    (lambda s: Slater(s, heads=["jastrow"]), "no network for them"),
    (lambda s: UserOrbitals(lambda ops, x: x, 3, labels=[(1,)]), "got 1 labels"),
    (lambda s: UserOrbitals(lambda ops, x: x, 3, energies=[0, 2, 1]), "must not fall"),
    (lambda s: Slater(s, excitations=1, mixing=1, determinants=2), "one determinant, not 2"),
    (
        lambda s: Slater(s, UserOrbitals(lambda ops, x: x, 4), excitations=1),
        "UserOrbitals has no classes",
    ),
    (lambda s: Slater(s, HarmonicOrbitals(2, 1.0, 3), excitations=2), "has fewer above"),
    (lambda s: Slater(vmc.systems.TrappedBosons(3)), "TrappedBosons names no orbitals"),
]


@pytest.mark.parametrize(("build", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refusals(build, words):
    with pytest.raises(ValueError, match=words):
        build(vmc.systems.QuantumDot(6))


def test_other_numbers_of_spins_are_refused():
    system = vmc.systems.QuantumDot(6)
    psi, walkers = started(Slater(system)), points(system, 5)
    walkers.s[3, 0] = -1
    with pytest.raises(
        ValueError, match=r"a walker has 2 to 3 spins up; these .* built for 3 of 6"
    ):
        psi.log(walkers.r, walkers.s)


def test_float32():
    system = vmc.systems.QuantumDot(12)
    psi = started(Slater(system, network=MessagePassing(width=8, spread=0.1)), spread=0.05)
    wide = points(system, 64)
    narrow = Walkers(wide.r.astype(np.float32), wide.s)
    assert psi.log(narrow.r, narrow.s).dtype == np.float32
    for a, b in zip(psi.jet(narrow), psi.jet(wide), strict=True):
        assert a.dtype == np.float32
        scale = np.median(abs(b))
        assert np.median(abs(a - b)) < 1e-4 * scale
