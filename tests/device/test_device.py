"""The numerics on a device: through a strict stand-in for CuPy here, on a GPU with the marker
`gpu`; the same numbers as on the host.
"""

import sys
import types

import numpy as np
import pytest

from tests.calculus.cases import (
    CASES,
    DIMENSIONS,
    by_operation,
    check_each,
    coordinates,
    evaluated,
    parameters,
)
from tests.device import fakecupy
from vmcnet.backend.arrays import namespace, to_host
from vmcnet.backend.device import Device, choose, memory
from vmcnet.backend.stream import Stream
from vmcnet.calculus.jets import Jets
from vmcnet.calculus.tape import Tape
from vmcnet.calculus.values import Values
from vmcnet.engine.fitting import device_for, fit
from vmcnet.engine.likelihood import DataPopulation
from vmcnet.engine.population import Population
from vmcnet.engine.training import initial_state, run_training, train
from vmcnet.kernels import cpu, philox
from vmcnet.optimizers import Adam
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.gibbs import Gibbs
from vmcnet.sampling.langevin import Langevin
from vmcnet.sampling.one_particle import OneParticle
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip
from vmcnet.storage.run_file import conditions
from vmcnet.systems import Heisenberg, QuantumDot, TransverseIsing
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import (
    BinaryRBM,
    FeedForward,
    GaussianEnvelope,
    GaussianRBM,
    MessagePassing,
    PadeJastrow,
    Slater,
    SpinJastrow,
)

STANDIN = sys.modules["fakecupy"]


@pytest.fixture(params=["stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    return STANDIN if request.param == "stand-in" else pytest.importorskip("cupy")


MIXED = {
    "device + host": lambda a, h: a + h,
    "host * device": lambda a, h: h * a,
    "np.add": lambda a, h: np.add(a, h),
    "a[host]": lambda a, h: a[h.astype(int)],
    "a[0] = host": lambda a, h: a.__setitem__(slice(None), h),
    "np.asarray": lambda a, h: np.asarray(a),
    "sum(where=host)": lambda a, h: a.sum(where=h > 0),
    "np.concatenate": lambda a, h: np.concatenate([a, h]),
    "out=host": lambda a, h: np.sin(a, out=h),
}


@pytest.mark.parametrize("name", MIXED)
def test_the_stand_in_is_strict(name):
    with pytest.raises(TypeError):
        MIXED[name](STANDIN.ones(3), np.ones(3))


def test_the_stand_in_counts():
    before = dict(fakecupy.transfers)
    a = STANDIN.asarray(np.ones(3)) + 1.0
    assert (
        isinstance(a, fakecupy.ndarray)
        and namespace(a) is STANDIN
        and float(a.sum()) == 6.0
        and to_host(a).tolist() == [2, 2, 2]
    )
    assert np.sqrt(a).dtype == np.float64 and isinstance(np.sqrt(a), fakecupy.ndarray)
    assert {k: fakecupy.transfers[k] - before[k] for k in before} == {"to_device": 1, "to_host": 2}


@pytest.mark.parametrize("first", [0, 1, 3, 4, 7, 1022])
def test_philox_is_that_of_numpy(xp, first):
    for key, counter in (
        ((0, 0), (0, 0, 0, 0)),
        ((2**63 - 1, 17), (0, 0, 2**40 + 3, 2**63)),
        ((12345, 1003), (0, 9, 77, 8)),
    ):
        bits = np.random.Philox(key=list(key), counter=list(counter))
        known = bits.random_raw(first + 37)[first:]
        assert np.array_equal(to_host(philox.philox_words(xp, key, counter, first, 37)), known)
        assert np.array_equal(cpu.philox_words(key, counter, first, 37), known)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_device_stream(xp, dtype):
    """Call by call the numbers of the host's stream, any sizes."""
    host, device = Stream(5, 1, 8, 3, dtype), Stream(5, 1, 8, 3, dtype, xp)
    for draw, shape in (
        ("normal", (3, 5)),
        ("uniform", (7,)),
        ("normal", (2, 2, 2)),
        ("uniform", (1,)),
        ("uniform", (0, 3)),
        ("normal", (129,)),
    ):
        known, found = getattr(host, draw)(shape), getattr(device, draw)(shape)
        assert found.dtype == known.dtype == dtype
        np.testing.assert_allclose(
            to_host(found),
            known,
            rtol=1e-12 if dtype == np.float64 else 1e-6,
            atol=1e-14 if dtype == np.float64 else 1e-6,
        )


SOME = by_operation(
    c for k, c in enumerate(CASES) if k % 4 == 0 or c[0] not in {other[0] for other in CASES[:k]}
)  # and the first of every operation


@pytest.mark.parametrize("operation", SOME)
def test_every_reading(xp, operation):
    check_each(SOME[operation], lambda n, function: readings_agree(xp, n, function))


def readings_agree(xp, n, function):
    """Values, jets and tape of the operations on the device are those of the host, without a
    transfer to the host.
    """
    r, theta = coordinates(n), parameters()

    def readings(space):
        there = {k: space.asarray(v) for k, v in theta.items()}
        position = space.asarray(r)
        before = fakecupy.transfers["to_host"]
        out = []
        for ops in Values(space), Jets(space, n, DIMENSIONS):
            y, _, _ = evaluated(ops, function, position, there)
            out += list(ops.read(y)) if isinstance(ops, Jets) else [y.data]
        for per_walker in (False, True):
            ops = Tape(space, coordinates_wanted=True)
            y, _, _ = evaluated(ops, function, position, there)
            ones = space.ones(y.shape, y.data.dtype)
            found = ops.reverse(y, ones, per_walker)
            out += [y.data, *(array for _, array in sorted(found.items()))]
        assert space is np or fakecupy.transfers["to_host"] == before
        return out

    found, known = readings(xp), readings(np)
    for a, b in zip(found, known, strict=True):
        assert namespace(a) is xp and a.dtype == b.dtype
        np.testing.assert_allclose(to_host(a), b, rtol=1e-10, atol=1e-11)


def trained(device, sampler, steps=3, iterations=3, precision="float64"):
    system = QuantumDot(2)
    psi = (
        GaussianEnvelope(system)
        * FeedForward(system, [6, 6], skip=True, pairs=True)
        * PadeJastrow(system)
    )
    population, optimizer = (
        Population(system, psi, sampler, SerialCommunicator(), 3, 32, 8, Device(device, precision)),
        Adam(0.01),
    )
    population.start()
    state, energies = initial_state(psi, optimizer, 3, np.float64(0.6)), []
    run_training(
        population,
        optimizer,
        state,
        iterations=iterations,
        steps=steps,
        warmup=1,
        save=lambda s: None,
        poll=lambda: 0,
        record=lambda phase, done, total, row: (
            energies.append(row["energy"]) if phase == "training" else None
        ),
    )
    return population, state, np.array(energies)


@pytest.mark.parametrize("sampler", [Gaussian(), OneParticle(), Langevin()], ids=lambda s: s.name)
def test_training_is_that_of_the_host(xp, sampler):
    (there, state, energies), (here, known_state, known) = (
        trained(xp, sampler),
        trained(np, sampler),
    )
    assert all(namespace(w.r) is xp for w in there.members.values()) and all(
        namespace(w.r) is np for w in here.members.values()
    )
    np.testing.assert_allclose(energies, known, rtol=1e-8)
    np.testing.assert_allclose(state.theta, known_state.theta, atol=1e-8)
    r, _ = there.collect()
    np.testing.assert_allclose(r, here.collect()[0], atol=1e-8)


@pytest.mark.parametrize("sampler", [Gaussian(), OneParticle(), Langevin()], ids=lambda s: s.name)
def test_no_transfer_in_the_inner_loops(sampler):
    """More Metropolis steps, no more transfers: a block's iteration has a fixed number of them."""

    def count(steps, iterations):
        before = dict(fakecupy.transfers)
        trained(STANDIN, sampler, steps, iterations)
        return {k: fakecupy.transfers[k] - before[k] for k in before}

    one, few, many = count(2, 1), count(2, 3), count(20, 3)
    assert few == many
    assert (few["to_host"] - one["to_host"]) / (
        2 * 4
    ) <= 5  # a block's iteration: counts, row, gradient
    assert (
        few["to_device"] - one["to_device"]
    ) / 2 <= 40  # an iteration: its parameters, and a number or two a block


@pytest.mark.parametrize("sampler", [Gaussian(), OneParticle(), Langevin()], ids=lambda s: s.name)
def test_float32(xp, sampler):
    """Walkers, log psi and local energies are float32; theta and the energies' sums stay float64
    and agree with float64 to its rounding.
    """
    population, state, energies = trained(xp, sampler, precision="float32", iterations=2)
    assert all(w.r.dtype == w.log_psi.dtype == np.float32 for w in population.members.values())
    assert state.theta.dtype == np.float64
    np.testing.assert_allclose(energies, trained(np, sampler, iterations=2)[2], rtol=2e-3)


def test_fermions(xp):
    """Determinants with a network and excitations: log psi, jets and gradients as on the host, and
    no transfers while spins stay.
    """
    system = QuantumDot(5)
    network = MessagePassing(width=4, passes=1, spread=0.2)
    psi = Slater(system, network=network, mixing=1, excitations=1) * PadeJastrow(system)
    theta = psi.start(Stream(1, 0, 0, 0))
    theta = theta + 0.1 * np.random.default_rng(1).normal(size=theta.shape)
    bound, walkers = psi.bind(theta), system.start(Stream(2, 0, 0, 0), 8)
    walkers.s[3], walkers.s[5] = walkers.s[3, ::-1], walkers.s[5, [4, 1, 2, 3, 0]]
    there = Walkers(xp.asarray(walkers.r), xp.asarray(walkers.s))
    for a, b in zip(bound.jet(there), bound.jet(walkers), strict=True):
        np.testing.assert_allclose(to_host(a), b, rtol=1e-9, atol=1e-9)
    for a, b in zip(
        bound.amplitude(there.r, there.s), bound.amplitude(walkers.r, walkers.s), strict=True
    ):
        np.testing.assert_allclose(to_host(a), b, rtol=1e-11)
    np.testing.assert_allclose(
        to_host(bound.log_derivatives(there)), bound.log_derivatives(walkers), rtol=1e-8, atol=1e-9
    )
    bound.log(there.r, there.s)
    before = dict(fakecupy.transfers)
    for _ in range(3):
        bound.log(there.r * 1.01, there.s)
    if xp is STANDIN:
        assert fakecupy.transfers["to_host"] == before["to_host"]


@pytest.mark.parametrize(
    ("system", "psi"), [(TransverseIsing([6]), BinaryRBM), (QuantumDot(2), GaussianRBM)]
)
def test_learning_from_data(xp, system, psi):
    """The gradient of the likelihood is that of the host."""
    psi, data = psi(system), system.start(Stream(1, 0, 0, 0), 20)
    theta, found = psi.start(Stream(2, 0, 0, 0)), []
    for space in (xp, np):
        parts = system, psi, fit(system, psi), SerialCommunicator(), 1, 16, 8, Device(space)
        population = DataPopulation(data, *parts)
        population.start()
        weights = population.weights(*population.advance(theta, 2, 0, 2, 1.0))
        found.append(population.gradient(theta, weights))
    np.testing.assert_allclose(*found, atol=1e-10)


def test_choice(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # not installed
    assert choose("cpu").xp is np and choose("auto").xp is np
    with pytest.raises(ValueError, match="CuPy is not installed"):
        choose("gpu")
    used, cuda = (
        [],
        types.SimpleNamespace(
            runtime=types.SimpleNamespace(getDeviceCount=lambda: 4),
            Device=lambda k: types.SimpleNamespace(use=lambda: used.append(k)),
        ),
    )
    fake = types.SimpleNamespace(__name__="cupy", __version__="13", cuda=cuda)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    assert [choose("gpu", "float32", rank).xp for rank in (0, 3, 5)] == [fake] * 3 and used == [
        0,
        3,
        1,
    ]
    runtime = cuda.runtime
    runtime.getDeviceProperties = lambda k: {"name": b"A card"}
    runtime.runtimeGetVersion = lambda: 12040
    cuda.Device = lambda: types.SimpleNamespace(mem_info=(2**30, 2**36))
    assert memory(fake) == 2**36 > memory(STANDIN)
    cuda.Device = lambda: types.SimpleNamespace(id=0)
    assert Device(fake).card == "A card, CuPy 13, CUDA 12040"
    assert Device(fake).describe() == "A card, CuPy 13, CUDA 12040, float64"
    assert Device().card == "" and conditions(1, Device(fake).card)["gpu"] == Device(fake).card
    assert "gpu" not in conditions(1)

    def old_driver():
        raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")

    runtime.getDeviceCount = old_driver
    with pytest.raises(ValueError, match="finds no CUDA device: cudaErrorInsufficientDriver"):
        choose("gpu")
    assert choose("auto").xp is np
    runtime.getDeviceCount = lambda: 0
    assert choose("auto").xp is np
    with pytest.raises(ValueError, match="finds no CUDA device"):
        choose("gpu")
    with pytest.raises(ValueError, match="precision"):
        choose("cpu", "float16")
    with pytest.raises(ValueError, match="device"):
        choose("tpu")

    class Broken:
        """An import that finds the package and not the driver's library."""

        def find_spec(self, name, path=None, target=None):
            if name == "cupy":
                raise ImportError("====\nCuPy failed to load\nlibcuda.so.1: cannot open\n====")

    monkeypatch.delitem(sys.modules, "cupy")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ValueError, match=r"CuPy cannot be imported: libcuda.so.1: cannot open"):
        choose("gpu")


def test_what_a_device_serves_on_a_lattice():
    """From Python as from a job; the kernels know real machines alone."""
    chain, magnet = TransverseIsing([6]), Heisenberg([6])
    real, pairs = BinaryRBM(chain), SpinJastrow(chain)
    assert device_for(chain, real, SpinFlip(chain), "auto").xp is np
    for system, psi, sampler in (
        (chain, pairs, SpinFlip(chain)),
        (chain, real * pairs, SpinFlip(chain)),
        (chain, real, Gibbs(chain)),
        (magnet, BinaryRBM(magnet, weights="complex"), Exchange(magnet)),
    ):
        with pytest.raises(ValueError, match="device: on a lattice a GPU serves real binary_rbm"):
            train(system, psi, sampler=sampler, device="gpu", iterations=1, walkers=8, block=8)
    with pytest.raises(ValueError, match="precision: the kernels of lattices"):
        train(chain, real, precision="float32", iterations=1, walkers=8, block=8)
