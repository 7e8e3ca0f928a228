"""A training whose walkers grow: the same bits on any ranks, across a resume on either side of the
growth, and after it as many walkers in everything that follows.
"""

import h5py
import pytest

from tests.runs import JOB, same, vmcnet
from vmcnet.config import JobError, parse_job

pytestmark = pytest.mark.processes
GROWING = JOB.replace(
    "iterations = 12",
    "iterations = 12\ngrowth = [{ iteration = 5, walkers = 96 }, { iteration = 8, walkers = 192 }]",
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growth")
    (folder / "job.toml").write_text(GROWING)
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5")
    return folder


def test_all_that_follows_has_more_walkers(reference):
    with h5py.File(reference / "one.h5") as file:
        assert file["evaluation/0/walker_mean"].shape[-1] == 192
        training = file["training"]
        ratio = training["error"][:] ** 2 / training["variance"][:]
        assert (1 / ratio).round().tolist() == [64] * 5 + [96] * 3 + [192] * 4


def test_same_bits_on_three_ranks(reference, tmp_path):
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "three.h5", ranks=3)
    same(reference / "one.h5", tmp_path / "three.h5")


@pytest.mark.parametrize("iterations", [5, 9])
def test_resume_on_either_side(reference, tmp_path, iterations):
    run = tmp_path / "half.h5"
    vmcnet(
        "run",
        reference / "job.toml",
        "--output",
        run,
        "--set",
        f"training.iterations={iterations}",
        "--set",
        "evaluation.steps=0",
    )
    vmcnet(
        "resume", run, "--set", "training.iterations=12", "--set", "evaluation.steps=20", ranks=2
    )
    same(reference / "one.h5", run)


@pytest.mark.parametrize(
    ("growth", "words"),
    [
        ("[{ iteration = 5, walkers = 64 }]", "more than the 64 before"),
        ("[{ iteration = 5, walkers = 90 }]", "multiple of sampling.block = 8"),
        (
            "[{ iteration = 5, walkers = 96 }, { iteration = 5, walkers = 128 }]",
            "both must grow",
        ),
        ("[{ iteration = 0, walkers = 96 }]", "greater than or equal to 1"),
    ],
)
def test_refusals(growth, words):
    with pytest.raises(JobError, match=words):
        parse_job(GROWING.split("growth")[0] + f"growth = {growth}\n[evaluation]\nsteps = 0\n")
