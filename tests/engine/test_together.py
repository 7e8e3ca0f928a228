"""Blocks that a rank evaluates together have the bits that they have alone."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.engine import together
from vmcnet.kernels import cpu, numba_product, numba_rows
from vmcnet.sampling.langevin import Langevin
from vmcnet.wavefunctions.base import rowwise

w, s = vmc.wavefunctions, vmc.systems
compiled_only = pytest.mark.skipif(
    numba_product.REGISTERS is None, reason="this processor leaves products to BLAS"
)
BLOCKS, BLOCK = 5, 8


def dot(particles, **options):
    system = s.QuantumDot(particles=particles, omega=1.0)
    return system, w.Slater(system, **options) * w.PadeJastrow(system)


def two():
    system = s.QuantumDot(particles=2, omega=1.0)
    return system, w.GaussianRBM(system, hidden=4) * w.PadeJastrow(system)


def network(**options):
    system = s.TrappedBosons(particles=3, omega=1.0, dimensions=3)
    network = w.FeedForward(system, layers=[20, 32], **options)
    return system, w.GaussianEnvelope(system) * network


def spheres():
    system = s.TrappedBosons(particles=3, diameter=0.1)
    return system, w.EllipticalGaussian(system) * w.HardCoreJastrow(system)


def gas(**options):
    system = s.ElectronGas(particles=7, polarisation=1.0, **options)
    return system, w.Slater(system) * w.PadeJastrow(system)


def chain(**options):
    system = s.TransverseIsing(extent=[10])
    return system, w.BinaryRBM(system, **{"alpha": 1, **options})


def exchanges():
    system = s.Heisenberg(extent=[8])
    return system, w.BinaryRBM(system, alpha=1, weights="complex")


CASES = {
    "two electrons": (two, {}),
    "network": (network, {}),
    "network, float32": (network, {"precision": "float32"}),
    "network, natural gradient": (network, {"natural_gradient": vmc.optimizers.MinSR(0.01)}),
    "network of pairs": (lambda: network(symmetric=True, pairs=True), {}),
    "determinant, Langevin": (lambda: dot(6), {"sampler": Langevin()}),
    "hard spheres": (spheres, {}),
    "electron gas": (gas, {}),
    "chain": (chain, {}),
    "chain, two machines": (lambda: (chain()[0], chain()[1] * chain(alpha=2)[1]), {}),
    "chain, symmetric": (
        lambda: chain(symmetric=True),
        {"natural_gradient": vmc.optimizers.MinSR(0.01)},
    ),
    "exchanges, complex": (exchanges, {}),
    "electron gas, twisted": (lambda: gas(twist=[0.1, 0.2, 0.3]), {}),
}


def trained(make, options):
    system, psi = make()
    result = vmc.train(
        system,
        psi,
        iterations=2,
        warmup=1,
        steps=3,
        walkers=BLOCKS * BLOCK,
        block=BLOCK,
        seed=3,
        **options,
    )
    measured = vmc.evaluate(result, steps=3, warmup=1)
    r = np.concatenate([result.population.members[b].r for b in range(BLOCKS)])
    return result, (result.state.theta, result.series["energy"], r, measured.energy, measured.error)


@compiled_only
@pytest.mark.parametrize(("make", "options"), CASES.values(), ids=CASES)
def test_the_bits_of_blocks_alone(make, options, monkeypatch):
    result, found = trained(make, options)
    assert result.population._together.size > 1  # and no library multiplied
    assert not result.population._together._alone
    monkeypatch.setattr(together, "MOST", 1)
    result, alone = trained(make, options)
    assert result.population._together.size == 1
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_a_user_are_alone():
    """A class says so itself: neither a stranger nor a subclass is taken at its word."""

    class Own(w.PadeJastrow):
        pass

    class Said(Own):
        rowwise = True

    system = s.QuantumDot(particles=2, omega=1.0)
    rbm = w.GaussianRBM(system)
    assert rowwise(w.PadeJastrow(system)) and rowwise(Said(system)) and not rowwise(Own(system))
    assert rowwise(rbm * Said(system)) and not rowwise(rbm * Own(system))
    assert not rowwise(object())


class Centred:
    """A term that takes the mean over its walkers off, and says it does not."""

    rowwise = True

    def local(self, walkers, psi):
        x = (walkers.r**2).sum(axis=(1, 2))
        return x - x.mean()


class Counted(w.GaussianEnvelope):
    """psi of as many walkers as there are, and says it is of each alone."""

    rowwise = True

    def log_psi(self, ops, theta, walkers):
        phase, log = super().log_psi(ops, theta, walkers)
        return phase, log * (1.0 + 1e-9 * len(walkers.s))


class Apart(w.GaussianEnvelope):
    rowwise = True


def test_a_class_that_says_rowwise_and_is_not():
    """It is found at the first call of several blocks, in one line that names it."""
    system = s.QuantumDot(particles=2, omega=1.0, interaction="none")
    options = {"iterations": 1, "walkers": 64, "block": 16, "steps": 2, "warmup": 1}
    assert vmc.train(system, Apart(system), **options).population.together > 1
    with pytest.raises(ValueError, match=r"^Counted: rowwise = True, but"):
        vmc.train(system, Counted(system), **options)
    system.terms["centred"] = Centred()
    with pytest.raises(ValueError, match=r"^Centred: rowwise = True, but"):
        vmc.train(system, w.GaussianEnvelope(system), **options)


def test_where_a_library_multiplies_blocks_are_alone(monkeypatch):
    """Then every number is that of blocks alone, from the first call on."""
    monkeypatch.setattr(cpu, "LEAST", np.inf)
    result, found = trained(network, {})
    assert result.population._together._alone == {
        ("move", True, False),
        ("move", True, True),
        "gradient",
    }
    monkeypatch.setattr(together, "MOST", 1)
    result, alone = trained(network, {})
    assert result.population._together.size == 1
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@compiled_only
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1, 3, 2), (7, 5, 1), (100, 16, 1), (25, 2, 15), (5, 64, 1)])
def test_products_of_few_rows_or_columns(shape, dtype):
    m, terms, n = shape
    rng = np.random.default_rng(2)
    a = rng.normal(size=(m, terms)).astype(dtype)
    b = rng.normal(size=(terms, n)).astype(dtype)
    exact, size = a.astype(np.longdouble) @ b, np.abs(a) @ np.abs(b)
    for x, y, flags in (
        (a, b, (False, False)),
        (np.ascontiguousarray(a.T), b, (True, False)),
        (a, np.ascontiguousarray(b.T), (False, True)),
    ):
        out = np.empty((m, n), dtype)
        numba_rows.multiply(x, y, out, 1, *flags)
        assert (np.abs(out - exact) <= terms * np.finfo(dtype).eps * size).all()
        one = np.empty((1, n), dtype)
        if not flags[0]:
            numba_rows.multiply(x[-1:], y, one, 1, *flags)
            np.testing.assert_array_equal(one[0], out[-1])
    if n == 1 and terms % 16 == 0:
        out = np.empty(m, dtype)
        numba_rows.onto_column(a, b.ravel(), out)
        assert (np.abs(out - exact[:, 0]) <= terms * np.finfo(dtype).eps * size[:, 0]).all()
