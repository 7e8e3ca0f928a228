"""Errors in a user's classes, wherever a job finds them: one line that names class, file and line;
the program's own errors stay tracebacks.
"""

import io
import itertools
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import pytest

from vmcnet import cli
from vmcnet.hamiltonians.kinetic import Kinetic
from vmcnet.runs import blame
from vmcnet.wavefunctions.bound import Bound

pytestmark = pytest.mark.processes  # runs ask git for the revision
MODULE = """
import os
import sys

import numpy as np

import vmcnet as vmc
from vmcnet.hamiltonians.external import Potential
from vmcnet.observables import Observable
from vmcnet.optimizers import NaturalGradient, Optimizer
from vmcnet.parameters import POSITIVE, Layout
from vmcnet.wavefunctions import Wavefunction


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def thrown(error):
    raise error


ERRORS = {
    "zero": lambda: 1 / 0,
    "index": lambda: [][3],
    "own": lambda: thrown(ValueError("in two\\nlines")),
    "numpy": lambda: np.linalg.inv(np.zeros((2, 2))),
    "shapes": lambda: np.ones(3) @ np.ones(4),
    "exit": lambda: sys.exit(0),
    "deep": lambda: ERRORS["deep"](),
    "file": lambda: open("/none/such"),
    "stop": lambda: next(iter(())),
    "silent": lambda: thrown(Silent()),
}


def spoil(place):
    where, _, kind = os.environ.get("SPOIL", "=").partition("=")
    if where == place:
        ERRORS[kind]()


class Psi(Wavefunction):
    name, decays = "own", True

    def __init__(self, system):
        self.particles, self.dimensions = system.particles, system.dimensions
        self.layout = Layout().add("alpha", (), POSITIVE)
        spoil("Psi.__init__")

    def initial(self, stream):
        spoil("Psi.initial")
        return {"alpha": 0.6}

    def check(self, system):
        spoil("Psi.check")

    def log_psi(self, ops, theta, walkers):
        spoil("Psi.log_psi")
        return None, -theta["alpha"] * ops.total(walkers.r**2)


class Term:
    def local(self, walkers, psi):
        spoil("Term.local")
        return np.zeros(len(walkers.r))


class Dot(vmc.systems.QuantumDot):
    def __init__(self):
        super().__init__(particles=2)
        self.terms["own"] = Term()

    def start(self, stream, walkers):
        spoil("Dot.start")
        return super().start(stream, walkers)

    def describe(self):
        spoil("Dot.describe")
        return super().describe()

    def reference_of(self, psi):
        spoil("Dot.reference_of")
        return None


class Sign(Optimizer):
    name = "sign"

    def start(self, size):
        spoil("Sign.start")
        return {}

    def update(self, direction, state, iteration, theta):
        spoil("Sign.update")
        return -self.rate(iteration) * np.sign(direction), state


class Plain(NaturalGradient):
    name = "plain"

    def direction(self, tangents, state, iteration):
        spoil("Plain.direction")
        return tangents.gradient, state, {}


class Size(Observable):
    name, labels = "size", ("r2",)

    def measure(self, walkers, psi):
        spoil("Size.measure")
        return (walkers.r**2).sum(axis=2).mean(axis=1)[:, None]

    def derived(self, mean, square):
        spoil("Size.derived")
        return {}
"""
JOB = """
name = "own"
seed = 3
[system]
type = "MODULE:Dot"
[[wavefunction]]
type = "MODULE:Psi"
[[observable]]
type = "MODULE:Size"
[natural_gradient]
type = "MODULE:Plain"
[sampling]
walkers = 16
block = 8
steps = 1
warmup = 1
[optimizer]
type = "MODULE:Sign"
learning_rate = 0.01
[training]
iterations = 2
[evaluation]
steps = 2
warmup = 0
"""
NAMES = (f"spoilt_{k}" for k in itertools.count())


def called(*arguments):
    """Status and standard error of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        cli.main(list(map(str, arguments)))
    return end.value.code, err.getvalue()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """place(where, more) -> the file of a module of a job job.toml in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "library")
    monkeypatch.setattr(blame, "USED", {})

    def put(where, more=""):
        name, package = next(NAMES), where.startswith("package")
        folder = tmp_path if where == "beside" else tmp_path / "library"
        folder = folder / f"in_{name}" if package else folder
        folder.mkdir(parents=True, exist_ok=True)
        if package:
            (folder / "__init__.py").touch()
        file = folder / f"{name}.py"
        file.write_text(MODULE + more)
        title = f"in_{name}.{name}" if package else name
        (tmp_path / "job.toml").write_text(JOB.replace("MODULE", title))
        return file

    return put


def line_of(err):
    assert err.count("\n") == 1 and err.startswith("vmcnet: "), err
    return err


METHODS = [
    *("Psi.__init__", "Psi.initial", "Psi.check", "Psi.log_psi", "Term.local", "Dot.start"),
    *("Dot.describe", "Dot.reference_of", "Sign.start", "Sign.update", "Plain.direction"),
    *("Size.measure", "Size.derived"),
]
LATE = "Sign.update", "Plain.direction", "Size.derived"  # nothing calls them in `check`


@pytest.mark.parametrize("where", ["beside", "on the path", "package"])
def test_an_error_in_a_class_is_one_line(place, monkeypatch, where):
    file = place(where)
    run = ["run", "--output", "a.h5", "--overwrite", "--quiet"]
    for method in METHODS if where == "on the path" else METHODS[1::4]:
        monkeypatch.setenv("SPOIL", f"{method}=zero")
        command = run if method in LATE else ["check"]
        code, err = called(command[0], "job.toml", *command[1:])
        assert code == 2 and f"{file}, line " in line_of(err), err
        assert f"(called by {method}): ZeroDivisionError: division by zero" in err


KINDS = {
    "index": "IndexError: list index out of range",
    "own": "ValueError: in two lines",
    "numpy": "LinAlgError: Singular matrix",
    "shapes": "ValueError: matmul",
    "exit": "SystemExit: 0",
    "deep": "RecursionError",
    "file": "FileNotFoundError: .*/none/such",
    "stop": "StopIteration",
    "silent": "Silent: <exception str\\(\\) failed>",
}


def test_every_kind_of_error(place, monkeypatch):
    file = place("on the path")
    for kind, words in KINDS.items():
        monkeypatch.setenv("SPOIL", f"Term.local={kind}")
        code, err = called("run", "job.toml", "--output", "a.h5", "--overwrite", "--quiet")
        assert code == 2 and f"{file}, line " in line_of(err), (kind, err)
        assert re.search(words, err), (kind, err)


def test_a_run_outlives_it(place, monkeypatch):
    """resume and evaluate say it in one line, change nothing, and go on when it is gone."""
    place("package")
    assert called("run", "job.toml", "--output", "a.h5", "--quiet") == (0, "")
    before = Path("a.h5").read_bytes()
    monkeypatch.setenv("SPOIL", "Psi.log_psi=zero")
    for command in (["evaluate", "a.h5"], ["resume", "a.h5", "--set", "training.iterations=4"]):
        code, err = called(*command)
        assert code == 2 and "Psi.log_psi): ZeroDivisionError" in line_of(err), err
    assert Path("a.h5").read_bytes() == before
    monkeypatch.setenv("SPOIL", "Size.derived=own")
    code, err = called("evaluate", "a.h5", "--quiet")
    assert code == 2 and "Size.derived): ValueError: in two lines" in line_of(err), err
    monkeypatch.delenv("SPOIL")
    resumed = called("resume", "a.h5", "--quiet", "--set", "training.iterations=4")
    assert resumed == (0, ""), resumed
    with h5py.File("a.h5") as file:
        assert len(file["training/energy"]) == 4 and "evaluation/1" in file


def test_the_programs_own_errors_are_tracebacks(place, monkeypatch):
    """Beside a user's classes, and below them; with the line that called it."""
    more = "\nclass Dot(Dot):\n    def __init__(self):\n        super().__init__()\n"
    more += "        self.terms['own'] = Asking()\n\n\nclass Asking:\n    "
    more += "def local(self, w, psi):\n        return psi.drift(w.r, w.s)[:, 0, 0]\n"
    file = place("on the path", more)
    assert called("check", "job.toml") == (0, "")
    with monkeypatch.context() as broken:
        broken.setattr(Kinetic, "local", lambda *given: [][1])
        code, err = called("check", "job.toml")
        assert code == 1 and "Traceback" in err and str(file) not in err
    with monkeypatch.context() as broken:
        broken.setattr(Kinetic, "local", lambda self, walkers, psi: 0.0 * walkers.r[:, 0, 0])
        broken.setattr(Bound, "drift", BROKEN["drift"])
        code, err = called("check", "job.toml")
        assert code == 1 and "Traceback" in err
        assert err.splitlines()[-1].startswith(f"[rank 0] called by {file}, line ")


exec(
    compile("def drift(*given):\n    return [][1]\n", blame.PROGRAM + "x.py", "exec"), BROKEN := {}
)


def method(cls, name, returns):
    """A subclass of the module's class, whose method returns an expression."""
    return f"\nclass {cls}({cls}):\n    def {name}:\n        return {returns}\n"


def attribute(cls, line):
    return f"\nclass {cls}({cls}):\n    {line}\n"


LOG, TERM = "log_psi(self, ops, theta, walkers)", "local(self, walkers, psi)"
UPDATE, START = "update(self, direction, state, iteration, theta)", "start(self, size)"
DIRECTION = "direction(self, tangents, state, iteration)"
REFERENCE = "expected None, or \\(energy, source\\), a finite number"
GIVEN = {
    method("Psi", "log_psi(self, theta, walkers)", "None"): "Psi.log_psi: .*4 were given",
    method("Psi", LOG, "None"): "log_psi of Psi returns NoneType; expected \\(phase, log\\)",
    method("Psi", "initial(self, stream)", "{'alpha': 1j}"): "'alpha' is 1j; expected finite real",
    method("Psi", "initial(self, stream)", "{'alpha': np.nan}"): "'alpha' is nan; expected finite",
    method("Psi", "initial(self, stream)", "{'alpha': [[1], [2, 3]]}"): "expected finite real",
    attribute("Psi", "name = ''"): "Psi.name is '': expected a text",
    attribute("Psi", "reads = 3"): "Psi.reads is 3: expected one of coordinates",
    attribute("Psi", "core = 'x'"): "Psi.core is 'x': expected a number",
    method("Term", TERM, "walkers.r"): "term 'own' returned shape .*one number a walker",
    method("Term", TERM, "1j * walkers.r[:, 0, 0]"): "'own' has an imaginary part",
    method("Term", TERM, "walkers.r.fill(0)"): "Term.local: the term 'own' writes into",
    attribute("Dot", "moves = 'x'"): "Dot.moves is 'x': expected one of coordinates",
    attribute("Dot", "box = 3"): "Dot.box is 3: expected None or a vmcnet.Box",
    attribute("Dot", "notes = 'text'"): "Dot.notes is 'text': expected a tuple of texts",
    attribute("Dot", "observables = [3]"): "observable int: expected a subclass",
    method("Dot", "start(self, stream, walkers)", "None"): "start of Dot gives NoneType; expected",
    method("Dot", "start(self, stream, walkers)", "vmc.systems.QuantumDot(particles=3).start("
           "stream, walkers)"): "start of Dot gives r \\(2, 3, 2\\) .* expected Walkers with r",
    method("Dot", "reference_of(self, psi)", "3"): REFERENCE,
    method("Dot", "reference_of(self, psi)", "(np.nan, 's')"): REFERENCE,
    method("Sign", START, "None"): "start of Sign returns the state None",
    method("Sign", START, "{'m': 'x'}"): "start of Sign keeps 'x' as 'm' .* real numbers",
    method("Sign", START, "{'a/b': np.zeros(size)}"): "expected a text without slashes",
    method("Sign", UPDATE, "direction, {'m': direction}"): "was no arrays before: let start",
    method("Sign", "rate(self, iteration)", "np.ones(1)"): "rate of Sign returns .* a number",
    method("Sign", "__init__(self, learning_rate)", "None"): "learning_rate.: set it",
    method("Plain", DIRECTION, "tangents.gradient"): "direction of Plain returns array",
    method("Plain", DIRECTION, "np.ones(7), state, {}"): "direction of float64, shape \\(7,\\)",
    method("Plain", DIRECTION, "tangents.gradient, state, {'energy': 1.0}"): "row of .'energy'.",
    method("Plain", DIRECTION, "tangents.gradient, state, {'a': 1.0} if iteration else {}"):
        "expected the same names at every iteration",
    method("Size", "measure(self, walkers, psi)", "None"): "measure returned NoneType",
    method("Size", "derived(self, mean, square)", "{'a': 3}"): "derived returned .'a': 3.;",
    method("Size", "derived(self, mean, square)", "{'a\\nb': (1.0, 1.0)}"): "expected a dictionary",
    attribute("Size", "labels = ('a\\nb',)"): "labels must be a list of different texts",
    attribute("Size", "labels = (1,)"): "labels must be a list of different texts",
    attribute("Size", "name = 'energy'"): "its name is that of the energy",
    attribute("Size", "shown = [7]"): "shown must be numbers of components, 0 to 0",
    attribute("Size", "grid = {'edges': 'abc'}"): "grid must be arrays of numbers by name",
}  # fmt: skip


def test_what_classes_give(place):
    """Refused where it is met, by the class and what was expected: no file is left that could not
    be read or gone on with.
    """
    for more, words in GIVEN.items():
        place("beside", more)
        code, err = called("run", "job.toml", "--output", "a.h5", "--overwrite", "--quiet")
        assert code == 2 and re.search(words, line_of(err)), (more, err)


NOT_FINITE = {
    method("Psi", LOG, "None, np.nan * ops.total(walkers.r)"): "log psi of Psi is NaN in 8 of",
    method("Psi", LOG, "None, ops.log(-ops.total(walkers.r**2))"): "log psi of Psi is NaN",
    method("Psi", LOG, "None, -ops.total(ops.sqrt(0 * walkers.r) + walkers.r**2)"):
        "the term kinetic is NaN in 8 of",
    method("Term", TERM, "np.full(len(walkers.r), np.nan)"): "the term own is NaN in 8 of",
    method("Term", TERM, "np.full(len(walkers.r), np.inf)"): "the term own is infinite in",
    method("Term", TERM, "np.where(walkers.r[:, 0, 0] > 0, np.nan, 0.0)"): "own is NaN in [1-7] of",
    method("Dot", "start(self, stream, walkers)", "type(w := super().start(stream, walkers))("
           "w.r if walkers == 2 else 0 * w.r, w.s)"): "coulomb is infinite .* particles coincide",
}  # fmt: skip


def test_what_is_not_finite_at_the_start(place):
    """Nothing was learned yet: it names the factor or the term, and no learning rate."""
    for more, words in NOT_FINITE.items():
        place("beside", more)
        for command in (["check"], ["run", "--output", "a.h5", "--overwrite", "--quiet"]):
            code, err = called(command[0], "job.toml", *command[1:])
            words = words.replace("in 8 of", "in [28] of")
            assert code == 1 and re.search(words, line_of(err)), (more, err)
            assert "learning" not in err, err


def test_what_is_not_finite_later(place):
    far = method("Sign", UPDATE, "1e300 + 0 * direction, state")
    place("beside", far)
    code, err = called("run", "job.toml", "--output", "a.h5", "--quiet")
    assert code == 1 and "usually the learning rate is too high" in err
    place("beside", method("Sign", UPDATE, "np.nan * direction, state"))
    code, err = called("run", "job.toml", "--output", "b.h5", "--quiet")
    assert code == 1 and "the optimizer's step is NaN or infinite at training iteration 0" in err
    flat = "None, -ops.sqrt(0 * theta['alpha']) * ops.total(walkers.r**2) - ops.total(walkers.r**2)"
    place("beside", method("Psi", LOG, flat))
    code, err = called("run", "job.toml", "--output", "c.h5", "--quiet")
    assert code == 1 and "the gradient of alpha is NaN or infinite at training iteration 0" in err


CLASSES = {
    "json:JSONDecoder": "json:JSONDecoder is no subclass of vmcnet.systems.base.System",
    "builtins:dict": "builtins:dict is no class of this kind",
    "os:PathLike": "PathLike: Can't instantiate abstract class",
    "sys:flags": "is no subclass|cannot create|no class",
    "os.path:join": "os.path has no class 'join'",
    "vmcnet.optimizers:SGD": "SGD: missing a required argument|no subclass",
}


def test_classes_of_other_kinds(place):
    for title, words in CLASSES.items():
        place("beside")
        text = re.sub('type = ".*:Dot"', f'type = "{title}"', Path("job.toml").read_text())
        Path("job.toml").write_text(text)
        code, err = called("check", "job.toml")
        assert code == 2 and re.search(words, line_of(err)), (title, err)


def test_modules_that_fail_when_imported(place):
    for where, more, words in (
        ("on the path", "\n1 / 0\n", ", line [0-9]+, in <module>: ZeroDivisionError"),
        ("package", "\nimport none_such\n", "in <module>: ModuleNotFoundError.*none_such"),
        ("beside", "\nsys.exit(0)\n", ", line [0-9]+, in <module>: SystemExit: 0"),
        ("on the path", "\nx = = 1\n", "SyntaxError: invalid syntax"),
    ):
        place(where, more)
        code, err = called("check", "job.toml")
        assert code == 2 and re.search("fails when it is imported: .*" + words, line_of(err)), err
