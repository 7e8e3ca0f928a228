"""One run of the small job for all tests that read one."""

import pytest

from tests.runs import JOB, vmcnet


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("read")
    (folder / "job.toml").write_text(JOB)
    vmcnet("run", folder / "job.toml", "--output", folder / "run.h5")
    return folder / "run.h5"
