"""A training that starts from another one's parameters."""

import warnings

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.backend.stream import Stream
from vmcnet.engine.transfer import transferred

OPTIONS = {"optimizer": vmc.optimizers.Adam(0.02), "walkers": 128, "block": 64, "seed": 1}


def psi_of(system, hidden=3):
    psi = vmc.wavefunctions.GaussianRBM(system, hidden=hidden)
    return psi * vmc.wavefunctions.PadeJastrow(system)


@pytest.fixture(scope="module")
def trained():
    dot = vmc.systems.QuantumDot(particles=2, omega=1.0)
    return vmc.train(dot, psi_of(dot), iterations=5, **OPTIONS)


def test_parameters_by_name_where_shapes_agree(trained):
    weak = vmc.systems.QuantumDot(particles=2, omega=0.5)
    begun = vmc.train(weak, psi_of(weak), iterations=0, start=trained, **OPTIONS)
    longer = weak.length / trained.population.system.length
    power = {"rbm.b": 0, "jastrow.beta_unlike": -1}  # of a length; weights are lengths
    for name, value in begun.parameters.items():
        factor = longer ** power.get(name, 1)
        np.testing.assert_allclose(value, factor * trained.parameters[name], rtol=1e-14)
    given = vmc.train(weak, psi_of(weak), iterations=0, start=trained.parameters, **OPTIONS)
    for name, value in given.parameters.items():
        np.testing.assert_allclose(value, trained.parameters[name], rtol=1e-14)
    wider = psi_of(weak, hidden=5)
    found = transferred(wider, np.zeros(wider.layout.size), trained.parameters)
    assert found.unfit == ["rbm.b", "rbm.weights"] and not found.missing
    assert found.taken == ["rbm.a", "rbm.width", "jastrow.beta_unlike"]
    assert str(found).endswith("of another shape there: rbm.b, rbm.weights")


def test_what_is_not_taken_is_said(trained):
    """In memory too: a name of another psi, a shape of another size; nothing where all fits."""
    dot = trained.population.system
    values = {**trained.parameters, "rbm.c": 1.0}
    with pytest.warns(UserWarning, match="^start: 5 arrays.*without a place here: rbm.c$"):
        vmc.train(dot, psi_of(dot), iterations=0, start=values, **OPTIONS)
    with pytest.warns(UserWarning, match="of another shape there: rbm.b, rbm.weights"):
        vmc.train(dot, psi_of(dot, hidden=5), iterations=0, start=trained, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vmc.train(dot, psi_of(dot), iterations=0, start=trained, **OPTIONS)


def test_it_goes_on_from_there(trained):
    """The energy of a training that starts from five iterations lies below that of a fresh one."""
    dot = trained.population.system
    fresh = vmc.train(dot, psi_of(dot), iterations=1, **OPTIONS)
    going = vmc.train(dot, psi_of(dot), iterations=1, start=trained.parameters, **OPTIONS)
    assert going.series["energy"][0] < fresh.series["energy"][0]


def test_refused(trained):
    dot = trained.population.system
    envelope = vmc.wavefunctions.GaussianEnvelope(dot)
    with pytest.raises(ValueError, match="no parameter of the other run fits: it has jastrow"):
        vmc.train(dot, envelope, iterations=1, start=trained, **OPTIONS)
    broken = {**trained.parameters, "rbm.a": np.full(4, np.nan)}
    with pytest.raises(ValueError, match="not finite"):
        vmc.train(dot, psi_of(dot), iterations=1, start=broken, **OPTIONS)


def carried(make, first, second):
    """Both wavefunctions, theta of make(first) and of make(second) that started from it."""
    source, target = make(first), make(second)
    theta = source.start(Stream(3, 0, 0, 0))
    found = transferred(
        target,
        target.start(Stream(4, 0, 0, 0)),
        source.layout.values(theta),
        source.layout.units,
    )
    return source, target, theta, found.theta


def elliptical(system):
    return vmc.wavefunctions.EllipticalGaussian(system, alpha=0.7, beta=1.3)


def envelope(system):
    return vmc.wavefunctions.GaussianEnvelope(system, alpha=0.7)


def symmetric(system):
    return vmc.wavefunctions.GaussianRBM(system, symmetric=True, spread=0.5)


def machine(system):
    return vmc.wavefunctions.GaussianRBM(system, spread=0.5)


@pytest.mark.parametrize("make", [elliptical, envelope, symmetric, machine])
def test_lengths_follow_the_system(make):
    """psi of the wider trap at stretched coordinates is psi of the narrow one."""
    first, second = (vmc.systems.QuantumDot(particles=2, omega=w) for w in (1.0, 0.25))
    source, target, theta, carried_on = carried(make, first, second)
    r = np.random.default_rng(5).normal(size=(6, 2, 2))
    s = first.labels(6)
    here, there = source.bind(theta).log(r, s)[1], target.bind(carried_on).log(2.0 * r, s)[1]
    np.testing.assert_allclose(there, here, rtol=1e-12)


@pytest.mark.parametrize("lattice", [None, "bcc"])
def test_densities_follow_the_electron_gas(lattice):
    """What one r_s starts from becomes what the other starts from."""

    def make(system):
        return vmc.wavefunctions.Slater(system) * vmc.wavefunctions.PadeJastrow(system)

    number = 16 if lattice else 14
    first, second = (
        vmc.systems.ElectronGas(particles=number, r_s=x, lattice=lattice) for x in (2.0, 100.0)
    )
    _, target, _, carried_on = carried(make, first, second)
    np.testing.assert_allclose(carried_on, target.start(Stream(3, 0, 0, 0)), rtol=1e-12)
