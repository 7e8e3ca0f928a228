"""Which module may import which; what `import vmcnet` pulls in; the size of files."""

import ast
import gc
import re
import runpy
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

import vmcnet
from vmcnet import cli

ROOT = Path(__file__).parents[1] / "vmcnet"
# The floors, bottom to top. A module imports from its own floor's package and from lower floors
# only.
FLOORS = [
    {"version", "arguments"},
    {"kernels"},
    {"backend", "statistics"},
    {"parallel", "parameters"},
    {"calculus"},
    {"geometry"},
    {"walkers"},
    {"wavefunctions", "hamiltonians", "observables"},
    {"exact"},
    {"systems"},
    {"sampling"},
    {"estimators"},
    {"optimizers"},
    {"storage"},
    {"engine"},
    {"config"},
    {"runs"},
    {"commands"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
NUMERICS = {
    "kernels",
    "calculus",
    "geometry",
    "wavefunctions",
    "hamiltonians",
    "observables",
    "exact",
    "systems",
    "sampling",
    "estimators",
    "optimizers",
}


def modules():
    return sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


@cache
def parsed(path):
    return ast.parse(path.read_text())


def imported(path):
    """Names right below vmcnet that a file imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "vmcnet"
        ):
            parts = node.module.split(".")
            yield from ([parts[1]] if len(parts) > 1 else [a.name for a in node.names])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("vmcnet"), (
                    f"{path}: write from vmcnet... import ..."
                )


def test_one_name_means_one_thing():
    """No two classes with one name, no file name in three rooms."""
    classes, files = {}, {}
    for path in modules():
        files.setdefault(path.name, []).append(path)
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(path)
    assert not {name: found for name, found in classes.items() if len(found) > 1}
    usual = {"__init__.py", "base.py"}
    assert not {n: found for n, found in files.items() if len(found) > 2 and n not in usual}


def test_imports_point_down():
    for path in modules():
        imports_point_down(path)


def imports_point_down(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert own in LEVEL, f"{own}: give it a floor in this test and in docs/architecture.md"
    for name in imported(path):
        if name != own:
            assert name in LEVEL and LEVEL[name] < LEVEL[own], (
                f"{path.relative_to(ROOT)} imports {name}"
            )
            assert not (own in NUMERICS and name in ("parallel", "config", "storage")), (
                f"{path.relative_to(ROOT)} imports {name}"
            )
            assert own != "statistics", "statistics knows NumPy and SciPy alone"


def test_only_parallel_knows_mpi():
    for path in modules():
        if path.name != "communicators.py":
            assert (
                "from mpi4py" not in path.read_text() and "import mpi4py" not in path.read_text()
            ), path


def test_files_are_short():
    files = [p for folder in (ROOT, ROOT.parent / "tests") for p in folder.rglob("*.py")]
    lines = {str(p.relative_to(ROOT.parent)): len(p.read_text().splitlines()) for p in files}
    assert not {name: n for name, n in lines.items() if n > 420}


def test_the_drawing_of_the_rooms_is_that_of_today():
    """docs/rooms.svg has the boxes and lines that analysis/rooms.py draws now."""
    script = runpy.run_path(str(ROOT.parent / "analysis" / "rooms.py"))
    found = script["reduced"](script["edges"]())
    drawn = set(re.findall(r'<g id="(\w+)">', (ROOT.parent / "docs" / "rooms.svg").read_text()))
    wanted = {f"room_{name}" for name in found}
    wanted |= {f"{room}_imports_{below}" for room, parts in found.items() for below in parts}
    kinds = {name for name in drawn if name.startswith("room_") or "_imports_" in name}
    assert kinds == wanted and len(wanted) > 40, "python analysis/rooms.py"


def test_names_looked_up_at_run_time_say_why():
    """Every hasattr and getattr has a comment in its lines or the one above; other switches between
    kinds of objects are attributes of protocols.
    """
    for path in modules() + [ROOT / "__init__.py"]:
        lines = path.read_bytes().splitlines(keepends=True)
        if not any(b"attr" in line for line in lines):
            continue
        said = {
            word.start[0]
            for word in tokenize.tokenize(iter(lines).__next__)
            if word.type == tokenize.COMMENT
        }
        for node in ast.walk(ast.parse(b"".join(lines))):
            if isinstance(node, ast.Name) and node.id in ("hasattr", "getattr"):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                assert said & {node.lineno - 1, node.lineno}, (
                    f"{place}: {node.id} without a comment"
                )


def test_public_names_are_the_ones_that_editors_see():
    """vmcnet/__init__.py: __all__, the names loaded when used, and the imports of type checkers."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {a.name for node in guarded.body for a in node.names}
    assert set(vmcnet.__all__) == seen | {"__version__"} == set(vmcnet._HOME) | {"__version__"}
    for name in vmcnet.__all__:
        assert getattr(vmcnet, name) is not None


@pytest.mark.processes
def test_import_vmcnet_pulls_in_little():
    code = (
        "import sys, numpy; before = set(sys.modules); import vmcnet; new = {m.split('.')[0] for m "
        "in set(sys.modules) - before}; "
        "print(sorted(new))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "['vmcnet']"


@pytest.mark.processes
@pytest.mark.parametrize(
    "code",
    [
        "import vmcnet as v; s = v.systems.QuantumDot(2); p = v.wavefunctions.GaussianRBM(s, "
        "hidden=2) * v.wavefunctions.PadeJastrow(s); "
        "v.train(s, p, optimizer=v.optimizers.Adam(0.05), iterations=1, walkers=128)",
        "from vmcnet import cli; cli.main(['check', 'jobs/quantum_dot_2.toml'])",
    ],
)
def test_one_rank_needs_no_mpi_and_no_gpu(code):
    """MPI and CuPy made impossible to import: Python use and the command line go on."""
    guard = "import sys; sys.modules['mpi4py'] = sys.modules['cupy'] = None; "
    done = subprocess.run(
        [sys.executable, "-c", guard + code], capture_output=True, text=True, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("alone", [False, True])
def test_the_garbage_collector_of_a_caller_is_left_alone(monkeypatch, capsys, alone):
    """Only a program of its own sets aside what its imports made; both collect afterwards."""
    gc.unfreeze()
    monkeypatch.setattr(sys, "argv", ["vmcnet", "jobs"])
    with pytest.raises(SystemExit) as ended:
        cli.main() if alone else cli.main(["jobs"])
    assert not ended.value.code and gc.isenabled() and bool(gc.get_freeze_count()) == alone
    gc.unfreeze()


@pytest.mark.processes
def test_a_start_needs_no_scipy_linalg():
    """Its Python takes as long as a tenth of a start; a run file names its BLAS all the same."""
    code = """
import sys
from vmcnet.storage.run_file import conditions
from vmcnet.systems import QuantumDot
assert QuantumDot(2, 1.0).reference[0] > 2.9
first = conditions(1)["blas"]
assert "scipy.linalg" not in sys.modules
import scipy.linalg
assert first and conditions(1)["blas"] == first
"""
    subprocess.run([sys.executable, "-c", code], check=True)
