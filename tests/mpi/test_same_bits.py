"""The same job on any number of ranks, stopped and resumed, gives the same bits; every launch is a
program of its own.
"""

import pytest

from tests.runs import JOB, same, vmcnet


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "job.toml").write_text(JOB)
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5", fresh=True)
    return folder


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_same_bits_on_any_number_of_ranks(reference, tmp_path, ranks):
    run = ("run", reference / "job.toml", "--output", tmp_path / "many.h5")
    vmcnet(*run, ranks=ranks, fresh=True)
    same(reference / "one.h5", tmp_path / "many.h5")


def test_half_then_resume_on_another_number_of_ranks(reference, tmp_path):
    vmcnet(
        "run",
        reference / "job.toml",
        "--output",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
        ranks=2,
        fresh=True,
    )
    vmcnet(
        "resume",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=12",
        "--set",
        "evaluation.steps=20",
        ranks=3,
        fresh=True,
    )
    same(reference / "one.h5", tmp_path / "half.h5")
