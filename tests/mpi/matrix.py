"""Run as a script under mpiexec: rank 0 prints a hash of every case's parameters, walkers and series, straight through and stopped half way."""

import hashlib
import json
import sys

import numpy as np

import vmcnet as vmc
from vmcnet.optimizers import SGD, AdaGrad, Adam, Constant, Cosine, InverseDecay, Momentum, RMSprop
from vmcnet.population import Population
from vmcnet.sampling import Gaussian, Langevin, OneParticle
from vmcnet.systems import DoubleWell, Particles, QuantumDot, TrappedBosons
from vmcnet.training import TrainingState, initial_state, run_training
from vmcnet.wavefunctions import EllipticalGaussian, FeedForward, GaussianEnvelope, GaussianRBM, HardCoreJastrow, PadeJastrow

DOT, LINE, WELL = QuantumDot(2), QuantumDot(2, dimensions=1, interaction="soft_coulomb"), DoubleWell(2, dimensions=2)
SPHERES, OWN = TrappedBosons(5, diameter=0.05, omega_z=2.0), Particles(3, 2, {"quartic": lambda r: (r**4).sum(axis=(1, 2))})
CASES = {
    "sgd, cosine; Gaussian moves; Boltzmann machine": (DOT, GaussianRBM(DOT, 2) * PadeJastrow(DOT), SGD(0.05, Cosine(4, 0.1)), Gaussian(), None),
    "heavy ball, warm-up; Langevin; symmetric network": (
        DOT, GaussianEnvelope(DOT) * PadeJastrow(DOT) * FeedForward(DOT, [4, 4], symmetric=True, pairs=True, head=[3]),
        Momentum(0.01, schedule=Constant(3)), Langevin(), 3.0),
    "Nesterov, norm limit; one particle; hard spheres": (
        SPHERES, EllipticalGaussian(SPHERES) * HardCoreJastrow(SPHERES), Momentum(0.01, nesterov=True, max_norm=0.01), OneParticle(), None),
    "AdaGrad; Langevin; hard spheres with a network": (
        SPHERES, EllipticalGaussian(SPHERES) * HardCoreJastrow(SPHERES) * FeedForward(SPHERES, [3], symmetric=True), AdaGrad(0.05), Langevin(), 5.0),
    "RMSprop, inverse decay; Langevin; flat network on a line": (
        LINE, GaussianEnvelope(LINE) * FeedForward(LINE, [4], "silu"), RMSprop(0.01, schedule=InverseDecay(3.0)), Langevin(), None),
    "Adam, weight decay; one particle; double well": (
        WELL, GaussianEnvelope(WELL) * FeedForward(WELL, [4, 4], "gelu", skip=True), Adam(0.01, weight_decay=0.1), OneParticle(), 2.0),
    "Adam; Gaussian moves; own potential": (OWN, GaussianEnvelope(OWN), Adam(0.05), Gaussian(), None),
}
WALKERS, BLOCK, ITERATIONS = 32, 4, 6


def advance(population, optimizer, state, until, clip, series):
    def record(phase, done, total, row):
        if phase == "training":
            series.extend(v for k, v in row.items() if k not in ("seconds", "communication"))

    run_training(population, optimizer, state, iterations=until, steps=3, warmup=2, record=record, save=lambda state: None, poll=lambda: 0, clip=clip)


def digest(population, state, series):
    r, _ = population.collect()
    if r is None:
        return None
    parts = [state.theta, r, np.array(series, float), np.array([state.step_size]), *state.optimizer.values()]
    return hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest()


def both(comm, case):
    """Hashes of the run straight through, and of one whose second half starts from copies of state and walkers alone."""
    system, psi, optimizer, sampler, clip = CASES[case]
    hashes = []
    for stops in ((ITERATIONS,), (ITERATIONS // 2, ITERATIONS)):
        population, series = Population(system, psi, sampler, comm, 5, WALKERS, BLOCK), []
        population.start()
        state = initial_state(psi, optimizer, 5, 0.3 * system.length)
        for until in stops:
            advance(population, optimizer, state, until, clip, series)
            r, s = comm.broadcast(population.collect())
            kept = {k: v.copy() for k, v in state.optimizer.items()}
            state = TrainingState(state.theta.copy(), kept, float(state.step_size), state.warmed, state.iteration, state.rollbacks, state.trend)
            population = Population(system, psi, sampler, comm, 5, WALKERS, BLOCK)
            population.load(r, s)
        hashes.append(digest(population, state, series))
    return hashes


if __name__ == "__main__":
    communicator = vmc.connect()
    found = {case: both(communicator, case) for case in CASES}
    if communicator.rank == 0:
        json.dump(found, sys.stdout)
