"""The device kernels against the host's twins, through vmcnet.kernels.gpu: on a GPU, and without
one from the CUDA source compiled for the host.
"""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.hosted import gpu_module
from tests.kernels.test_machine import SYSTEMS, random_machine
from tests.spins import walkers_of
from vmcnet import wavefunctions
from vmcnet.backend.arrays import namespace, to_host
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream
from vmcnet.calculus.elementwise import ACTIVATIONS
from vmcnet.engine import together
from vmcnet.engine.population import TRAINING, Population
from vmcnet.kernels import cpu, linalg, plain
from vmcnet.optimizers import MinSR
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.spin_metropolis import Exchange, SpinFlip
from vmcnet.wavefunctions.machines import machine
from vmcnet.wavefunctions.machines.device_tables import DeviceTables
from vmcnet.wavefunctions.machines.machine import MachineTables

STANDIN = sys.modules["fakecupy"]


@pytest.fixture(scope="module", params=["hosted", pytest.param("cupy", marks=pytest.mark.gpu)])
def device(request, tmp_path_factory):
    """The kernels and the namespace of their arrays."""
    if request.param == "hosted":
        return gpu_module(tmp_path_factory.mktemp("kernels")), STANDIN
    cupy = pytest.importorskip("cupy")
    from vmcnet.kernels import gpu, linalg_gpu
    from vmcnet.wavefunctions.machines import device as machines

    return SimpleNamespace(gpu=gpu, linalg=linalg_gpu, machines=machines), cupy


def close(a, b, dtype=np.float64):
    np.testing.assert_allclose(
        to_host(a), b, rtol=1e3 * np.finfo(dtype).eps, atol=1e3 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_elementwise_and_jet_rules(device, dtype):
    gpu, xp = device[0].gpu, device[1]
    x = np.append(np.linspace(-30, 30, 301), np.nan).astype(dtype)
    for function in ACTIVATIONS:
        for a, b in zip(
            gpu.activation(function.name, xp.asarray(x)),
            cpu.activation(function.name, x),
            strict=True,
        ):
            close(a, b, dtype)
    rng = np.random.default_rng(2)
    jet, rest, jacobian = (
        rng.normal(size=s).astype(dtype) for s in ((8, 7, 19), (3, 7, 19), (6, 1, 19))
    )
    there = xp.asarray(jet)
    gpu.chain(there, *xp.asarray(rest))
    cpu.chain(jet, *rest)
    close(there, jet, dtype)
    close(
        gpu.chain_linear(xp.asarray(jacobian), *xp.asarray(rest)),
        cpu.chain_linear(jacobian, *rest),
        dtype,
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("several", [True, False])
def test_metropolis_steps(device, several, dtype, monkeypatch):
    """psi = 0 is a rejection, NaN one that counts; what does not fit goes to the array code."""
    gpu, xp = device[0].gpu, device[1]
    rng, walkers = np.random.default_rng(3), 301
    thresholds, log, trial_log, ratio = rng.normal(size=(4, walkers)).astype(dtype)
    trial_log[:9], log[:6] = (
        [-np.inf, np.nan, np.inf] * 3,
        [-np.inf, -np.inf, -np.inf, *[np.nan] * 3],
    )
    r, trial = rng.normal(size=(2, walkers, 3, 2)).astype(dtype)
    counts = np.arange(2 * walkers).reshape(2, -1)
    arrays = thresholds, log, trial_log, ratio if several else 0.25, r, trial, *counts
    there = [x if np.isscalar(x) else xp.array(xp.asarray(x)) for x in arrays]
    with np.errstate(invalid="ignore"):
        known = plain.moved(np, *arrays)
    monkeypatch.setattr(plain, "moved", None)  # not that one
    np.testing.assert_array_equal(to_host(gpu.moved(*there)), known)
    assert 0 < known.sum() < walkers
    for a, b in zip(there, arrays, strict=True):
        if not np.isscalar(b):
            np.testing.assert_array_equal(to_host(a), b)
    monkeypatch.undo()
    wide = xp.asarray(np.repeat(log, 2))[::2]
    before = to_host(wide)
    with np.errstate(invalid="ignore"):
        accept = gpu.moved(there[0], wide, *there[2:])
    stay = ~to_host(accept)
    assert namespace(accept) is xp and not stay.all()
    np.testing.assert_array_equal(to_host(wide)[stay], before[stay])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [1, 2, 7, 20])
def test_determinants(device, dtype, m):
    there, xp = device[0].linalg, device[1]
    rng = np.random.default_rng(m)
    a, slots = (rng.normal(size=s).astype(dtype) for s in ((11, 3, m, m), (6, 11, 3, m, m)))
    a += 3 * np.eye(m, dtype=dtype)  # pivots are still needed, conditions stay small
    a[0], a[1] = a[0] * dtype(1e8), a[1] * dtype(1e-8)
    a[2, 1], a[3, 0, 0, 0] = 0, np.nan
    back = linalg.inverse(a)
    for x, y in zip(there.slogdet(xp.asarray(a)), linalg.slogdet(a), strict=True):
        close(x, y, dtype)
    for x, y in zip(there.inverse(xp.asarray(a)), back, strict=True):
        scale = abs(y).max(axis=(-2, -1), keepdims=True) if y.ndim == 4 else 1
        close(to_host(x) / scale, y / scale, dtype)
    some = [0, 1, 4, 5, 6, 7, 8, 9, 10]
    b = np.ascontiguousarray(back[0][some] / abs(back[0][some]).max(axis=(-2, -1), keepdims=True))
    s = np.ascontiguousarray(slots[:, some])
    close(there.traces(xp.asarray(b), xp.asarray(s))[1:], linalg.traces(b, s)[1:], dtype)
    if m % 2 == 0:
        skew = a - np.swapaxes(a, -1, -2)
        for x, y in zip(there.slogpf(xp.asarray(skew)), linalg.slogpf(skew), strict=True):
            close(to_host(x)[some], y[some], dtype)
        zero = np.zeros((2, m, m), dtype)
        sign, log = there.slogpf(xp.asarray(zero))
        assert (to_host(sign) == 0).all() and (to_host(log) == -np.inf).all()


def test_words(device):
    gpu = device[0].gpu
    for first in (0, 3, 1021):
        known = np.random.Philox(key=[7, 2], counter=[0, 0, 5, 3]).random_raw(first + 501)[first:]
        assert np.array_equal(to_host(gpu.philox_words((7, 2), (0, 0, 5, 3), first, 501)), known)


@pytest.mark.parametrize("width", [0.02, 0.4, 3.0])
@pytest.mark.parametrize("name", SYSTEMS)
def test_machine_kernels_equal_their_twin(device, name, width, monkeypatch):
    """Sweeps move by move, local energies (ratios in parts), log-derivatives; width 3: several
    groups of units.
    """
    gpu, xp = device[0].machines, device[1]
    monkeypatch.setattr(gpu, "CONNECTIONS", 5 * 48)
    system = SYSTEMS[name]
    sampler = (SpinFlip if name == "flips" else Exchange)(system)
    machine, s = random_machine(12, 29, width, False), system.start(Stream(2, 0, 0, 0), 48).s
    assert (machine.group_size < 29) == (width == 3.0)
    twin, there = (
        MachineTables(machine, walkers_of(s)),
        DeviceTables(machine, walkers_of(xp.asarray(s)), xp, gpu),
    )
    for steps in (1, 3, 70):  # 70: renewed on the way
        sequence, limits = sampler.plan(Stream(3, 2, steps, 0), steps, 48)
        for a, b in zip(
            twin.sweep(sampler.moves, sequence, limits),
            there.sweep(sampler.moves, sequence, limits),
            strict=True,
        ):
            np.testing.assert_array_equal(a, to_host(b))
        np.testing.assert_array_equal(twin.spins(), to_host(there.spins()))
        np.testing.assert_allclose(to_host(there.tanh()), twin.tanh(), rtol=1e-9, atol=1e-11)
    elements = np.random.default_rng(1).normal(size=len(sampler.moves))
    np.testing.assert_allclose(
        to_host(there.connected(sampler.moves, elements)),
        twin.connected(sampler.moves, elements),
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [("flips", {}), ("flips", {"symmetric": True, "alpha": 2}), ("exchanges", {})],
)
@pytest.mark.parametrize("joined", [True, False])
def test_a_population_on_the_device(device, name, options, joined, monkeypatch):
    """Two iterations: the same spins as on the host, the same energies, gradient and natural
    direction to rounding; kernels used, not log psi.
    """
    gpu, xp = device[0].machines, device[1]
    monkeypatch.setattr(machine, "device_kernels", lambda xp: gpu)
    monkeypatch.setattr(together, "FILLED", 2**23 if joined else 1)
    system, found = SYSTEMS[name], []
    psi = wavefunctions.BinaryRBM(system, **options, spread=0.3)
    theta = psi.start(Stream(1, 0, 0, 0))
    swept = []
    sampler = (SpinFlip if name == "flips" else Exchange)(system)
    elements = np.ones(len(sampler.moves))
    monkeypatch.setattr(
        gpu, "machine_sweep", lambda *a, sweep=gpu.machine_sweep: swept.append(1) or sweep(*a)
    )
    for where in (np, xp):
        people = Population(
            system,
            psi,
            sampler,
            SerialCommunicator(),
            4,
            32,
            16,
            Device(where),
        )
        people.start()
        people.advance(theta, TRAINING, 0, 2, 1.0)
        summary, energies = people.advance(theta, TRAINING, 1, 2, 1.0)
        weights = people.weights(summary, energies)
        tangents = people.tangents(theta, weights)
        found.append(
            (
                np.concatenate([to_host(people.members[b].s) for b in people.own]),
                np.concatenate([to_host(energies[b].total) for b in people.own]),
                people.gradient(theta, weights),
                MinSR(1e-2).direction(tangents, {}, 0)[0],
                summary.accepted,
                *(
                    to_host(people.members[b].update.connected(sampler.moves, elements))
                    for b in people.own
                ),
            )
        )
        assert len(swept) == (0 if where is np else 2 if joined else 4)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for a, b in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
