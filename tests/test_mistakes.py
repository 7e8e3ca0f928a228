"""Usual mistakes in classes of one's own: each is answered by one line that names the fix."""

import math

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet.observables import Observable
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.sampling import Metropolis
from vmcnet.wavefunctions import Wavefunction

SIZES = {"iterations": 1, "walkers": 8, "block": 4, "warmup": 1, "steps": 1}


class Own(Wavefunction):
    """psi = exp(-alpha sum_i r_i^2), to be spoilt."""

    name, decays = "own", True

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout = Layout().add("alpha", (), POSITIVE)

    def initial(self, stream):
        return {"alpha": 0.5}

    def log_psi(self, ops, theta, walkers):
        return None, -theta["alpha"] * ops.total(walkers.r**2)


def trained(wavefunction=Own, term=None, **options):
    system = vmc.systems.QuantumDot(2)
    if term is not None:
        system.terms["own"] = term
    options = {"optimizer": vmc.optimizers.Adam(0.01), **SIZES, **options}
    return vmc.train(system, wavefunction(system), **options)


def psi(log_psi=None, **attributes):
    """Training with a wavefunction whose log_psi(ops, theta, walkers), or what else, is another."""
    if log_psi is not None:
        attributes["log_psi"] = lambda self, ops, theta, walkers: log_psi(ops, theta, walkers)
    return lambda: trained(type("Own", (Own,), attributes))


def without(method):
    kept = {k: v for k, v in vars(Own).items() if k not in (method, "__dict__", "__weakref__")}
    return lambda: trained(type("Own", (Wavefunction,), kept))


def term(local):
    made = type("Own", (), {"name": "own", "local": lambda self, walkers, psi: local(walkers)})()
    return lambda: trained(term=made)


def proposal(**methods):
    return lambda: trained(sampler=type("Own", (Metropolis,), {"name": "own", **methods})())


def optimizer(update=None):
    methods = {} if update is None else {"update": lambda self, d, s, i, t: update(d, s, t)}
    return lambda: trained(
        optimizer=type("Own", (vmc.optimizers.Optimizer,), {"name": "own", **methods})(0.1)
    )


def observable(measure, labels=("a",)):
    methods = {"measure": lambda self, walkers, psi: measure(walkers)}
    made = type("Own", (Observable,), {"name": "own", "labels": list(labels), **methods})()
    return lambda: vmc.evaluate(trained(), steps=2, warmup=0, observables=[made])


def square(ops, theta, walkers):
    return -theta["alpha"] * ops.total(walkers.r**2)


def moved(self, r, guide, step, noise):
    return r + step * noise


MISTAKES = {
    # a wavefunction
    "NumPy function": (psi(lambda o, t, w: (None, np.tanh(o.total(w.r)))), "as in ops.tanh"),
    "math function": (psi(lambda o, t, w: (None, math.exp(o.total(w.r)))), "instead of .* math"),
    "NumPy array": (psi(lambda o, t, w: (None, square(o, t, w) + np.ones(4))), "ops.constant"),
    "index": (psi(lambda o, t, w: (None, -(w.r[:, 0, 0] ** 2))), r"use ops\.component"),
    "loop": (psi(lambda o, t, w: (None, -sum(x for x in w.r))), r"cannot be iterated: use ops"),
    "branch": (psi(lambda o, t, w: (None, w.r if w.r > 0 else -w.r)), "may not branch.*maximum"),
    "in place": (psi(lambda o, t, w: w.r.__setitem__(0, 1.0)), "changed in place: make a new one"),
    "no phase": (psi(square), r"expected \(phase, log\), phase None where psi > 0"),
    "a number": (psi(lambda o, t, w: (None, 0.0)), r"the log made with ops from walkers\.r"),
    "phase 1": (psi(lambda o, t, w: (1.0, square(o, t, w))), "expected None where psi > 0"),
    "wrong shape": (psi(lambda o, t, w: (None, o.sum(-(w.r**2), axis=-1))), "one number a walker"),
    "walker axis": (psi(lambda o, t, w: (None, o.sum(w.r, axis=0))), "an axis after the walker"),
    "parameter": (psi(lambda o, t, w: (None, t["alfa"] * o.total(w.r))), r"declares \['alpha'\]"),
    "operation": (psi(lambda o, t, w: (None, o.totl(w.r))), r"did you mean ops\.total"),
    "maximum of complex": (
        psi(lambda o, t, w: (None, o.total(o.abs(1j * w.r)))),
        "abs of a complex quantity has no complex derivative",
    ),
    "without log_psi": (without("log_psi"), r"defines no log_psi\(ops, theta, walkers\)"),
    "without initial": (without("initial"), r"defines no initial\(stream\)"),
    "initial gives nothing": (psi(initial=lambda self, stream: None), "expected a dictionary"),
    "initial of a wrong shape": (
        psi(initial=lambda self, stream: {"alpha": np.ones(3)}),
        r"'alpha' has shape \(3,\); expected \(\)",
    ),
    "initial out of range": (
        psi(initial=lambda self, stream: {"alpha": -1.0}),
        "positive parameter was given the value -1.0; expected a value above 0",
    ),
    "no decay": (psi(decays=False), "not normalisable: multiply by a GaussianEnvelope"),
    "the class itself": (
        lambda: vmc.train(vmc.systems.QuantumDot(2), Own, optimizer=vmc.optimizers.SGD(0.1)),
        "got the class Own itself: make one of it",
    ),
    # a term
    "no local": (lambda: trained(term=object()), r"no method local\(walkers, psi\)"),
    "term a particle": (term(lambda w: w.r[:, :, 0]), r"shape \(4, 2\); expected one number a"),
    "term in all": (term(lambda w: w.r.sum()), "expected one number a walker"),
    "walkers in place": (term(lambda w: np.negative(w.r, out=w.r)[:, 0, 0]), "work on a copy"),
    # a proposal
    "no propose": (proposal(), r"defines no propose\(r, guide, step, noise\)"),
    "proposal in place": (
        proposal(propose=lambda self, r, guide, step, noise: np.add(r, noise, out=r)),
        r"return new ones, as r \+ step \* noise",
    ),
    "proposal of one particle": (
        proposal(propose=lambda self, r, guide, step, noise: r[:, :1] + noise[:, :1]),
        "expected coordinates of all walkers",
    ),
    "ratio a particle": (
        proposal(propose=moved, log_ratio=lambda self, *given: np.zeros((4, 2))),
        r"log_ratio of Own has shape \(4, 2\); expected a number or one a walker",
    ),
    "proposal by name": (lambda: trained(sampler="gaussian"), r"vmcnet\.sampling\.Gaussian\(\)"),
    # an optimizer
    "optimizer by name": (lambda: trained(optimizer="adam"), r"vmcnet\.optimizers\.Adam\(0\.01\)"),
    "no update": (optimizer(), r"defines no update\(direction, state, iteration, theta\)"),
    "step alone": (optimizer(lambda d, s, t: -d), r"expected \(step, state\)"),
    "step of a wrong shape": (optimizer(lambda d, s, t: (np.ones(5), s)), r"of shape \(1,\)"),
    "complex step": (optimizer(lambda d, s, t: (1j * d, s)), "expected real numbers"),
    "theta in place": (
        optimizer(lambda d, s, t: (np.subtract(t, d, out=t), s)),
        "return the step, which training adds",
    ),
    # an observable
    "one axis": (observable(lambda w: w.r[:, 0, 0]), "one row a walker and one column a label"),
    "more columns": (observable(lambda w: w.r[:, 0]), "one column a label"),
    "complex": (observable(lambda w: 1j * w.r[:, 0, :1]), "return the real part where that is"),
    "NaN": (observable(lambda w: np.nan * w.r[:, 0, :1]), "values are NaN.*check its measure"),
    "label twice": (observable(lambda w: w.r[:, 0], "aa"), "labels must be a list of different"),
    "no observable": (
        lambda: vmc.evaluate(trained(), steps=2, observables=["density"]),
        r"expected a subclass of vmcnet\.observables\.Observable",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_the_answer_names_the_fix(case):
    mistake, words = MISTAKES[case]
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError), match=words) as found:
        mistake()
    text = str(found.value)
    assert "\n" not in text and len(text) < 250, text


def test_without_a_mistake():
    assert trained().state.iteration == 1
    assert observable(lambda w: w.r[:, 0, :1])().observables["own"].labels == ("a",)
    assert proposal(propose=moved)().state.iteration == 1
    assert optimizer(lambda d, s, t: (-d, s))().state.iteration == 1
