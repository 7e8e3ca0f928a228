"""Every argument of every public constructor, and of train and evaluate, is checked: kind, range,
NaN.
"""

import inspect

import numpy as np
import pytest

import vmcnet as vmc
from vmcnet import arguments
from vmcnet.config.table import Table

DOT = vmc.systems.QuantumDot()
GAS = vmc.systems.TrappedBosons(3)
SPHERES = vmc.systems.TrappedBosons(3, diameter=0.1)
CHAIN = vmc.systems.TransverseIsing([6])
MODEL = vmc.systems.ClassicalIsing([4, 4])
NEEDED = {  # what a constructor needs besides the argument that is tried
    "TrappedBosons": {"particles": 2},
    "Particles": {"particles": 2, "dimensions": 2, "potentials": {"v": abs}},
    "TransverseIsing": {"extent": [6]},
    "Heisenberg": {"extent": [6]},
    "ClassicalIsing": {"extent": [6]},
    "Potts": {"extent": [6]},
    "InverseDecay": {"delay": 3.0},
    "Cosine": {"iterations": 3},
    "BinaryRBM": {"system": CHAIN},
    "SpinJastrow": {"system": CHAIN},
    "SpinNetwork": {"system": CHAIN},
    "Boltzmann": {"system": MODEL},
    "HardCoreJastrow": {"system": SPHERES},
    "EllipticalGaussian": {"system": GAS},
    "GaussianRBM": {"system": DOT},
    "GaussianEnvelope": {"system": DOT},
    "FeedForward": {"system": DOT},
    "PadeJastrow": {"system": DOT},
    "Slater": {"system": DOT},
    "NetworkJastrow": {"system": DOT},
    "Pfaffian": {"system": DOT},
    "HiddenFermions": {"system": DOT},
    "SShell": {"system": vmc.systems.Nucleus()},
    "ResonantJastrow": {"system": vmc.systems.UnitaryGas()},
    "HarmonicOrbitals": {"dimensions": 2, "omega": 1.0, "shells": 2},
    "UserOrbitals": {"function": abs, "size": 2},
}
BASES = {
    "PlaneWaves",
    "LatticeOrbitals",
    "System",
    "SpinLattice",
    "Wavefunction",
    "Product",
    "Optimizer",
    "NaturalGradient",
}
WRONG = {
    "int": [2.5, 2.0, True, np.nan, "2", None, [2], -(10**30), 1j, np.float64(3)],
    "float": [np.nan, np.inf, -np.inf, True, "1.0", [1.0], 1j, np.array([1.0]), 10**400],
    "bool": [1, 0, "yes", None, 2.0, np.nan],
    "str": [3, None, "no such choice", b"F", ["F"]],
}


def constructors():
    for module in (vmc.systems, vmc.wavefunctions, vmc.optimizers):
        for name in module.__all__:
            if name not in BASES:
                yield getattr(module, name)


def cases():
    for made in constructors():
        for key, parameter in inspect.signature(made).parameters.items():
            kind = str(parameter.annotation).removesuffix(" | None")
            for value in WRONG.get(kind, []):
                if value is None and parameter.default is None:
                    continue
                if key != "units" or made.__name__ != "Particles":  # any text
                    yield made, key, value


def one_line(error):
    assert "\n" not in str(error) and 15 < len(str(error)) < 300, error


@pytest.mark.parametrize("made", list(constructors()), ids=lambda made: made.__name__)
def test_wrong_arguments_are_refused_in_one_line(made):
    tried = 0
    for _, key, value in (case for case in cases() if case[0] is made):
        needed = {**NEEDED.get(made.__name__, {}), key: value}
        with pytest.raises(ValueError) as error:
            made(**needed)
        one_line(error.value)
        assert key in str(error.value), (key, value, error.value)
        tried += 1
    assert tried > 3 or not [c for c in cases() if c[0] is made]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: vmc.systems.TransverseIsing([4.7]),
            r"extent\[0\] must be a whole number, got 4.7",
        ),
        (lambda: vmc.systems.TransverseIsing([True, 4]), r"extent\[0\]"),
        (lambda: vmc.systems.TransverseIsing(5), "extent must be a list"),
        (lambda: vmc.systems.TransverseIsing("44"), "extent must be a list"),
        (lambda: vmc.systems.TransverseIsing([10**9, 10**9]), "2 to 100000 sites"),
        (lambda: vmc.systems.QuantumDot(omega=1e300), "omega must be between 1e-50 and 1e\\+50"),
        (lambda: vmc.systems.QuantumDot(omega=1e-300), "choose other units"),
        (
            lambda: vmc.systems.ClassicalIsing([4], temperature=1e-300),
            "temperature must be between",
        ),
        (lambda: vmc.systems.ClassicalIsing([4], temperature=1e-40), r"exp\(2e\+40\)"),
        (lambda: vmc.systems.QuantumDot(1001), "particles must be at most 1000, got 1001"),
        (lambda: vmc.systems.TrappedBosons(3000, diameter=0.1), "at most 1000 as hard spheres"),
        (lambda: vmc.systems.TrappedBosons(10**9), "particles must be at most 10000"),
        (lambda: vmc.systems.DoubleWell(10**9), "particles must be at most 10000"),
        (lambda: vmc.systems.Particles(10**9, 1, {"v": abs}), "at most 10000"),
        (lambda: vmc.wavefunctions.Slater(DOT, mixing=10**9), "mixing must be at most 100"),
        (lambda: vmc.wavefunctions.HarmonicOrbitals(2, 1.0, 10**9), "shells must be at most 2000"),
        (lambda: vmc.wavefunctions.MessagePassing(width=10**9), "width must be at most 4096"),
        (lambda: vmc.wavefunctions.MessagePassing(passes=10**9), "passes must be at most 100"),
        (lambda: vmc.systems.NeutronMatter(density=1e10), "images of an interaction of radius"),
        (lambda: vmc.systems.Particles(2, 1, {"v": 3}), "'v' must be a function"),
        (lambda: vmc.systems.Particles(2, 1, [abs]), "potentials = {name: function}"),
        (lambda: vmc.systems.Particles(2, 1, {"v": abs}, spins=[1, 2]), r"\+1 or -1"),
        (lambda: vmc.systems.Particles(2, 1, {"v": abs}, spins=[1]), "expected \\(2,\\)"),
        (lambda: vmc.wavefunctions.FeedForward(DOT, layers=8), "layers must be a list"),
        (lambda: vmc.wavefunctions.FeedForward(DOT, layers=[8, 2.5]), r"layers\[1\]"),
        (lambda: vmc.wavefunctions.GaussianRBM(4), "expects a system as its first argument, got 4"),
        (lambda: vmc.wavefunctions.GaussianRBM(CHAIN), "coordinates, and what moves .* are spins"),
        (lambda: vmc.wavefunctions.PadeJastrow(CHAIN), "use BinaryRBM"),
        (lambda: vmc.wavefunctions.BinaryRBM(DOT), "spins on a lattice.*use GaussianRBM"),
        (lambda: vmc.optimizers.Adam(schedule="cosine"), "schedule must be one of"),
        (lambda: vmc.optimizers.Adam(schedule=vmc.optimizers.Cosine), "schedule must be one of"),
    ],
)
def test_messages(make, words):
    with pytest.raises(ValueError, match=words) as error:
        make()
    one_line(error.value)


TRAIN = {
    "iterations": [-1, 2.0, True, "3", np.nan, None],
    "walkers": [1, 0, 64.0, True, 63, 10**12],
    "block": [0, -8, 8.0, None, 10**9],
    "steps": [0, 1.5, True],
    "warmup": [-1, 1.0],
    "step_size": [0.0, -1.0, np.nan, np.inf, "1", True, 1e300],
    "seed": [-1, 1.5, True, 2**63, "7", None],
    "clip": [0.0, -5, np.nan, "5", True],
    "threads": [0, 1.0, True],
    "device": ["tpu", 3],
    "precision": ["float16", 64],
    "optimizer": ["adam", vmc.optimizers.Adam, 0.01],
    "natural_gradient": ["sr", vmc.optimizers.SR, vmc.optimizers.Adam()],
    "sampler": ["gaussian", vmc.sampling.Gaussian, 3],
}


@pytest.mark.parametrize("key", TRAIN)
def test_arguments_of_train(key):
    system, psi = DOT, vmc.wavefunctions.GaussianRBM(DOT)
    for value in TRAIN[key]:
        with pytest.raises(ValueError) as error:
            vmc.train(system, psi, **{"iterations": 1, "walkers": 64, "block": 8, key: value})
        one_line(error.value)
        assert key in str(error.value) or key in ("block", "walkers"), error.value


def test_arguments_of_evaluate():
    result = vmc.train(DOT, vmc.wavefunctions.GaussianRBM(DOT), iterations=0, walkers=8, block=8)
    for key, values in {
        "steps": [0, 1, 2.0, True, None],
        "interval": [0, 1.5],
        "warmup": [-1, 0.5],
        "number": [-1, 0.0, True, "0"],
        "threads": [0],
    }.items():
        for value in values:
            with pytest.raises(ValueError, match=key) as error:
                vmc.evaluate(result, **{"steps": 4, key: value})
            one_line(error.value)
    with pytest.raises(ValueError, match="expects what train returned"):
        vmc.evaluate(DOT)
    assert result.evaluations == 0


def test_numbers_are_taken_from_numpy_too():
    system = vmc.systems.QuantumDot(np.int64(2), np.float32(1.0), np.int8(2))
    assert type(system.omega) is float and type(system.particles) is int
    assert vmc.wavefunctions.GaussianRBM(system, np.int32(3)).hidden == 3
    assert vmc.systems.TransverseIsing(np.array([3, 4])).lattice.extent == (3, 4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e300, "1e+300"),
        (10**400, "10000000... (401 digits)"),
        (10**6000, "a number of 19932 bits"),
        ("y" * 500, "'" + "y" * 56 + "..."),
        (np.nan, "nan"),
        (7, "7"),
    ],
    ids=["float", "long", "very long", "text", "nan", "short"],
)
def test_values_in_messages_are_short(value, text):
    assert arguments.shown(value) == text


def tables(table=Table):
    for one in table.__subclasses__():
        yield one
        yield from tables(one)


def test_defaults_of_jobs_are_those_of_the_constructors():
    """A key that the constructor has by default has no default of its own in the job's table."""
    seen = 0
    for table in tables():
        for key, parameter in inspect.signature(found(table)).parameters.items():
            if key in table.model_fields and parameter.default is not inspect.Parameter.empty:
                value = parameter.default
                value = list(value) if isinstance(value, tuple) else value
                field = table.model_fields[key]
                if isinstance(field.default, Table):  # a table of its own, whose defaults count
                    continue
                assert not field.is_required() and field.default == value, (table, key)
                assert type(field.default) is type(value)
                seen += 1
    assert seen > 100


def found(table):
    path = table.builds or table.defaults
    if not path:
        return lambda: None
    module, name = path.split(":")
    return getattr(__import__(module, fromlist=[name]), name)


def test_python_makes_what_a_job_makes_by_default():
    assert (DOT.particles, DOT.omega, DOT.dimensions) == (2, 1.0, 2)
    assert vmc.wavefunctions.GaussianRBM(DOT).hidden == 4
    assert vmc.optimizers.Adam().learning_rate == 0.01


def test_a_size_without_a_least_names_its_most():
    with pytest.raises(ValueError, match=r"size must be .*, got"):
        arguments.whole("size", 10 * arguments.FAR, None, arguments.FAR)
