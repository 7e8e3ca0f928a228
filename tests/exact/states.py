"""Exact ground states, written as wavefunctions."""

import numpy as np

import vmcnet as vmc
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions.base import Wavefunction


class Taut(Wavefunction):
    """Two electrons in d dimensions: (1 + c r12) exp(-omega (r1^2 + r2^2)/2), exact for d = 2,
    omega = 1, c = 1 (E = 3) and
    d = 3, omega = 1/2, c = 1/2 (E = 2). M. Taut, Phys. Rev. A 48, 3561 (1993), section III."""

    name, particles = "taut", 2

    def __init__(self, dimensions):
        self.dimensions = dimensions
        self.omega, self.slope, self.energy = {2: (1.0, 1.0, 3.0), 3: (0.5, 0.5, 2.0)}[dimensions]
        self.layout = Layout().add("slope", ())

    def initial(self, stream):
        return {"slope": np.float64(self.slope)}

    def log_psi(self, ops, theta, walkers):
        first, second = ops.pairs(walkers.r)
        distance = ops.norm(first - second)
        trap = ops.sum(ops.flatten(walkers.r) ** 2, axis=-1)
        return None, ops.sum(
            ops.log(1.0 + distance * theta["slope"]), axis=-1
        ) - 0.5 * self.omega * trap


class Pair(Wavefunction):
    """(1 + slope r12) exp(-alpha (r1^2 + r2^2)) with both parameters free: holds Taut's state at
    slope 1, alpha 1/2 (d = 2, omega = 1).
    """

    name, particles, dimensions, decays = "pair", 2, 2, True

    def __init__(self):
        self.layout = Layout().add("slope", (), POSITIVE).add("alpha", (), POSITIVE)

    def initial(self, stream):
        return {"slope": 0.4, "alpha": 0.65}

    def log_psi(self, ops, theta, walkers):
        first, second = ops.pairs(walkers.r)
        distance = ops.norm(first - second)
        square = ops.sum(ops.sum(walkers.r**2, axis=-1), axis=-1)
        return None, ops.sum(ops.log(1.0 + distance * theta["slope"]), axis=-1) - square * theta[
            "alpha"
        ]


def briefly_trained(system, psi, rate, **more):
    """A determinant with backflow in a box after 40 iterations of SPRING, some way below where it
    started; more: what vmc.train takes.
    """
    return vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(rate),
        natural_gradient=vmc.optimizers.SPRING(1e-3, momentum=0.95, max_norm=20.0),
        iterations=40,
        walkers=256,
        steps=8,
        step_size=0.15,
        clip=5.0,
        seed=3,
        **more,
    )
