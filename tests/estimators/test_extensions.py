"""Richer wavefunctions as candidates: each starts as psi, and its features are differences."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.backend.stream import Stream
from vmcnet.estimators.candidates import OwnParameters, Sample
from vmcnet.estimators.extensions import Extended, chosen, default_candidates, richer
from vmcnet.walkers import Walkers

w, systems = vmc.wavefunctions, vmc.systems
EVERY = ["mixed shells", "further determinants"]
NETWORK = ["wider network", "another pass"]


def network(**options):
    return w.MessagePassing(**{"width": 3, "passes": 1, "spread": 0.1, **options})


def dot(spin=0.0, **options):
    system = systems.QuantumDot(6 if spin == 0 else 5, 1.0, spin_projection=spin)
    return system, w.Slater(system, **options) * w.PadeJastrow(system)


def gas(**options):
    system = systems.ElectronGas(10, 2.0, 2)
    return system, w.Slater(system, **options) * w.PadeJastrow(system)


def twisted():
    system = systems.ElectronGas(4, 2.0, 2, twist=(0.3, 0.1))
    return system, w.Slater(system, network=network())


def neutrons(kind):
    system = systems.NeutronMatter(14, 0.04)
    return system, kind(system, network=network(width=2))


def states():
    """name -> (system, psi) and what it is offered."""
    attention = network(passes=2, edges="attention")
    two = {"determinants": 2, "heads": ["backflow", "orbitals"]}
    excited = ["more pair excitations", "mixed shells", "orbital factors", "virtual backflow"]
    plain = ["pair excitations", *EVERY]
    yield "dot", dot(), plain
    yield "dot mixed", dot(0.5, determinants=2, mixing=1), EVERY
    yield "dot excited", dot(network=network(), excitations=1), [*excited, *NETWORK]
    yield "open shell", dot(0.5, network=network(), excitations=1), [*excited, *NETWORK]
    more = ["network Jastrow", *EVERY, *NETWORK]
    yield "dot attention", dot(0.5, network=attention, **two), more
    full = network(passes=2, edges="full")
    yield "dot full", dot(network=full), [*plain, "orbital factors", *NETWORK]
    yield "gas", gas(network=network()), [*plain, "orbital factors", *NETWORK]
    yield "gas excited", gas(network=network(range=1.5), excitations=1), [*excited, *NETWORK]
    complex_ = ["complex backflow", "orbital factors", *EVERY, *NETWORK]  # no pair fits one shell
    yield "gas twisted", twisted(), complex_
    yield "Pfaffian", neutrons(w.Pfaffian), ["more shells", *NETWORK]
    yield "hidden fermions", neutrons(w.HiddenFermions), ["more shells", "another pass"]
    system, psi = dot()
    yield "Jastrow", (system, psi * w.NetworkJastrow(system, network())), [*plain, "another pass"]


STATES = {name: (*found, names) for name, found, names in states()}


@pytest.mark.parametrize("name", STATES)
def test_each_starts_as_psi_and_agrees_with_differences(name):
    system, psi, names = STATES[name]
    theta = psi.start(Stream(1, 0, 0, 0))
    rng = np.random.default_rng(2)
    theta = theta + 0.05 * rng.normal(size=theta.shape)
    bound, walkers = psi.bind(theta), system.start(Stream(3, 0, 0, 0), 40)
    kept = np.argsort(bound.log(walkers.r, walkers.s).real)[-4:]  # away from nodes
    walkers = Walkers(walkers.r[kept], walkers.s[kept])
    values = psi.layout.values(theta)
    sample = Sample(system, bound, walkers, values)
    found = list(richer(psi))
    assert sorted(c.name for c in found) == sorted(names)
    amplitude = bound.amplitude(walkers.r, walkers.s)
    for candidate in found:
        more = candidate.wavefunction
        start = more.layout.pack(candidate.start(values))
        ratio = more.bind(start).ratio(walkers.r, walkers.s, amplitude)
        np.testing.assert_allclose(ratio, 1.0, rtol=1e-11, err_msg=candidate.name)
        features, columns = candidate.features(sample), candidate.columns(values)
        assert features.shape == (4, len(columns)) and (start[columns] == 0).all()
        assert (np.abs(features).max(axis=0) > 1e-9).mean() > 0.5  # first-order changes
        for way in rng.normal(size=(2, len(columns))):
            h, logs = 1e-5, []
            for sign in (1, -1):
                moved = start.copy()
                moved[columns] += sign * h * way
                logs.append(more.bind(moved).log(walkers.r, walkers.s))
            apart = logs[0] - logs[1]  # of complex psi up to 2 pi i
            if apart.dtype.kind == "c":
                apart = apart.real + 1j * np.angle(np.exp(1j * apart.imag))
            slope = apart / (2 * h)
            bar = 1e-6 * (1 + np.abs(slope).max())
            np.testing.assert_allclose(features @ way, slope, rtol=1e-6, atol=bar)


def test_names_choose():
    system, psi, names = STATES["dot excited"]
    known = [c.name for c in default_candidates(system, psi)]
    assert set(names) < set(known) and "3-body backflow" in known
    own = OwnParameters()
    found = chosen(["wider network", own], system, psi)
    assert found[0].name == "wider network" and found[1] is own
    assert [c.name for c in chosen(None, system, psi)] == known
    with pytest.raises(ValueError, match="candidate 'wider': expected one of own parameters"):
        chosen(["wider"], system, psi)


def test_an_array_that_does_not_fit_is_refused():
    psi = STATES["dot excited"][1]
    smaller = dot(network=network(width=2), excitations=1)[1]
    values = psi.layout.values(psi.start(Stream(1, 0, 0, 0)))
    with pytest.raises(ValueError, match=r"slater.network_pair_weights has the shape \(4, 2\)"):
        Extended("narrower", smaller, opened={}).start(values)
