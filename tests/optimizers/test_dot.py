"""Every first-order optimizer finds the exact state of two electrons, from far off, with the noise
of sampling.
"""

import numpy as np
import pytest

from tests.exact.states import Pair
from vmcnet.engine.training import train
from vmcnet.optimizers import SGD, AdaGrad, Adam, Cosine, InverseDecay, Momentum, RMSprop
from vmcnet.systems import QuantumDot

OPTIMIZERS = {
    "sgd": SGD(0.4),
    "heavy ball": Momentum(0.06),
    "nesterov": Momentum(0.06, nesterov=True),
    "adagrad": AdaGrad(0.3),
    "rmsprop, inverse decay": RMSprop(0.03, schedule=InverseDecay(30.0)),
    "adam, cosine": Adam(0.04, schedule=Cosine(150, 0.02)),
    "adam, clipped steps": Adam(0.04, max_norm=0.03, schedule=Cosine(150, 0.02, warmup=10)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_minimum_on_the_dot(name):
    result = train(
        QuantumDot(2),
        Pair(),
        optimizer=OPTIMIZERS[name],
        iterations=160,
        walkers=128,
        block=64,
        steps=5,
        warmup=20,
        seed=6,
    )
    energy = result.series["energy"]
    assert energy[:3].mean() > 3.02
    assert abs(energy[-20:].mean() - 3.0) < 1e-3
    np.testing.assert_allclose(
        [result.parameters["slope"], result.parameters["alpha"]], [1.0, 0.5], atol=0.08
    )
