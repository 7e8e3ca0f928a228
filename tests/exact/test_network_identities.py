"""Kinetic energies of networks against identities of the exact integral, in one dimension by
quadrature.
"""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet import kernels
from vmcnet.backend.stream import Stream
from vmcnet.kernels import numba_product
from vmcnet.walkers import Walkers


@pytest.mark.parametrize("layers", [[32, 32], [32, 32, 32], [7, 5], [32]], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "gelu", "logcosh"])
def test_integrals_by_parts(layers, activation, monkeypatch):
    """For any psi: int psi^2 2 x (log psi)' = - int psi^2, and int psi (-psi''/2) = int psi'^2 / 2.

    The first fixes sign and size of the gradient, the second those of the Laplacian beside it; the
    trapezoidal rule of a decaying analytic function
    converges exponentially.
    """
    system = vmc.systems.Particles(
        particles=1, dimensions=1, potentials={"trap": lambda r: 0.5 * (r**2).sum(axis=(1, 2))}
    )
    psi = vmc.wavefunctions.GaussianEnvelope(system) * vmc.wavefunctions.FeedForward(
        system, layers, activation, spread=0.5
    )
    calls, own = [], kernels.of(np, np.dtype(np.float64))
    layer_onto = own.layer_onto
    monkeypatch.setattr(own, "layer_onto", lambda *parts: calls.append(1) or layer_onto(*parts))
    x = np.linspace(-14, 14, 2801)
    walkers = Walkers(x[:, None, None], system.labels(len(x)))
    log, (gradient,), laplacian = psi.bind(psi.start(Stream(4, 0, 0, 0))).jet(walkers)
    assert bool(calls) == (
        layers[-1] == 32 and len(layers) > 1 and numba_product.REGISTERS is not None
    )
    density = np.exp(2.0 * (log - log.max()))
    density /= density.sum()
    assert np.abs(gradient + x).max() > 0.01  # not the envelope alone
    assert abs((density * 2.0 * x * gradient).sum() + 1.0) < 1e-11
    kinetic, direct = (
        (density * -0.5 * (laplacian + gradient**2)).sum(),
        (density * 0.5 * gradient**2).sum(),
    )
    assert abs(kinetic - direct) < 1e-11 and direct > 0.1
