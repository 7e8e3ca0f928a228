"""A small job from the command line: same bits on several ranks, and through a resume."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

JOB = """
name = "small"
seed = 3
[system]
type = "quantum_dot"
[[wavefunction]]
type = "gaussian_rbm"
hidden = 2
[[wavefunction]]
type = "pade_jastrow"
[sampling]
walkers = 64
block = 8
steps = 3
warmup = 4
[training]
iterations = 12
[evaluation]
steps = 20
warmup = 4
[run]
checkpoint_every = 5
"""
TIMES = {"training/seconds", "training/communication"}
BIN = Path(sys.executable).parent


def vmcnet(*arguments, ranks=1, check=True):
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run(["timeout", "-k", "5", "120", *launcher, str(BIN / "vmcnet"), *map(str, arguments)], capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def datasets(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
    return {k: v for k, v in found.items() if k not in TIMES}


def same(a, b):
    a, b = datasets(a), datasets(b)
    assert set(a) == set(b)
    assert all(np.asarray(a[k]).tobytes() == np.asarray(b[k]).tobytes() for k in a), [k for k in a if np.any(a[k] != b[k])]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "job.toml").write_text(JOB)
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5")
    return folder


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_same_bits_on_any_number_of_ranks(reference, tmp_path, ranks):
    if not shutil.which(str(BIN / "mpiexec")):
        pytest.fail("mpiexec is missing: install the extra 'mpi'")
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "many.h5", ranks=ranks)
    same(reference / "one.h5", tmp_path / "many.h5")


def test_half_then_resume_on_another_number_of_ranks(reference, tmp_path):
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "half.h5", "--set", "training.iterations=6", "--set", "evaluation.steps=0", ranks=2)
    vmcnet("resume", tmp_path / "half.h5", "--set", "training.iterations=12", "--set", "evaluation.steps=20", ranks=3)
    same(reference / "one.h5", tmp_path / "half.h5")
