"""The same job on any number of ranks, stopped and resumed, gives the same bits."""

import pytest

from tests.runs import JOB, same, vmcnet


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "job.toml").write_text(JOB)
    vmcnet("run", folder / "job.toml", "--output", folder / "one.h5")
    return folder


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_same_bits_on_any_number_of_ranks(reference, tmp_path, ranks):
    vmcnet("run", reference / "job.toml", "--output", tmp_path / "many.h5", ranks=ranks)
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
    )
    vmcnet(
        "resume",
        tmp_path / "half.h5",
        "--set",
        "training.iterations=12",
        "--set",
        "evaluation.steps=20",
        ranks=3,
    )
    same(reference / "one.h5", tmp_path / "half.h5")
