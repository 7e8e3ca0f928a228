"""The marker `processes`: tests that start programs; `pytest -m "not processes"` leaves them out.

Tests marked `verify` run only where the expression after -m names them. With `--resume` those that
passed on the same sources are left out.
"""

import os
import subprocess
import sys
from pathlib import Path

import h5py  # noqa: F401 (its first import starts uname, before the guard is there)
import pytest
import scipy.linalg  # noqa: F401 (loads its BLAS, before the limit is set)
from threadpoolctl import threadpool_limits

from tests import runs
from tests.resumed import Resumed

# folders and files whose tests all start programs
PROGRAMS = {"faults", "mpi", "slurm", "test_device_kernels.py", "test_recomputed.py"}
# Four ranks share two cores here: one that waits in a collective gives its core away.
PATIENT = {"MPIR_CVAR_POLLS_BEFORE_YIELD": "1", "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1"}
PATIENT |= {"OMPI_MCA_mpi_yield_when_idle": "1"}
running = []  # the test that runs now
sys.dont_write_bytecode = False  # compiling the tests takes longer than running many of them


def pytest_addoption(parser):
    parser.addoption("--resume", action="store_true", help="leave out what passed on these sources")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Workers side by side for the literal `pytest -m "not processes"`; none for a file, for -k and
    for what starts ranks of its own.
    """
    everything = config.args_source is config.ArgsSource.TESTPATHS and not config.option.keyword
    if everything and config.option.markexpr == "not processes":
        return min(len(os.sched_getaffinity(0)), 8)
    return 0


def pytest_collection_modifyitems(config, items):
    for item in items:
        if PROGRAMS & set(Path(item.fspath).relative_to(config.rootpath).parts):
            item.add_marker(pytest.mark.processes)
    if "verify" not in config.option.markexpr:  # long ones run where they are named
        long = [item for item in items if item.get_closest_marker("verify")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    running.append(item)
    try:
        return (yield)
    finally:
        running.pop()


def marked():
    if running and running[-1].get_closest_marker("processes") is None:
        pytest.fail(f"{running[-1].nodeid} starts a program: mark it @pytest.mark.processes")


def guarded(start):
    def begin(self, *args, **kwargs):
        marked()
        start(self, *args, **kwargs)

    return begin


def pytest_configure(config):
    os.environ.update({k: v for k, v in PATIENT.items() if k not in os.environ})
    runs.verifying = "verify" in config.option.markexpr
    threadpool_limits(1)  # small matrices: threads of BLAS would wait for each other
    subprocess.Popen.__init__ = guarded(subprocess.Popen.__init__)
    runs.guard = marked
    if config.option.resume:
        config.pluginmanager.register(Resumed(config))
