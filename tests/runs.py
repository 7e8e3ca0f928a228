"""A small job, and how tests run the command line and read run files."""

import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
LONGEST = 600  # seconds: ends what hangs; nothing takes as long, and no result depends on it
BIN = Path(sys.executable).parent
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
verifying = False  # conftest.py: whether the tests of `make verify` run


def many(few, all_of_them):
    """How many random cases: a few in `make test`, all in `make verify`."""
    return all_of_them if verifying else few


TIMES = {
    "training/seconds",
    "training/communication",
}  # the only datasets that may differ between equal runs


def command(*arguments, ranks=1):
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    return [*launcher, str(BIN / "vmcnet"), *map(str, arguments)]


def vmcnet(*arguments, ranks=1, check=True, fresh=False, cwd=None, env=None, fault=None):
    """A finished command on so many ranks; with `check` its failure fails the test.

    In warm processes (tests/warm); `fresh`, an environment of its own, more ranks than are warm or
    ranks that may end each other: the program itself. fault: what happens to it at which step, as
    in tests/faults/killed_rank.py.
    """
    from tests import warm

    guard()
    if fresh or env or ranks > warm.RANKS or (ranks > 1 and not check):
        words = ["timeout", "-k", "5", str(LONGEST), *command(*arguments, ranks=ranks)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=env)
    else:
        words = ["vmcnet", *map(str, arguments)]
        done = subprocess.CompletedProcess(words, *warm.run(arguments, ranks, cwd, fault))
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


PROGRESS = re.compile(r"(warmup|training|equilibration|evaluation) \d+/\d+  ")


def complaints(err):
    """What standard error says beside progress."""
    return [line for line in err.splitlines() if not PROGRESS.match(line)]


def guard():
    """conftest.py puts the check of the marker `processes` here."""


def start(*arguments, ranks=1):
    """A process that runs on, standard output and error piped."""
    return subprocess.Popen(
        command(*arguments, ranks=ranks), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def appears(path, process):
    """Wait for a file of a running process; a process that ends without it, or hangs, fails the
    test.
    """
    deadline = time.monotonic() + LONGEST
    while not path.exists():
        assert process.poll() is None or path.exists(), process.communicate()
        assert time.monotonic() < deadline, f"no {path} after {LONGEST} s"
        time.sleep(0.01)


def datasets(path):
    """All datasets of a run file by name, times left out."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
    return {k: v for k, v in found.items() if k not in TIMES}


def same(a, b):
    """Fail unless every dataset of two run files is identical to the bit."""
    a, b = datasets(a), datasets(b)
    assert set(a) == set(b) and "evaluation/0/energy" in a
    different = [k for k in a if np.asarray(a[k]).tobytes() != np.asarray(b[k]).tobytes()]
    assert not different, different
