"""NaN and divergence: back to the last good checkpoint, to the same bits, or a clear end."""

from pathlib import Path

import h5py
import pytest

from tests.faults.cases import broken, one_line
from tests.runs import complaints, datasets, same, vmcnet
from vmcnet.storage.checkpoint import read_checkpoint
from vmcnet.storage.paths import checkpoint_path


def test_nan_once_is_rolled_back_on_any_number_of_ranks(whole, tmp_path):
    """Population step 12 of rank 0's first block, which is block 0 on any number of ranks: training
    iteration 7, checkpoint 5.
    """
    for ranks in (1, 3):
        run = tmp_path / f"{ranks}.h5"
        done = broken("nan", 0, 12, "run", whole / "small.toml", "--output", run, ranks=ranks)
        lines = complaints(done.stderr)
        assert done.returncode == 0, done.stderr
        assert (
            len(lines) == 1
            and "rollback 1 of 3" in lines[0]
            and "block 0 (rank 0) at training iteration 7" in lines[0]
        )
        assert "back from iteration 7 to 5, steps times 0.5" in lines[0]
    same(tmp_path / "1.h5", tmp_path / "3.h5")
    with h5py.File(tmp_path / "1.h5") as file:
        assert (
            file["rollbacks/reached"][:].tolist() == [7]
            and file["rollbacks/back_to"][:].tolist() == [5]
            and file["rollbacks/scale"][:].tolist() == [0.5]
        )
        rates = file["training/learning_rate"][:]
        assert rates.tolist() == [0.01] * 5 + [0.005] * 7
    ours, theirs = (
        datasets(tmp_path / "1.h5")["training/energy"],
        datasets(whole / "small.h5")["training/energy"],
    )
    assert ours[:5].tobytes() == theirs[:5].tobytes() and ours[5] != theirs[5], (
        "the second attempt must draw words of its own"
    )


@pytest.mark.parametrize(
    ("at", "phase"),
    [(5, "training iteration 0"), (12, "training iteration 7"), (23, "evaluation iteration 2")],
)
def test_nan_without_a_way_back_stops_all_ranks(whole, tmp_path, at, phase):
    """No checkpoint before it, no rollback allowed, parameters frozen: status 1, one line that
    names rank, block and iteration, the walkers kept.
    """
    run = tmp_path / "run.h5"
    done = broken(
        "nan",
        1,
        at,
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        f"training.rollbacks={0 if at == 12 else 3}",
        ranks=2,
    )
    one_line(
        done.returncode,
        done.stderr,
        "NaN or infinite",
        "block 4 (rank 1)",
        phase,
        checkpoint_path(run, "nonfinite"),
    )
    assert read_checkpoint(checkpoint_path(run, "nonfinite")).arrays["r"].shape == (8, 8, 2, 2)
    if phase != "training iteration 0":
        vmcnet("resume", run)
        with h5py.File(run) as file:
            assert len(file["training/energy"]) == 12 and "evaluation/0" in file


def test_nan_that_comes_back_uses_up_the_rollbacks(whole, tmp_path):
    run = tmp_path / "run.h5"
    done = broken("nans", 0, 12, "run", whole / "small.toml", "--output", run)
    one_line(done.returncode, done.stderr, "NaN or infinite")
    assert done.stderr.count("rollback ") >= 1


def test_a_training_that_diverges(whole, server, tmp_path):
    """A learning rate 1000 times too high: it says each rollback in log and file, then gives up."""
    run = tmp_path / "run.h5"
    code, said = server.run(
        "run",
        whole / "rolling.toml",
        "--output",
        run,
        "--set",
        "optimizer.learning_rate=300",
        "--set",
        "training.rollbacks=2",
        log=tmp_path / "log",
    )
    assert code == 1
    one_line(
        code,
        said,
        "standard deviations",
        "training.rollbacks = 2 are used up",
        "lower optimizer.learning_rate",
    )
    assert [line.split(":")[0] for line in said.splitlines() if line.startswith("rollback")] == [
        "rollback 1 of 2",
        "rollback 2 of 2",
    ]
    with h5py.File(run) as file:
        assert file["rollbacks/scale"][:].tolist() == [0.5, 0.25]
    code, said = server.run("resume", run, "--set", "training.rollbacks=20", log=tmp_path / "log")
    assert code == 0, said
    with h5py.File(run) as file:
        assert len(file["training/energy"]) == 12 and len(file["rollbacks/scale"]) > 2


def test_a_rollback_is_exact_across_a_stop(whole, tmp_path):
    """Stopped by hand in the middle, on another number of ranks afterwards: it goes back to the
    same place.
    """
    run = tmp_path / "run.h5"
    vmcnet(
        "run",
        whole / "rolling.toml",
        "--output",
        run,
        "--set",
        "training.iterations=6",
        "--set",
        "evaluation.steps=0",
    )
    assert (
        not Path(checkpoint_path(run, "rollback")).exists()
        or read_checkpoint(checkpoint_path(run, "rollback")).numbers["iteration"] <= 4
    )
    vmcnet(
        "resume", run, "--set", "training.iterations=12", "--set", "evaluation.steps=10", ranks=3
    )
    same(whole / "rolling.h5", run)
