"""Clocks that jump, ranks that stall, stop, raise or refuse: it ends soon, with one line."""

import time

import h5py
import pytest

from tests.faults.cases import broken, one_line
from tests.runs import same, vmcnet


def test_the_clock_jumps(whole, server, tmp_path):
    """Ten years forth and back at every look: neither the wall-time limit nor checkpoints nor the
    watchdog go by the clock of the day.
    """
    run = tmp_path / "run.h5"
    code, said = server.run(
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        "run.wall_time=600",
        "--set",
        "run.watchdog_minutes=1",
        log=tmp_path / "log",
        SHIM_JUMP=10 * 365 * 86400,
    )
    assert code == 0, said
    same(whole / "small.h5", run)
    with h5py.File(run) as file:
        assert abs(int(file.attrs["started"][:4]) - time.localtime().tm_year) > 5, (
            "the clock did not jump"
        )
        assert (file["training/seconds"][:] > 0).all() and file["training/seconds"][:].sum() < 1e6


@pytest.mark.parametrize(
    ("how", "rank", "ranks"),
    [("stall", 0, 1), ("stall", 1, 3), ("stall", 0, 2), ("stop", 1, 3), ("stop", 0, 2)],
)
def test_a_rank_that_stalls(whole, tmp_path, how, rank, ranks):
    """Asleep in its own work it says so itself; stopped as a whole, the ranks that wait for it
    do.
    """
    run = tmp_path / "run.h5"
    done = broken(
        how,
        rank,
        10,
        "run",
        whole / "small.toml",
        "--output",
        run,
        "--set",
        "run.watchdog_minutes=0.05",
        ranks=ranks,
    )
    stuck = f"rank {rank} is stuck in its own work" if how == "stall" else "waits for another rank"
    one_line(
        done.returncode, done.stderr, "run.watchdog_minutes = 0.05", stuck, f"vmcnet resume {run}"
    )
    vmcnet("resume", run)
    same(whole / "small.h5", run)


def test_a_watchdog_that_is_off_or_patient_lets_a_slow_iteration_be(whole, server, tmp_path):
    """Asleep for a second at one step."""
    for limit in (0, 1):
        run, log = tmp_path / f"{limit}.h5", tmp_path / "log"
        settings = ("--set", f"run.watchdog_minutes={limit}")
        code, said = server.run(
            "run", whole / "small.toml", "--output", run, *settings, log=log, FAULT="pause 10"
        )
        assert code == 0, said
        same(whole / "small.h5", run)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_raises(whole, tmp_path, rank):
    """The others wait in a collective: the launcher ends, and the traceback names the rank."""
    run = tmp_path / "run.h5"
    done = broken("raise", rank, 10, "run", whole / "small.toml", "--output", run, ranks=3)
    assert done.returncode not in (0, 124, 137)
    assert done.stderr.count(f"[rank {rank}] ZeroDivisionError: made by the test") == 1
    assert f"[rank {rank}] Traceback" in done.stderr
    assert not any(f"[rank {other}]" in done.stderr for other in {0, 1, 2} - {rank})
    vmcnet("resume", run, ranks=2)
    same(whole / "small.h5", run)


def test_ranks_with_different_parameters_are_found(whole, tmp_path):
    done = broken(
        "differ", 1, 8, "run", whole / "small.toml", "--output", tmp_path / "run.h5", ranks=2
    )
    assert done.returncode == 1
    assert "iteration 3: the ranks hold different parameters" in done.stderr


@pytest.mark.verify
def test_a_rank_that_refuses_alone_speaks_when_rank_0_has_nothing_to_say(whole, tmp_path):
    done = broken(
        "refuse", 1, 10, "run", whole / "small.toml", "--output", tmp_path / "run.h5", ranks=2
    )
    one_line(done.returncode, done.stderr, "made by the test")
