"""Determinants of plane waves and of a crystal's orbitals: exact energies, constant kinetic
energies, twists, invariances.
"""

import numpy as np
import pytest

import vmcnet as vmc
from tests.calculus.differences import check_jet
from tests.device import fakecupy
from vmcnet.backend.arrays import to_host
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream
from vmcnet.engine.population import TRAINING, Population
from vmcnet.estimators.energy import local_energies
from vmcnet.exact.plane_waves import kinetic_energy
from vmcnet.geometry.box import Box
from vmcnet.optimizers import SGD
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling import Gaussian
from vmcnet.systems import ElectronGas, NeutronMatter
from vmcnet.wavefunctions import MessagePassing, PadeJastrow, Slater
from vmcnet.wavefunctions.plane_waves import LatticeOrbitals

TWISTS = [None, [0.1, 0.23, -0.31], [0.5, 0.5, 0.5]]


def walkers_of(system, count=20, seed=1):
    return system.start(Stream(seed, 0, 0, 0), count)


def bound(psi, seed=2):
    return psi.bind(psi.start(Stream(seed, 0, 0, 0)))


def measured(system, psi, walkers):
    b = bound(psi)
    return local_energies(system.terms, walkers.with_log(b.log(walkers.r, walkers.s)), b)


SYSTEMS = {
    "cube 14": lambda: ElectronGas(14, 2.0),
    "cube 54": lambda: ElectronGas(54, 2.0),
    "polarised": lambda: ElectronGas(7, 1.0, polarisation=1.0),
    "square": lambda: ElectronGas(10, 1.0, 2),
    "twist": lambda: ElectronGas(14, 2.0, twist=TWISTS[1]),
    "another twist": lambda: ElectronGas(9, 5.0, polarisation=1 / 9, twist=[0.02, -0.4, 0.33]),
    "twist of pi": lambda: ElectronGas(16, 1.0, twist=TWISTS[2]),
    "twist in 2D": lambda: ElectronGas(6, 1.0, 2, twist=[0.21, 0.4]),
    "neutrons": lambda: NeutronMatter(14, 0.04),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_kinetic_energy_is_constant(name):
    """To 1e-12 of itself at random points, but where a determinant is nearly singular."""
    system = SYSTEMS[name]()
    psi = Slater(system)
    found = measured(system, psi, walkers_of(system, 60)).terms["kinetic"]
    exact = kinetic_energy(system.box, psi.plane_waves) / getattr(system, "mass", 1.0)
    error = np.sort(np.abs(found - exact) / exact)
    assert error[: int(0.9 * len(error))].max() < 1e-12 and error.max() < 1e-9
    real = system.box.twist.any() and name != "twist of pi"
    assert (found.dtype.kind == "c") == real


@pytest.mark.parametrize("twist", TWISTS)
def test_crossing_the_box_turns_psi_by_the_twist(twist):
    system = ElectronGas(8 if twist == TWISTS[2] else 7, 2.0, polarisation=1.0, twist=twist)
    psi, walkers = bound(Slater(system)), walkers_of(system)
    moved = walkers.r.copy()
    moved[:, 2, 1] += system.box.lengths[1]
    phase, log = psi.amplitude(walkers.r, walkers.s)
    new_phase, new = psi.amplitude(moved, walkers.s)
    turned = np.exp(new - log) * (1.0 if phase is None else phase * new_phase)
    np.testing.assert_allclose(turned, np.exp(1j * system.box.twist[1]), atol=1e-9)


NETWORK = MessagePassing(width=4, passes=2, spread=0.3)


def fluid(system):
    return Slater(system, network=NETWORK) * PadeJastrow(system, 0.5)


@pytest.mark.parametrize("twist", TWISTS[:2])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_invariances_of_the_fluid(dimensions, twist):
    """log|psi|: one particle moved by L, all by any vector, permutations within a spin, labels
    exchanged with particles; the sign follows the permutation. (Inversion: the next test.)
    """
    n = {2: 10, 3: 14}[dimensions]
    system = ElectronGas(n, 2.0, dimensions, twist=None if twist is None else twist[:dimensions])
    psi, w, rng = bound(fluid(system)), walkers_of(system, 10), np.random.default_rng(3)

    def log(r, s=w.s):
        return psi.log(r, s).real

    known, moved = log(w.r), w.r.copy()
    moved[:, 3] += system.box.lengths * rng.integers(-2, 3, dimensions)
    np.testing.assert_allclose(log(moved), known, atol=1e-10)
    np.testing.assert_allclose(
        log(w.r + rng.uniform(-9, 9, (10, 1, dimensions))), known, atol=1e-11
    )
    np.testing.assert_allclose(log(w.r + 0.37), known, atol=1e-12)
    order = np.concatenate([rng.permutation(n // 2), n // 2 + rng.permutation(n - n // 2)])
    np.testing.assert_allclose(log(w.r[:, order]), known, atol=1e-11)
    order = rng.permutation(n)
    np.testing.assert_allclose(log(w.r[:, order], w.s[:, order]), known, atol=1e-11)
    if twist is None:
        odd = np.arange(n)
        odd[[0, 1]] = 1, 0
        assert (psi.amplitude(w.r[:, odd], w.s)[0] == -psi.amplitude(w.r, w.s)[0]).all()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_inversion_without_a_network(dimensions):
    system = ElectronGas({2: 10, 3: 14}[dimensions], 2.0, dimensions)
    psi, w = bound(Slater(system) * PadeJastrow(system)), walkers_of(system, 10)
    np.testing.assert_allclose(psi.log(-w.r, w.s), psi.log(w.r, w.s), atol=1e-11)


def test_complex_orbitals_against_differences():
    system = ElectronGas(4, 2.0, 2, twist=[0.2, -0.1])
    psi = bound(Slater(system, network=MessagePassing(width=3, passes=1, spread=0.2)))
    w = walkers_of(system, 3)
    check_jet(psi.log, w.r, *psi.jet(w), w.s)


COMPLEX = ("backflow", "complex_backflow", "jastrow")


@pytest.mark.parametrize("excitations", [0, 5])
def test_complex_backflow(excitations):
    """Differences; the twist where a particle crosses the box; the sign under exchange."""
    system = ElectronGas(4, 2.0, 2, twist=[0.2, -0.1])
    network = MessagePassing(width=3, passes=1, spread=0.3)
    options = {"excitations": excitations, "network": network}
    slater, w = Slater(system, heads=COMPLEX, **options), walkers_of(system, 3)
    theta = slater.start(Stream(2, 0, 0, 0))
    psi, way = slater.bind(theta), np.random.default_rng(3).normal(size=theta.shape)
    ends = [slater.bind(theta + h * way).log(w.r, w.s) for h in (1e-6, -1e-6)]
    slope = psi.log_derivatives(w) @ way
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, slope, rtol=1e-6, atol=1e-7)
    check_jet(psi.log, w.r, *psi.jet(w), w.s)
    real = bound(Slater(system, **options)).log(w.r, w.s)
    assert np.abs(psi.log(w.r, w.s) - real).max() > 1e-3
    r = w.r.copy()
    r[:, 1, 0] += system.box.lengths[0]
    turned = np.exp(psi.log(r, w.s) - psi.log(w.r, w.s))
    np.testing.assert_allclose(turned, np.exp(1j * system.box.twist[0]), atol=1e-9)
    swapped = np.exp(psi.log(w.r[:, [1, 0, 2, 3]], w.s) - psi.log(w.r, w.s))
    np.testing.assert_allclose(swapped, -1.0, atol=1e-9)


def test_complex_backflow_without_weights_is_the_determinant_to_the_bit():
    system = ElectronGas(4, 2.0, 2, twist=[0.2, -0.1])
    network = MessagePassing(width=3, passes=1, spread=0.0)
    w = walkers_of(system, 3)
    plain, moved = (
        bound(x) for x in (Slater(system), Slater(system, None, network=network, heads=COMPLEX))
    )
    np.testing.assert_array_equal(moved.log(w.r, w.s), plain.log(w.r, w.s))


def test_complex_backflow_needs_complex_waves():
    with pytest.raises(ValueError, match=r"complex_backflow belongs to .* give the system a twist"):
        Slater(ElectronGas(14, 2.0), network=MessagePassing(), heads=COMPLEX)


@pytest.mark.parametrize("twist", [None, [0.2, -0.1]])
def test_virtual_backflow(twist):
    """Excited pairs have a displacement of their own: differences; without excitations' weights or
    without its own nothing changes, to the bit; refused where there are none.
    """
    system = ElectronGas(10 if twist is None else 4, 2.0, 2, twist=twist)
    network = MessagePassing(width=3, passes=1, spread=0.3)
    heads = ("backflow", "virtual_backflow", "jastrow")
    shells = 1 if twist is None else 5
    slater = Slater(system, network=network, excitations=shells, heads=heads)
    plain = Slater(system, network=network, excitations=shells)
    w, values = walkers_of(system, 3), slater.layout.values(slater.start(Stream(2, 0, 0, 0)))
    values["excitations"] = np.linspace(0.2, 0.6, values["excitations"].size)
    psi = slater.bind(slater.layout.pack(values))
    check_jet(psi.log, w.r, *psi.jet(w), w.s)

    def both(**changed):
        own = values | changed
        less = {k: own[k] for k in plain.layout.entries}
        return [x.bind(x.layout.pack(v)).log(w.r, w.s) for x, v in ((slater, own), (plain, less))]

    moved, unmoved = both()
    assert np.abs(moved - unmoved).max() > 1e-3
    for name in ("virtual_backflow", "excitations"):
        np.testing.assert_array_equal(*both(**{name: np.zeros_like(values[name])}))
    with pytest.raises(ValueError, match=r"virtual_backflow belongs to .* with excitations"):
        Slater(system, network=network, heads=heads)


@pytest.mark.parametrize(("dimensions", "opposite", "equal"), [(3, 1.0, 0.5), (2, 2.0, 2 / 3)])
def test_pairs_at_contact(dimensions, opposite, equal):
    """The mean of ln |psi|^2 over opposite directions rises by 2/(d - 1) bohr^-1 where two opposite
    spins meet, that of ln |psi|^2/r^2 by 2/(d + 1) where equal ones do: in every configuration,
    so in g(r). With a network, excitations and the pair factor.
    """
    system = ElectronGas({3: 14, 2: 10}[dimensions], 2.0, dimensions)
    network = MessagePassing(width=4, passes=2, spread=0.2)
    psi = Slater(system, network=network, excitations=1) * PadeJastrow(system)
    theta = psi.start(Stream(2, 0, 0, 0))
    psi = psi.bind(theta + 0.05 * np.random.default_rng(1).normal(size=theta.shape))
    w, way = walkers_of(system, 6), np.random.default_rng(3).normal(size=dimensions)
    way /= np.linalg.norm(way)
    for j, slope, power in ((system.up, opposite, 0.0), (1, equal, 1.0)):

        def at(h, j=j, power=power):
            ends = []
            for x in (h, -h):
                r = w.r.copy()
                r[:, j] = r[:, 0] + x * way
                ends.append(2.0 * (psi.log(r, w.s) - power * np.log(h)))
            return 0.5 * (ends[0] + ends[1])

        # a + slope h + b h^2: the slope at 0 of three points
        near = (8.0 * at(2e-3) - 5.0 * at(1e-3) - 3.0 * at(3e-3)) / 2e-3
        np.testing.assert_allclose(near, slope, atol=0.02)


# energies


@pytest.mark.parametrize(
    ("system", "steps", "limit"),
    [
        (ElectronGas(14, 2.0), 40, 1.2e-3),
        (ElectronGas(14, 2.0, twist=TWISTS[1]), 30, 1.2e-3),
        (ElectronGas(14, 1.0, twist=[0.25, 0.25, 0.25]), 30, 2.4e-3),
        (ElectronGas(10, 1.0, 2), 40, 6e-3),
        (NeutronMatter(14, 0.04), 25, 5e-2),
    ],
)
def test_hartree_fock_energies(system, steps, limit):
    """Within 3 errors of the exact value of this filling and twist; the kinetic energy has none."""
    found, psi = sampled(system, steps, walkers=256)
    exact = system.reference_of(psi)[0]
    n = system.particles
    assert found.error / n < limit and abs(found.energy - exact) < 3 * found.error
    assert found.estimates["kinetic"].error < 1e-12 * abs(found.estimates["kinetic"].mean)


@pytest.mark.verify
@pytest.mark.parametrize(
    ("r_s", "exact"), [(1.0, 0.60653433), (2.0, 0.02303895), (20.0, -0.02291664)]
)
def test_hartree_fock_energies_closely(r_s, exact):
    found, _ = sampled(ElectronGas(14, r_s), 200, walkers=1024)
    assert found.error / 14 < 3e-4 * 2.0 / r_s
    assert abs(found.energy / 14 - exact) < 3 * found.error / 14


@pytest.mark.verify
def test_neutron_matter_closely():
    """6.9802 MeV a neutron within three errors of at most 0.01, and every term."""
    system = NeutronMatter(14, 0.04)
    found, psi = sampled(system, 140, walkers=1024)
    assert found.error / 14 < 1e-2 and abs(found.energy / 14 - 6.9802) < 3 * found.error / 14
    exact = system.plane_wave_terms(psi.plane_waves)
    parts = found.estimates
    assert parts["kinetic"].mean / 14 == pytest.approx(14.1183, abs=5e-5)
    three = parts["three_body"]
    assert abs(three.mean - exact["three_body"]) < 3.5 * three.error
    pairs = parts["pair_diagonal"], parts["pair_exchange"]
    error = sum(p.error for p in pairs)
    assert abs(sum(p.mean for p in pairs) - exact["pair"]) < 3.5 * error


def sampled(system, steps, walkers):
    psi = Slater(system)
    result = vmc.train(
        system,
        psi,
        optimizer=SGD(1e-3),
        iterations=1,
        walkers=walkers,
        steps=10,
        warmup=40,
        step_size=0.15,
        seed=7,
    )
    return vmc.evaluate(result, steps=steps, interval=20, warmup=5), psi


# fillings


def test_open_shells_need_a_key():
    system = ElectronGas(16, 1.0)
    with pytest.raises(ValueError, match="leave a shell of wave vectors open"):
        Slater(system)
    up = [*system.box.filled(7).tolist(), [1, 1, 0]]
    down = [*system.box.filled(7).tolist(), [-1, -1, 0]]
    psi = Slater(system, occupied_up=up, occupied_down=down)
    energies = measured(system, psi, walkers_of(system))
    assert energies.total.dtype.kind == "c", "k without -k"
    np.testing.assert_allclose(
        energies.terms["kinetic"], kinetic_energy(system.box, psi.plane_waves), rtol=1e-9
    )
    assert psi.plane_waves[0].tolist() == up and system.reference_of(psi) is not None


def test_no_reference_beside_other_factors():
    system = ElectronGas(14, 1.0)
    assert system.reference_of(Slater(system)) is not None
    for psi in (Slater(system) * PadeJastrow(system), Slater(system, network=NETWORK)):
        assert system.reference_of(psi) is None
    assert system.reference_of(Slater(system, mixing=1)) is None


# crystals


def test_lattice_orbitals_are_periodic_gaussians():
    box = Box([3.0, 4.0, 5.0])
    sites = np.array([[0.5, 1.0, 1.5], [2.0, 3.0, 4.0]])
    orbitals = LatticeOrbitals(box, sites, 0.7)

    class One:
        particles, dimensions, spins, box = 2, 3, np.array([1, 1], np.int8), None

    One.box = box
    psi = Slater(One(), orbitals=orbitals)
    r = box.lengths * np.random.default_rng(1).uniform(size=(6, 2, 3))
    b, s = bound(psi), np.ones((6, 2), np.int8)
    x = r[:, :, None] - sites
    near = ((box.lengths / np.pi) ** 2 * np.sin(np.pi * x / box.lengths) ** 2).sum(axis=-1)
    known = np.linalg.slogdet(np.exp(-0.7 * near))[1]
    np.testing.assert_allclose(b.log(r, s), known, atol=1e-12)
    r[:, 1] += box.lengths
    np.testing.assert_allclose(b.log(r, s), known, atol=1e-12)


@pytest.mark.parametrize("polarisation", [0.0, 1.0])
def test_a_crystal_stays_one(polarisation):
    """Electrons of a bcc crystal at r_s = 100 stay at their sites, and its energy is below that of
    plane waves (polarised -0.0062, not -0.0050).
    """
    system = ElectronGas(16, 100.0, polarisation=polarisation, lattice="bcc")
    psi = Slater(system) * PadeJastrow(system, 0.02)
    result = vmc.train(
        system, psi, optimizer=SGD(1e-3), iterations=1, walkers=64, block=64, steps=10, seed=3
    )
    found = vmc.evaluate(result, steps=20, interval=10)
    assert -0.0078 < found.energy / 16 < -0.0065
    r = np.concatenate([w.r for w in result.population.members.values()])
    i = np.arange(16)
    apart = system.box.minimum_image(r[:, :, None] - system.sites[None, None])
    nearest = (apart**2).sum(axis=-1)
    if polarisation == 0:
        up = nearest[:, :8, :8].min(axis=2), nearest[:, 8:, 8:].min(axis=2)
        assert np.sqrt(np.concatenate(up, axis=1).mean()) < 0.8 * system.r_s
    assert psi.factors[0].occupied["up"] == tuple(i[: system.up].tolist())


# devices and precision


def advanced(system, psi, device):
    people = Population(system, psi, Gaussian(), SerialCommunicator(), 4, 32, 16, device)
    people.start()
    theta = psi.start(Stream(1, 0, 0, 0))
    people.advance(theta, TRAINING, 0, 3, 0.3)
    summary, energies = people.advance(theta, TRAINING, 1, 3, 0.3)
    gradient = people.gradient(theta, people.weights(summary, energies))
    terms = [to_host(x) for b in people.own for x in energies[b].terms.values()]
    assert all(
        x.dtype.itemsize in (device.dtype.itemsize, 2 * device.dtype.itemsize) for x in terms
    )
    return np.concatenate(terms), gradient


DEVICES = {
    "gas": ElectronGas(5, 2.0, 2, polarisation=1.0),
    "twisted": ElectronGas(4, 2.0, 2, polarisation=0.5, twist=[0.1, 0.23]),
    "neutrons": NeutronMatter(4, polarisation=0.5, twist=[0.1, 0.23, -0.3]),
}


@pytest.mark.parametrize("network", [None, MessagePassing(width=2, passes=2, spread=0.1)])
@pytest.mark.parametrize("name", DEVICES)
def test_the_stand_in_and_single_precision(name, network):
    """The same energies, term by term, and gradients on a device's arrays; in float32 to rounding
    while the same moves are accepted.
    """
    system = DEVICES[name]
    psi = Slater(system, network=network)
    if system.contact:
        psi = psi * PadeJastrow(system)
    known = advanced(system, psi, Device())
    for found, tolerance in (
        (advanced(system, psi, Device(fakecupy)), 1e-9),
        (advanced(system, psi, Device(np, "float32")), 2e-3),
    ):
        for a, b in zip(found, known, strict=True):
            if len(b):
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * abs(b).max())
