"""One frozen state of every kind of determinant in a trap, by tests/exact/independent_trap.py."""

import numpy as np
import pytest

import vmcnet as vmc
from tests.exact.independent_trap import Trap
from vmcnet.walkers import Walkers

HEADS = ["backflow", "jastrow"]
# name -> (particles, dimensions, spin), shells of orbitals, options of the determinant, network?
STATES = {
    "pair excitations": ((6, 2, 0.0), 3, {"excitations": 1}, True),
    "two shells of them": ((6, 2, 0.0), 4, {"excitations": 2}, False),
    "virtual backflow": (
        (6, 2, 0.0),
        3,
        {"excitations": 1, "heads": [*HEADS, "virtual_backflow"]},
        True,
    ),
    "determinants": (
        (6, 2, 0.0),
        2,
        {"determinants": 3, "heads": [*HEADS, "orbitals"]},
        True,
    ),
    "orbital factors": ((5, 2, 0.5), 2, {"heads": [*HEADS, "orbitals"]}, True),
    "mixing": ((5, 2, 0.5), 3, {"determinants": 2, "mixing": 1}, True),
    "mixing alone": ((6, 2, 0.0), 3, {"mixing": 1}, False),
    "open shell": ((4, 2, 0.0), 3, {"excitations": 1}, True),
    "three dimensions": ((8, 3, 0.0), 3, {"excitations": 1}, True),
}


def state(name, iterations, walkers, spread=0.1, width=4):
    """System, the trained state, and the other program's arguments."""
    (n, d, spin), shells, options, networked = STATES[name]
    system = vmc.systems.QuantumDot(n, 0.5, dimensions=d, spin_projection=spin)
    w, o = vmc.wavefunctions, vmc.optimizers
    network = w.MessagePassing(width, 1, spread=spread) if networked else None
    psi = w.Slater(system, network=network, **options) * w.PadeJastrow(system, beta=0.4)
    result = vmc.train(
        system,
        psi,
        optimizer=o.SGD(0.1, schedule=o.InverseDecay(100)),
        natural_gradient=o.SPRING(momentum=0.95, max_norm=5.0),
        iterations=iterations,
        walkers=walkers,
        block=walkers // 2,
        step_size=0.3,
        warmup=20,
        clip=5.0,
        seed=3,
    )
    return system, result, {"shells": shells, "excited": "excitations" in options}


@pytest.mark.parametrize("name", STATES)
def test_the_same_function(name):
    """log psi up to a constant, and local energies, after three iterations and a push that gives
    every parameter weight.
    """
    system, result, more = state(name, 3, 32)
    psi, rng = result.population.wavefunction, np.random.default_rng(5)
    theta = result.state.theta + 0.1 * rng.standard_normal(len(result.state.theta))
    bound, other = psi.bind(theta), Trap(system, psi.layout.values(theta), **more)
    r = rng.standard_normal((32, system.particles, system.dimensions)) / np.sqrt(system.omega)
    s = np.broadcast_to(system.spins, r.shape[:2]).copy()
    log = bound.log(r, s)
    difference = other.log(r) - log
    np.testing.assert_allclose(difference, difference[0], rtol=0, atol=1e-9)
    away = np.argsort(log)[-6:]  # from nodes
    energy = sum(t.local(Walkers(r[away], s[away]), bound) for t in system.terms.values())
    np.testing.assert_allclose(other.local_energy(r[away], step=1e-3), energy, rtol=1e-5, atol=1e-4)
    if more["excited"]:  # every class matters, and the state is not the determinant
        kinds = [kind for kind, _ in other.classes.found]
        assert len(kinds) > 5 and {"unlike", "both"} <= set(kinds)


@pytest.mark.verify
@pytest.mark.parametrize("name", ["pair excitations", "determinants", "three dimensions"])
def test_the_same_energy(name):
    """A trained state, by a walk and differences of its own: within four errors."""
    system, result, more = state(name, 60, 256, spread=0.01)
    found = vmc.evaluate(result, steps=80, interval=10, warmup=20)
    energy, error = Trap(system, result.parameters, **more).energy(300, 16)
    assert error < 5e-3 and found.error < 3e-3
    assert abs(energy - found.energy) < 4 * np.hypot(error, found.error)
