"""A network of six electrons trained in float32: the energy that float64 finds."""

import numpy as np
import pytest

import vmcnet as vmc


def trained(precision):
    dot = vmc.systems.QuantumDot(6, omega=1.0)
    w, o = vmc.wavefunctions, vmc.optimizers
    result = vmc.train(
        dot,
        w.Slater(dot, network=w.MessagePassing()) * w.PadeJastrow(dot),
        optimizer=o.SGD(0.1, schedule=o.InverseDecay(100)),
        natural_gradient=o.SPRING(momentum=0.95, max_norm=5.0),
        iterations=80,
        walkers=256,
        step_size=0.3,
        clip=5.0,
        seed=11,
        precision=precision,
    )
    return result, vmc.evaluate(result, steps=150, interval=10)


@pytest.mark.verify
def test_six_electrons_in_float32_as_in_float64():
    (double, wide), (single, narrow) = trained("float64"), trained("float32")
    assert single.population.members[0].r.dtype == np.float32
    assert double.population.members[0].r.dtype == np.float64
    error = np.hypot(wide.error, narrow.error)
    print(f"float64 {wide.energy:.5f}, float32 {narrow.energy:.5f}, error {error:.5f}")
    assert abs(wide.energy - narrow.energy) < 3 * error < 6e-3
    assert max(wide.energy, narrow.energy) < 20.165
    assert abs(narrow.variance / wide.variance - 1.0) < 0.3
