"""Derivatives of classes of a user's own are compared with differences before anything moves."""

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.calculus.jet import ALL, CONSTANT, LINEAR, embed
from vmcnet.calculus.operation import Operation
from vmcnet.engine.fitting import Misfit, fit
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.systems import ElectronGas, QuantumDot, TransverseIsing
from vmcnet.wavefunctions import Slater, UserOrbitals, Wavefunction


class Arctan(Operation):
    """y = arctan(x), with factors of its three rules that are right where they are 1."""

    name = "arctan"

    def __init__(self, slope=1.0, curvature=1.0, back=1.0):
        self.factors = slope, curvature, back

    def value(self, xp, x):
        return xp.arctan(x)

    def jet(self, xp, x):
        x = embed(xp, x, ALL) if x.support == LINEAR else x
        v = x.slots[0]
        y, slope = self.value(xp, v), self.factors[0] / (1 + v * v)
        if x.support == CONSTANT:
            return x.like(y[None])
        slots = slope * x.slots
        bent = 2 * v / (1 + v * v) ** 2 * (x.slots[1:-1] ** 2).sum(axis=0)
        slots[0], slots[-1] = y, slots[-1] - self.factors[1] * bent
        return x.like(slots)

    def reverse(self, xp, adjoint, y, x, per_walker=False):
        return (self.factors[2] * adjoint / (1 + x * x),)


class Bell(Wavefunction):
    """psi = exp(-a sum_i x_i arctan(b x_i))."""

    name, decays = "bell", True

    def __init__(self, system, **wrong):
        self.place(system)
        self.rule, self.layout = Arctan(**wrong), Layout()
        self.layout.add("a", (), POSITIVE).add("b", (), POSITIVE)

    def initial(self, stream):
        return {"a": 0.7, "b": 1.2}

    def log_psi(self, ops, theta, walkers):
        x = walkers.r
        return None, -theta["a"] * ops.total(x * ops.apply(self.rule, (x * theta["b"],)))


def test_rules_that_are_wrong():
    dot = QuantumDot(2)
    fit(dot, Bell(dot))
    fit(dot, vmc.wavefunctions.PadeJastrow(dot) * Bell(dot))
    for wrong, words in (
        ({"slope": 1.1}, "Bell: the gradient of log psi is"),
        ({"curvature": 0.5}, "Bell: the Laplacian of log psi is"),
        ({"back": -1.0}, "Bell: the derivative with respect to its parameters of log psi is"),
    ):
        with pytest.raises(Misfit, match=words):
            fit(dot, Bell(dot, **wrong))


class Pairs(Wavefunction):
    """psi = exp(a sum_i s_i s_i+1); taken: the number a instead of the quantity."""

    name, reads = "pairs", "spins"

    def __init__(self, system, taken=False):
        self.place(system)
        self.taken, self.layout = taken, Layout().add("a", ())

    def initial(self, stream):
        return {"a": 0.3}

    def log_psi(self, ops, theta, walkers):
        a = float(theta["a"].data) if self.taken else theta["a"]
        bonds = (walkers.s[:, 1:] * walkers.s[:, :-1]).astype(ops.real_dtype)
        return None, ops.total(ops.constant(bonds)) * a


def test_numbers_taken_out_of_a_parameter():
    chain = TransverseIsing([6])
    fit(chain, Pairs(chain))
    with pytest.raises(Misfit, match="is 0 where differences give"):
        fit(chain, Pairs(chain, taken=True))


class Turning(UserOrbitals):
    """Orbitals of one's own, complex, with a kink."""

    def matrix(self, ops, theta, prefix, x):
        r = ops.component(x, 0)
        size = ops.exp(-ops.sum(x * x, axis=-1))
        return ops.stack([ops.complex(size, 0.0 * r), ops.complex(size * ops.abs(r), size * r)])


def test_complex_psi_and_kinks_pass():
    system = vmc.systems.Particles(2, 2, {"v": lambda r: (r**2).sum(axis=(1, 2))}, spins=[1, 1])
    fit(system, Slater(system, Turning(lambda ops, x: x, 2)))
    gas = ElectronGas(2, twist=[0.1, 0.2, 0.3])

    class Own(Slater):
        pass

    fit(gas, Own(gas))
    assert np.isfinite(Own(gas).bind(np.zeros(0)).log(np.zeros((1, 2, 3)), gas.labels(1))).all()
