"""A wheel is built, installed into an environment of its own, and run outside the checkout."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from email.parser import Parser

import pytest

from tests.runs import LONGEST, ROOT

pytestmark = pytest.mark.processes
SMALL = [
    f"{key}={value}"
    for key, value in {
        "sampling.walkers": 64,
        "sampling.block": 32,
        "sampling.warmup": 2,
        "training.iterations": 3,
        "evaluation.steps": 4,
        "evaluation.warmup": 1,
    }.items()
]


def call(*arguments, **options):
    done = subprocess.run(
        list(map(str, arguments)), capture_output=True, text=True, timeout=LONGEST, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the files that git knows, so that leftovers of the checkout cannot enter."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    call("git", "checkout-index", "--all", f"--prefix={source}/", cwd=ROOT)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    call(*build, "-w", out, source)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """bin/ of a new environment; the libraries are those of the running one, vmcnet is not."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (target,) = folder.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "-q"]
    call(*install, "--target", target, wheel)
    (target / "libraries.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return folder / "bin"


def test_contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(n for n in names if n.endswith(".dist-info/METADATA"))
        about = Parser().parsestr(archive.read(metadata).decode())
    inside = {n for n in names if n.startswith("vmcnet/")}
    assert "vmcnet/py.typed" in inside and "vmcnet/jobs/quantum_dot_2.toml" in inside
    shipped = {f"vmcnet/jobs/{p.name}" for p in (ROOT / "jobs").iterdir()}
    assert {n for n in inside if n.startswith("vmcnet/jobs/")} == shipped
    others = [n for n in names if not n.startswith("vmcnet/") and ".dist-info/" not in n]
    assert not others, "the wheel installs files beside the package"
    assert about["License-Expression"] == "BSD-3-Clause" and about["License-File"] == "LICENSE"
    assert "Programming Language :: Python :: 3.13" in about.get_all("Classifier")


def test_run_outside_the_checkout(environment, tmp_path):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    code = "import vmcnet; print(vmcnet.__file__)"
    where = call(environment / "python", "-c", code, cwd=tmp_path, env=environ)
    assert str(environment.parent) in where
    script = [environment / "python", "-c", "from vmcnet.cli import main; main()"]

    def vmcnet(*arguments):
        return call(*script, *arguments, cwd=tmp_path, env=environ)

    assert "quantum_dot_2.toml" in vmcnet("jobs")
    assert vmcnet("jobs", "quantum_dot_2").strip() == "quantum_dot_2.toml"
    settings = [word for value in SMALL for word in ("--set", value)]
    assert "energy" in vmcnet("run", "quantum_dot_2.toml", *settings)
    vmcnet("report", "runs/quantum_dot_2.h5", "--html", "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
