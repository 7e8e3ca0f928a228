"""How often ranks talk, and how long the messages are: as docs/architecture.md states it."""

import numpy as np

from vmcnet.backend.stream import Stream
from vmcnet.engine.evaluation import finish, initial_evaluation, run_evaluation
from vmcnet.engine.population import Population
from vmcnet.engine.training import initial_state, run_training
from vmcnet.optimizers import Adam
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.sampling.spin_metropolis import SpinFlip
from vmcnet.statistics.tails import BINS
from vmcnet.systems import QuantumDot, TransverseIsing
from vmcnet.wavefunctions import BinaryRBM, GaussianRBM, PadeJastrow


class Counting(SerialCommunicator):
    """Notes every collective and the shape of its argument."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def merged(self, rows, blocks, merge):
        self.calls.append(("merged", rows.shape))
        return super().merged(rows, blocks, merge)

    def allgather(self, rows, blocks):
        self.calls.append(("allgather", rows.shape))
        return rows

    def gather(self, rows, blocks):
        self.calls.append(("gather", rows.shape))
        return rows

    def reduce_max(self, integers):
        self.calls.append(("reduce_max", integers.shape))
        return integers

    def reduce_sum(self, integers):
        self.calls.append(("reduce_sum", integers.shape))
        return integers

    def reduce_sum_to(self, integers, root):
        self.calls.append(("reduce_sum_to", integers.shape))
        return integers

    def gather_dealt(self, rows, owners):
        self.calls.append(("gather_dealt", rows.shape))
        return rows

    def allgather_dealt(self, rows, owners):
        self.calls.append(("allgather_dealt", rows.shape))
        return rows

    def start_broadcast(self, values, root):
        self.calls.append(("start_broadcast", None))
        return self

    def broadcast(self, value):
        self.calls.append(("broadcast", None))
        return value


ROW = ("merged", (4, 14 + 2 * 4))  # 14 numbers, then mean and M2 of E_L and of three terms
MEDIANS = ("allgather", (4, 2))  # of the first measurement: the centre of the tail


def population():
    system = QuantumDot(2)
    psi = GaussianRBM(system, 2) * PadeJastrow(system)
    made = Population(system, psi, Gaussian(), Counting(), 1, 32, 8)
    made.start()
    return made


def nothing(*arguments):
    return 0


def test_collectives_of_training():
    people, optimizer = population(), Adam(0.01)
    size = people.wavefunction.layout.size
    state = initial_state(people.wavefunction, optimizer, 1, 1.0)
    run_training(
        people,
        optimizer,
        state,
        iterations=5,
        steps=2,
        warmup=3,
        record=nothing,
        save=nothing,
        poll=nothing,
    )
    one = [ROW, ("reduce_max", (size,)), ("reduce_sum", (1, size))]
    assert people.comm.calls == 3 * [ROW] + 5 * one


def test_collectives_of_an_evaluation():
    people = population()
    theta = people.wavefunction.start(Stream(1, 3, 0, 0))
    state = initial_evaluation(people, 0, 1.0)
    run_evaluation(
        people,
        theta,
        state,
        steps=6,
        interval=2,
        warmup=3,
        record=nothing,
        save=nothing,
        poll=nothing,
    )
    assert people.comm.calls == [*4 * [ROW], MEDIANS, *5 * [ROW]]
    people.comm.calls.clear()
    finish(people, state)
    energy, accepted, tail = ("gather", (4, 2, 4, 8)), ("gather", (4, 8)), ("reduce_sum", (BINS,))
    assert people.comm.calls == [energy, energy, accepted, tail]


def test_observables_share_the_one_collective_of_a_measurement():
    """On a lattice: magnetisation, staggered magnetisation, correlations and structure factor."""
    system = TransverseIsing([6])
    people = Population(system, BinaryRBM(system), SpinFlip(system), Counting(), 1, 32, 8)
    people.start()
    theta = people.wavefunction.start(Stream(1, 3, 0, 0))
    state = initial_evaluation(people, 0, 1.0)
    run_evaluation(
        people,
        theta,
        state,
        steps=6,
        interval=2,
        warmup=3,
        record=nothing,
        save=nothing,
        poll=nothing,
    )
    energy = 14 + 2 * 3
    warm, measured = ("merged", (4, energy)), ("merged", (4, energy + 4 * 4 + 3 + 3 + 6 + 6))
    assert people.comm.calls == [*3 * [warm], measured, MEDIANS, *5 * [measured]]
    people.comm.calls.clear()
    finish(people, state)
    moments = [("gather", (4, 2, k, 8)) for k in (3, 3, 3, 6, 6) for _ in range(2)]
    assert people.comm.calls == [*moments, ("gather", (4, 8)), ("reduce_sum", (BINS,))]


def test_no_collective_grows_with_the_number_of_steps():
    lengths = []
    for steps in (1, 20):
        people, optimizer = population(), Adam(0.01)
        state = initial_state(people.wavefunction, optimizer, 1, 1.0)
        run_training(
            people,
            optimizer,
            state,
            iterations=1,
            steps=steps,
            warmup=0,
            record=nothing,
            save=nothing,
            poll=nothing,
        )
        lengths.append(sum(int(np.prod(shape)) for _, shape in people.comm.calls))
    assert lengths[0] == lengths[1]
