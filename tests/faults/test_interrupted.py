"""Runs that are stopped or killed in every phase go on to the same bits; a live output is
guarded.
"""

import os
import random
import signal

import h5py
import pytest

from tests.config.test_malformed import call
from tests.faults.cases import PHASES, Held, broken, one_line, wait_until_free
from tests.runs import LONGEST, same, start, vmcnet
from vmcnet.runs.stopping import REQUEUE
from vmcnet.storage.checkpoint import read_checkpoint
from vmcnet.storage.paths import checkpoint_path


def stopped(run, code, said, reason):
    assert code == (0 if reason == "the STOP file" else REQUEUE), said
    assert f"stopped by {reason}" in said and f"vmcnet resume {run}" in said, said
    assert "vmcnet: " not in said and "Traceback" not in said, said


@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_and_more_ranks(whole, server, tmp_path, phase):
    run = tmp_path / "run.h5"
    arguments = ("run", whole / "small.toml", "--output", run)
    code, said = server.run(*arguments, log=tmp_path / "log", FAULT=f"SIGTERM {PHASES[phase]}")
    stopped(run, code, said, "a signal")
    vmcnet("resume", run, ranks=2)
    same(whole / "small.h5", run)


@pytest.mark.parametrize("phase", PHASES)
def test_a_stop_file(whole, server, tmp_path, phase):
    run, file = tmp_path / "run.h5", tmp_path / "run.h5.STOP"
    code, said = server.run(
        "run", whole / "small.toml", "--output", run,
        log=tmp_path / "log", FAULT=f"stop:{file} {PHASES[phase]}",
    )  # fmt: skip
    stopped(run, code, said, "the STOP file")
    assert not file.exists()
    code, said = server.run("resume", run, log=tmp_path / "log")
    assert code == 0, said
    same(whole / "small.h5", run)


@pytest.mark.parametrize("phase", ["training", "evaluation"])
def test_one_rank_that_hears_the_signal_stops_all(whole, server, tmp_path, phase):
    """USR1 to a single rank: the flag rides on the all-gather."""
    run = tmp_path / "run.h5"
    done = broken(
        "SIGUSR1", 1, PHASES[phase], "run", whole / "small.toml", "--output", run, ranks=2
    )
    stopped(run, done.returncode, done.stdout, "a signal")
    code, said = server.run("resume", run, log=tmp_path / "log")
    assert code == 0, said
    same(whole / "small.h5", run)


def test_wall_time(whole, server, tmp_path):
    """A limit that is over at once: every start goes on by some steps, and stops."""
    run, log = tmp_path / "run.h5", tmp_path / "log"
    arguments = ("run", whole / "small.toml", "--output", run, "--set", "run.wall_time=1e-6")
    done = vmcnet(*arguments, check=False, ranks=2)
    stopped(run, done.returncode, done.stdout, "the wall-time limit")
    before = -1
    for _ in range(6):
        numbers = read_checkpoint(checkpoint_path(run)).numbers
        steps = int(numbers["warmed"] + numbers["iteration"])
        assert steps > before
        before = steps
        stopped(run, *server.run("resume", run, log=log), "the wall-time limit")
    code, said = server.run("resume", run, "--set", "run.wall_time=1e6", log=log)
    assert code == 0, said
    same(whole / "small.h5", run)


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_again_and_again(whole, server, tmp_path, ranks):
    """SIGKILL of a rank at a random step of every life, with --continue: the result is that of the
    uninterrupted run.
    """
    run, rng, kills = tmp_path / "run.h5", random.Random(ranks), 0
    arguments = ("run", whole / "small.toml", "--output", run, "--continue")
    for _ in range(40):  # every life reaches a checkpoint: one in five steps
        at = rng.randint(7, 12) if ranks == 1 else rng.randint(14, 20)
        if ranks == 1:
            code, said = server.run(*arguments, log=tmp_path / "log", FAULT=f"kill {at}")
        else:
            done = broken("kill", rng.randrange(ranks), at, *arguments, ranks=ranks)
            code, said = done.returncode, done.stderr
        if code == 0:
            break
        assert code != 124 and "vmcnet: " not in said and "Traceback" not in said, said
        wait_until_free(run)
        kills += 1
    assert code == 0 and kills >= 2
    same(whole / "small.h5", run)


def test_a_live_output_is_refused_by_name_of_its_holder(whole, tmp_path, capsys):
    run, job = tmp_path / "run.h5", whole / "small.toml"
    with Held(tmp_path / "held", PHASES["training"], "run", job, "--output", run) as held:
        for arguments in (
            ("run", job, "--output", run, "--overwrite"),
            ("run", job, "--output", run, "--continue"),
            ("resume", run),
            ("evaluate", run),
        ):
            code, out, err = call(capsys, *arguments)
            one_line(code, err, f"process {held.process.pid}", f"host {os.uname().nodename}")
            assert code == 2 and out == "" and err.count("\n") == 1
        assert call(capsys, "report", run)[1].startswith(str(run)), "a live file can be read"
        with h5py.File(run) as file:
            assert "training" in file
        code, _, err = held.go_on()
        assert code == 0, err
    same(whole / "small.h5", run)


def test_the_live_file_is_always_readable(whole, tmp_path):
    """Read as often as one can while it is written at every step; begun again where it is over."""
    run, reads = tmp_path / "run.h5", 0
    keys = ("run.checkpoint_every=1", "training.iterations=300")
    settings = [word for key in keys for word in ("--set", key)]
    while reads < 50:
        process = start(
            "run", whole / "small.toml", "--output", run, *settings, "--overwrite", "--quiet"
        )
        while process.poll() is None and reads < 50:
            if run.exists():
                with h5py.File(run) as file:
                    series = file.get("training", {}).values()
                    assert len({len(v) for v in series if isinstance(v, h5py.Dataset)}) <= 1
                    reads += 1
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=LONGEST)
        assert process.returncode in (0, REQUEUE), err


def test_keyboard_interrupts(whole, server, tmp_path):
    """One asks for a stop, the second ends it at once; both go on to the same bits."""
    run, log = tmp_path / "run.h5", tmp_path / "log"
    arguments = ("run", whole / "small.toml", "--output", run, "--continue")
    code, said = server.run(*arguments, log=log, FAULT="SIGINT 10")
    stopped(run, code, said, "a signal")
    code, said = server.run(*arguments, log=log, FAULT="twice:SIGINT 10")
    assert code == 130
    one_line(code, said, "interrupted; vmcnet resume goes on from the last checkpoint")
    code, said = server.run(*arguments, log=log)
    assert code == 0, said
    same(whole / "small.h5", run)


def test_continue_starts_then_goes_on_then_does_nothing(whole, server, tmp_path):
    run, log = tmp_path / "run.h5", tmp_path / "log"
    arguments = ("run", whole / "small.toml", "--output", run, "--continue")
    code, said = server.run(*arguments, log=log)
    assert code == 0, said
    before = run.read_bytes()
    assert "evaluation 0" in server.run(*arguments, log=log)[1]
    assert run.read_bytes() == before
    code, said = server.run(*arguments, "--set", "training.iterations=14", log=log)
    assert code == 0, said
    with h5py.File(run) as file:
        assert len(file["training/energy"]) == 14 and list(file["evaluation"]) == ["0", "1"]
