"""Run as a script under mpiexec: rank 0 prints a hash of every case's parameters, walkers and
series, straight through and stopped half way.
"""

import hashlib
import json
import sys
from typing import Any, NamedTuple

import numpy as np

import vmcnet as vmc
from tests.device import fakecupy
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream
from vmcnet.engine import together
from vmcnet.engine.evaluation import finish, initial_evaluation, run_evaluation
from vmcnet.engine.likelihood import DataPopulation
from vmcnet.engine.population import Population
from vmcnet.engine.training import TrainingState, initial_state, run_training
from vmcnet.observables import Observable
from vmcnet.optimizers import (
    MARCH,
    SGD,
    SPRING,
    SR,
    SRCG,
    AdaGrad,
    Adam,
    Constant,
    Cosine,
    InverseDecay,
    MinSR,
    Momentum,
    RMSprop,
    RobustSR,
)
from vmcnet.runs.contents import content_of
from vmcnet.sampling import Alternating, Exchange, Gaussian, Langevin, OneParticle, SpinFlip
from vmcnet.sampling.gibbs import Gibbs
from vmcnet.sampling.thermal import Thermal
from vmcnet.systems import (
    ClassicalIsing,
    DoubleWell,
    ElectronGas,
    Fermions1D,
    Heisenberg,
    NeutronMatter,
    Nucleus,
    Particles,
    Potts,
    QuantumDot,
    TransverseIsing,
    TrappedBosons,
    UnitaryGas,
)
from vmcnet.walkers import Walkers
from vmcnet.wavefunctions import (
    BinaryRBM,
    Boltzmann,
    EllipticalGaussian,
    FeedForward,
    GaussianEnvelope,
    GaussianRBM,
    HardCoreJastrow,
    HiddenFermions,
    MessagePassing,
    NetworkJastrow,
    PadeJastrow,
    Pfaffian,
    ResonantJastrow,
    Slater,
    SpinJastrow,
    SpinNetwork,
    SShell,
)
from vmcnet.wavefunctions.amplitude import widest_value


class Case(NamedTuple):
    system: Any
    psi: Any
    optimizer: Any
    sampler: Any
    clip: float | None = None
    natural: Any = None
    data: Any = None
    device: Any = None


DOT, LINE, WELL = (
    QuantumDot(2),
    QuantumDot(2, dimensions=1, interaction="soft_coulomb"),
    DoubleWell(2, dimensions=2),
)
SIX = QuantumDot(6, 0.5)
SPHERES, OWN = (
    TrappedBosons(5, diameter=0.05, omega_z=2.0),
    Particles(3, 2, {"quartic": lambda r: (r**4).sum(axis=(1, 2))}),
)
CHAIN, RING, SECTOR, ISING, POTTS = (
    TransverseIsing([7], field=0.8),
    TransverseIsing([16], field=0.8),
    Heisenberg([8], second=0.4),
    ClassicalIsing([3, 3], 2.4),
    Potts([3, 3]),
)
GAS, TURNED, PAIR, NEUTRONS = (
    ElectronGas(5, 2.0, 2, polarisation=1.0),
    ElectronGas(4, 2.0, 2, polarisation=0.5, twist=[0.1, 0.23]),
    NeutronMatter(2, 0.02),
    NeutronMatter(4, polarisation=0.5, twist=[0.1, 0.23, -0.3]),
)
HELIUM, UNITARY, PAIR_ON_A_LINE = Nucleus(2, 2), UnitaryGas(2), Fermions1D(2)
SAMPLES = Walkers(
    np.zeros((50, 9, 0)),
    np.where(np.random.default_rng(1).random((50, 9)) < 0.7, 1, -1).astype(np.int8),
)
CASES = {
    "sgd, cosine; Gaussian moves; Boltzmann machine": Case(
        DOT, GaussianRBM(DOT, 2) * PadeJastrow(DOT), SGD(0.05, Cosine(4, 0.1)), Gaussian(), None
    ),
    "heavy ball, warm-up; Langevin; symmetric network": Case(
        DOT,
        GaussianEnvelope(DOT)
        * PadeJastrow(DOT)
        * FeedForward(DOT, [4, 4], symmetric=True, pairs=True, head=[3]),
        Momentum(0.01, schedule=Constant(3)),
        Langevin(),
        3.0,
    ),
    "Nesterov, norm limit; one particle; hard spheres": Case(
        SPHERES,
        EllipticalGaussian(SPHERES) * HardCoreJastrow(SPHERES),
        Momentum(0.01, nesterov=True, max_norm=0.01),
        OneParticle(),
        None,
    ),
    "AdaGrad; Langevin; hard spheres with a network": Case(
        SPHERES,
        EllipticalGaussian(SPHERES)
        * HardCoreJastrow(SPHERES)
        * FeedForward(SPHERES, [3], symmetric=True),
        AdaGrad(0.05),
        Langevin(),
        5.0,
    ),
    "RMSprop, inverse decay; Langevin; flat network on a line": Case(
        LINE,
        GaussianEnvelope(LINE) * FeedForward(LINE, [4], "silu"),
        RMSprop(0.01, schedule=InverseDecay(3.0)),
        Langevin(),
        None,
    ),
    "Adam, weight decay; one particle; double well": Case(
        WELL,
        GaussianEnvelope(WELL) * FeedForward(WELL, [4, 4], "gelu", skip=True),
        Adam(0.01, weight_decay=0.1),
        OneParticle(),
        2.0,
    ),
    "Adam; Gaussian moves; own potential": Case(
        OWN, GaussianEnvelope(OWN), Adam(0.05), Gaussian(), None
    ),
    "Gaussian moves; determinants moved by a network; SPRING": Case(
        SIX,
        Slater(SIX, network=MessagePassing(4)) * PadeJastrow(SIX),
        SGD(0.05),
        Gaussian(),
        5.0,
        SPRING(1e-2),
    ),
    "random flips, the last or not; machine; minSR": Case(
        CHAIN, BinaryRBM(CHAIN), SGD(0.05), SpinFlip(CHAIN), natural=MinSR(1e-2)
    ),
    "systematic flips, heat bath; machine; SR": Case(
        CHAIN,
        BinaryRBM(CHAIN),
        Adam(0.01),
        SpinFlip(CHAIN, "systematic", "heat_bath"),
        natural=SR(1e-2, shift_decay=0.9),
    ),
    "random flips; network and Jastrow step by step; minSR": Case(
        CHAIN,
        SpinNetwork(CHAIN, [4], weights="complex") * SpinJastrow(CHAIN),
        SGD(0.05),
        SpinFlip(CHAIN),
        natural=MinSR(1e-2, 1e-2, max_norm=0.5),
    ),
    "random flips; symmetric network that keeps its first layer": Case(
        RING,
        SpinNetwork(RING, [3], weights="complex", symmetric=True),
        Adam(0.01),
        SpinFlip(RING),
    ),
    "exchange; complex machine; SPRING": Case(
        SECTOR,
        BinaryRBM(SECTOR, weights="complex"),
        Momentum(0.02),
        Exchange(SECTOR),
        natural=SPRING(1e-2),
    ),
    "systematic exchange, heat bath; symmetric machine; conjugate gradients": Case(
        SECTOR,
        BinaryRBM(SECTOR, 2, symmetric=True),
        SGD(0.05),
        Exchange(SECTOR, "systematic", "heat_bath"),
        natural=SRCG(1e-3, 1e-2),
    ),
    "Gibbs; product of machines; SPRING": Case(
        CHAIN,
        BinaryRBM(CHAIN) * BinaryRBM(CHAIN, 1, symmetric=True),
        SGD(0.05),
        Gibbs(CHAIN),
        natural=SPRING(0.0, 1e-2, momentum=0.8),
    ),
    "Gibbs; likelihood of data": Case(
        ISING, BinaryRBM(ISING), SGD(0.05), Gibbs(ISING), data=SAMPLES
    ),
    "SPRING; electron gas, plane waves with backflow": Case(
        GAS,
        Slater(GAS, network=MessagePassing(2, 1, range=1.0)) * PadeJastrow(GAS),
        SGD(0.05),
        Gaussian(),
        5.0,
        SPRING(1e-2),
    ),
    "SR; Langevin; electron gas with a twist, complex": Case(
        TURNED, Slater(TURNED) * PadeJastrow(TURNED), SGD(0.05), Langevin(), None, SR(1e-2)
    ),
    "Adam; neutrons that exchange spins, complex backflow": Case(
        NEUTRONS,
        Slater(NEUTRONS, network=MessagePassing(2, 2), heads=["backflow", "complex_backflow"]),
        Adam(0.01),
        OneParticle(),
    ),
    "SPRING; labels that move; Pfaffian of neutrons": Case(
        PAIR,
        Pfaffian(PAIR, network=MessagePassing(2, 2)),
        SGD(0.05),
        Alternating(),
        5.0,
        SPRING(1e-2),
    ),
    "Adam; hidden fermions": Case(
        PAIR, HiddenFermions(PAIR, 2, network=MessagePassing(2, 2)), Adam(0.01), Gaussian()
    ),
    "SPRING; neutrons, pair excitations": Case(
        PAIR,
        Slater(PAIR, network=MessagePassing(2, 2, spread=0.1), excitations=1),
        SGD(0.05),
        Gaussian(),
        5.0,
        SPRING(1e-2),
    ),
    "Adam; nucleus, four labels and two masses": Case(
        HELIUM,
        SShell(HELIUM) * NetworkJastrow(HELIUM, MessagePassing(2, 1, spread=0.1)),
        Adam(0.01),
        Gaussian(),
    ),
    "robust SR; unitary gas": Case(
        UNITARY,
        Slater(UNITARY) * ResonantJastrow(UNITARY),
        SGD(0.05),
        Gaussian(),
        natural=RobustSR(1e-2, gamma=2.0),
    ),
    "MARCH; Langevin; determinant of two fermions on a line": Case(
        PAIR_ON_A_LINE,
        Slater(PAIR_ON_A_LINE, network=MessagePassing(2, 1)),
        SGD(0.05),
        Langevin(),
        natural=MARCH(1e-2),
    ),
    **{
        f"on a device: {natural.name}": Case(
            DOT,
            GaussianEnvelope(DOT) * FeedForward(DOT, [5, 3]),
            SGD(0.05),
            Gaussian(),
            natural=natural,
            device=Device(sys.modules["fakecupy"]),
        )
        for natural in (
            MinSR(1e-2),
            SPRING(1e-2, form="metric"),
            MARCH(1e-2, form="gram"),
            SRCG(1e-3, 1e-2, max_products=4),
        )
    },
    "heat bath of a classical model": Case(POTTS, Boltzmann(POTTS), SGD(0.05), Thermal(POTTS)),
}
WALKERS, BLOCK, ITERATIONS = 32, 4, 6


def advance(population, case, state, until, series):
    def record(phase, done, total, row):
        if phase == "training":
            series.extend(v for k, v in row.items() if k not in ("seconds", "communication"))

    run_training(
        population,
        case.optimizer,
        state,
        iterations=until,
        steps=3,
        warmup=2,
        record=record,
        save=lambda state: None,
        poll=lambda: 0,
        clip=case.clip,
        natural=case.natural,
    )


def digest(population, state, series):
    r, s = population.collect()
    if r is None:
        return None
    parts = [
        state.theta,
        r,
        s,
        np.array(series, float),
        np.array([state.step_size]),
        *state.optimizer.values(),
        *state.natural.values(),
    ]
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


def both(comm, name):
    """Hashes of the run straight through, and of one whose second half starts from copies of state
    and walkers alone.
    """
    case, hashes = CASES[name], []
    if case.device is not None:
        on_a_device(case)

    def population():
        arguments = case.system, case.psi, case.sampler, comm, 5, WALKERS, BLOCK, case.device
        return (
            Population(*arguments)
            if case.data is None
            else DataPopulation(case.data, *arguments[:-1])
        )

    for stops in ((ITERATIONS,), (ITERATIONS // 2, ITERATIONS)):
        people, series = population(), []
        people.start()
        state = initial_state(case.psi, case.optimizer, 5, 0.3 * case.system.length, case.natural)
        for until in stops:
            advance(people, case, state, until, series)
            r, s = comm.broadcast(people.collect())
            kept = [
                {k: v.copy() for k, v in part.items()} for part in (state.optimizer, state.natural)
            ]
            state = TrainingState(
                state.theta.copy(),
                kept[0],
                float(state.step_size),
                state.warmed,
                state.iteration,
                state.rollbacks,
                state.trend,
                kept[1],
            )
            people = population()
            people.load(r, s)
        hashes.append(digest(people, state, series))
    return hashes


def on_a_device(case):
    """Calls of four blocks, of which three or four ranks own some, and products whose last bits
    depend on the shape of a call.
    """
    fakecupy.called = fakecupy.shaped
    walkers = case.system.start(Stream(5, 3, 0, 0), BLOCK)
    psi = case.psi.bind(case.psi.start(Stream(5, 3, 0, 0)))
    together.FILLED = 4 * BLOCK * widest_value(psi.reading, walkers)


def evaluated(comm):
    """Hash of an evaluation with observables of every size: single walkers, groups, no series."""
    people = Population(ISING, BinaryRBM(ISING), SpinFlip(ISING), comm, 5, WALKERS, BLOCK)
    people.start()
    state = initial_evaluation(people, 0, 1.0, [Wide()])
    nothing = lambda *arguments: 0  # noqa: E731
    theta = people.wavefunction.start(Stream(5, 3, 0, 0))
    plan = {"steps": 6, "interval": 2, "warmup": 1}
    run_evaluation(people, theta, state, **plan, record=nothing, save=nothing, poll=nothing)
    measured = finish(people, state)
    if measured is None:
        return None
    content = content_of(measured, plan)
    arrays = [np.ascontiguousarray(v).tobytes() for k, v in content.items() if k != "attributes"]
    return hashlib.sha256(b"".join(arrays) + repr(content["attributes"]).encode()).hexdigest()


class Wide(Observable):
    """So many components that walkers are joined to groups."""

    name, labels = "wide", [str(k) for k in range(70_000)]

    def measure(self, walkers, psi):
        return np.cos(walkers.s.sum(axis=1)[:, None] + np.arange(70_000))


if __name__ == "__main__":
    communicator = vmc.connect()
    found = {name: both(communicator, name) for name in CASES}
    found["observables of an evaluation"] = 2 * [evaluated(communicator)]
    if communicator.rank == 0:
        json.dump(found, sys.stdout)
