"""A rank's blocks on a device: in one call, with one copy to the host for all of them, and with the
bits of any number of ranks although a library's products depend on the shape of the call.
"""

import sys

import numpy as np
import pytest

import vmcnet as vmc
from tests.device import fakecupy
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream, Streams
from vmcnet.engine import population, together
from vmcnet.engine.evaluation import finish, initial_evaluation, run_evaluation
from vmcnet.engine.observing import Observing
from vmcnet.engine.population import TRAINING, Population
from vmcnet.engine.training import initial_state, run_training
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.defaults import default_sampler

STANDIN = sys.modules["fakecupy"]
w, o, v = vmc.wavefunctions, vmc.optimizers, vmc.observables
BLOCK = 4


def network():
    system = vmc.systems.TrappedBosons(3)
    return system, w.GaussianEnvelope(system) * w.FeedForward(system, [6, 6])


def dot():
    system = vmc.systems.QuantumDot(3)
    psi = w.Slater(system, network=w.MessagePassing(3, 1, spread=0.1), mixing=1)
    return system, psi * w.PadeJastrow(system)


def gas():
    system = vmc.systems.ElectronGas(3, 2.0, 2, twist=[0.1, 0.23], polarisation=1 / 3)
    return system, w.Slater(system) * w.PadeJastrow(system)


CASES = {"network": network, "dot": dot, "gas": gas}


def people_of(make, blocks, comm=None, device=STANDIN, precision="float64", block=BLOCK):
    system, psi = make()
    sampler = default_sampler(system, psi)
    comm = comm or SerialCommunicator()
    people = Population(
        system, psi, sampler, comm, 3, blocks * block, block, Device(device, precision)
    )
    people.start()
    return people


def train(people, iterations, natural=None, state=None, clip=None, record=lambda *a: None):
    optimizer = o.SGD(0.01)
    state = state or initial_state(people.wavefunction, optimizer, 3, 0.4, natural)
    run_training(
        people,
        optimizer,
        state,
        iterations=state.iteration + iterations,
        steps=3,
        warmup=0,
        natural=natural,
        clip=clip,
        record=record,
        save=lambda *a: None,
        poll=lambda: 0,
    )
    return state


@pytest.mark.parametrize(
    ("natural", "clip", "copies"),
    [(None, None, 2), (None, 5.0, 3), (o.SPRING(1e-2, form="gram"), None, 3)],
    ids=["gradient", "clipped", "natural"],
)
@pytest.mark.parametrize("name", CASES)
def test_launches_and_copies_do_not_grow_with_blocks(name, natural, clip, copies):
    """To the host: energies and counts; the gradient; the direction of a natural gradient; the
    means of clipped energies.
    """

    def counted(blocks):
        people = people_of(CASES[name], blocks)
        state = train(people, 1, natural, clip=clip)
        before = dict(fakecupy.transfers), fakecupy.launches["arrays"]
        train(people, 1, natural, state, clip)
        made = fakecupy.launches["arrays"] - before[1]
        return made, *(fakecupy.transfers[k] - n for k, n in before[0].items())

    (one, sent, seen), (many, more, found) = counted(1), counted(8)
    assert seen == found == copies
    assert many < 1.1 * one
    assert sent <= more <= sent + 1  # the counters of the random numbers


@pytest.fixture(params=["stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    return STANDIN if request.param == "stand-in" else pytest.importorskip("cupy")


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_bits_of_any_number_of_ranks(xp, name, precision, monkeypatch):
    """Moves, energies, observables, gradients, log-derivatives, of products that depend on a
    call's shape.
    """
    monkeypatch.setattr(fakecupy, "called", fakecupy.shaped)
    blocks, found = 6, {}
    monkeypatch.setattr(population, "exact_sum", lambda comm, shares, blocks: shares)

    def derivatives(comm, groups, blocks, walkers, weights):
        found = []
        for group in groups:
            run = group.derive(group.members)
            matrix = xp.concatenate([run.dense(s) for s in run.slabs(run.size)], axis=1)
            found += list(matrix.get().reshape(run.blocks, -1, run.size)[group.own])
        return found

    monkeypatch.setattr(population, "DeviceTangents", derivatives)

    def made(rank, size, most):
        monkeypatch.setattr(together, "FILLED", most * BLOCK * width)
        comm = SerialCommunicator()
        comm.rank, comm.size = rank, size
        people = people_of(CASES[name], blocks, comm, xp, precision)
        theta = people.wavefunction.start(Stream(1, 0, 0, 0))
        some = [v.MomentumDistribution(people.system, 2)] if precision == "float64" else []
        for seen in (None, Observing(people.system, some, BLOCK, blocks)):
            stage = (TRAINING, int(seen is not None))
            rows, energies = people._move(theta, *stage, 3, 0.4, 0, True, seen)
        weights = {b: e.total.real - 1 for b, e in energies.items()}
        gradient, matrices = people.gradient(theta, weights), people.tangents(theta, weights)
        return people.together, {
            b: (people.members[b].r.get(), rows[k], gradient[k], matrices[k])
            for k, b in enumerate(people.own)
        }

    people = people_of(CASES[name], blocks, device=xp, precision=precision)
    psi = people.bound(people.wavefunction.start(Stream(1, 0, 0, 0)))
    width = together.widest_value(psi.reading, people.members[0])
    for most in (3, 2):
        size, known = made(0, 1, most)
        assert size == 3 if most == 3 else 2
        for ranks in (2, 3, 4) if most == 3 else (3,):
            for rank in range(ranks):
                _, own = made(rank, ranks, most)
                for b, parts in own.items():
                    for x, y in zip(parts, known[b], strict=True):
                        np.testing.assert_array_equal(x, y)
        found[most] = known
    alone = made(0, 1, 1)[1]
    if xp is STANDIN and name != "gas":  # without a network there are no such products
        assert any((alone[b][1] != found[3][b][1]).any() for b in range(blocks))
    for b in range(blocks):
        np.testing.assert_allclose(
            alone[b][0], found[3][b][0], rtol=1e-9 if precision == "float64" else 1e-3
        )


def measured(make, blocks, observables, device=STANDIN):
    """The copies of two measurements, and the means of observables over three."""
    people = people_of(make, blocks, device=device)
    theta = people.wavefunction.start(Stream(1, 0, 0, 0))
    found = [observable(people.system) for observable in observables]
    evaluation = initial_evaluation(people, 0, 0.4, found)
    for steps in (1, 3):
        before = fakecupy.transfers["to_host"]
        run_evaluation(
            people,
            theta,
            evaluation,
            steps=steps,
            interval=1,
            warmup=1,
            record=lambda *a: None,
            save=lambda *a: None,
            poll=lambda: 0,
        )
    copies = fakecupy.transfers["to_host"] - before
    return copies, {o.name: evaluation.moments[o.name].mean for o in found}


class Own(vmc.observables.Observable):
    """Of a user, who says nothing of its rows."""

    name, labels = "own", ["x"]

    def __init__(self, system):
        pass

    def measure(self, walkers, psi):
        assert len(walkers.r) == BLOCK
        return walkers.r[:, 0, :1]


def in_channels(system):
    return v.PairDistribution(system, bins=5, channels=True)


OBSERVED = {  # and the copies of a measurement beside that of energies, of one and of 8 blocks
    "density": (dot, v.Density, 2, 2),  # coordinates and spins
    "momentum": (dot, v.MomentumDistribution, 3, 3),  # spins, ratios, displacements
    "total spin": (dot, v.TotalSpin, 2, 2),
    "channels": (dot, in_channels, 7, 7),
    "structure factor": (gas, v.StaticStructureFactor, 1, 1),
    "own": (network, Own, 1, 8),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_observables_of_all_blocks_together(name):
    make, observable, *expected = OBSERVED[name]
    copies = [measured(make, blocks, [observable])[0] for blocks in (1, 8)]
    assert copies == [2 * (1 + x) for x in expected]
    there, here = (measured(make, 8, [observable], d)[1] for d in (STANDIN, np))
    for key, known in here.items():
        close = 1e-6 if name == "momentum" else 1e-10  # displacements are low bits of coordinates
        np.testing.assert_allclose(there[key], known, rtol=close, atol=close)


class Strict(SerialCommunicator):
    """Refuses what MPI could not send before the device has finished."""

    def __getattribute__(self, name):
        method = super().__getattribute__(name)
        if name in ("merged", "allgather", "gather", "reduce_max", "reduce_sum"):
            return lambda x, *rest: self.checked(x) or method(x, *rest)
        if name in ("broadcast", "exchange"):
            return lambda x: self.checked(x) or method(x)
        return method

    def checked(self, x):
        type(self).seen += 1
        if isinstance(x, tuple | list):
            for part in x:
                self.checked(part)
        else:
            assert not isinstance(x, fakecupy.ndarray)

    seen = 0


def test_only_host_arrays_reach_mpi():
    """`get` waits for the stream: what the ranks exchange was finished before."""
    people = people_of(dot, 4, Strict())
    natural = o.MinSR(1e-2)
    state = train(people, 2, natural, clip=5.0)
    people.grow(8 * BLOCK)
    train(people, 1, None, state)
    evaluation = initial_evaluation(people, 0, 0.4)
    run_evaluation(
        people,
        state.theta,
        evaluation,
        steps=4,
        interval=1,
        warmup=1,
        record=lambda *a: None,
        save=lambda *a: None,
        poll=lambda: 0,
    )
    assert np.isfinite(finish(people, evaluation).series["energy"]).all()
    people.collect()
    assert Strict.seen > 30


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_streams_of_several_blocks(xp, dtype):
    """Every block has the numbers of its own stream, whatever else is drawn."""
    numbers = (4, 7, 7, 2**40)
    both = Streams([Stream(5, 1, 8, b, dtype, xp) for b in numbers])
    alone = [Stream(5, 1, 8, b, dtype, xp) for b in numbers]
    for draw, shape in (("each", (3,)), ("normal", (3, 4, 5)), ("uniform", (2, 8)), ("each", (1,))):
        found = getattr(both, draw)(shape).get()
        own = shape if draw == "each" else (shape[0], shape[1] // 4, *shape[2:])
        parts = [getattr(s, draw)(own).get() for s in alone]
        known = np.stack(parts) if draw == "each" else np.concatenate(parts, axis=1)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, known)


@pytest.mark.parametrize(
    ("blocks", "most", "size"), [(32, 12, 8), (32, 40, 32), (6, 4, 3), (5, 4, 3), (7, 0, 1)]
)
def test_groups(blocks, most, size):
    assert together.halved(blocks, most) == size
