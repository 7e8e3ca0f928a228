"""A warm server under the shim, undisturbed runs to compare with, and a small disk."""

import subprocess

import pytest

from tests.faults.shim import built
from tests.faults.test_kills import JOB as ROLLING
from tests.runs import JOB, vmcnet
from tests.warm import Forks


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    made = Forks(built(tmp_path_factory.mktemp("shim")))
    yield made
    made.close()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Undisturbed runs of the small job and of the one that rolls back."""
    folder = tmp_path_factory.mktemp("whole")
    for name, text in (("small", JOB), ("rolling", ROLLING)):
        (folder / f"{name}.toml").write_text(text)
        vmcnet("run", folder / f"{name}.toml", "--output", folder / f"{name}.h5")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("NOT TESTED: a full disk, because this user may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
