"""A training that starts from another one's parameters."""

import numpy as np
import pytest

import vmcnet as vmc
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
    for name, value in begun.parameters.items():
        np.testing.assert_allclose(value, trained.parameters[name], rtol=1e-14)
    wider = psi_of(weak, hidden=5)
    found = transferred(wider, np.zeros(wider.layout.size), trained.parameters)
    assert found.unfit == ["rbm.b", "rbm.weights"] and not found.missing
    assert found.taken == ["rbm.a", "rbm.width", "jastrow.beta_unlike"]
    assert str(found).endswith("of another shape there: rbm.b, rbm.weights")


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
