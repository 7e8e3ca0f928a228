"""How a run ends, and what must not end it: signals, closed and broken output, suspended processes,
files that vanish, other files in its place.
"""

import errno
import os
import signal
import subprocess
import threading

import pytest

from tests.config.test_malformed import call
from tests.faults.cases import Held, one_line
from tests.runs import BIN, JOB, LONGEST, ROOT, complaints, same
from vmcnet import cli
from vmcnet.config import JobError, parse_job
from vmcnet.engine import memory
from vmcnet.engine.nonfinite import NonFiniteError
from vmcnet.optimizers.natural_gradient import SingularMetric
from vmcnet.runs import stopping
from vmcnet.runs.session import Session
from vmcnet.storage.paths import checkpoint_path, folder_of, lock_path
from vmcnet.storage.run_file import RunFile

SIGNALS = ("SIGHUP", "SIGXCPU", "SIGUSR2", "SIGTERM", "SIGUSR1")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "SIGHUP" else pytest.mark.verify) for n in SIGNALS]
)
def test_signals_end_with_a_checkpoint(whole, server, tmp_path, name):
    run, number = tmp_path / "run.h5", getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # ignored under nohup, and so by children
    try:
        held = Held(tmp_path / "held", 10, "run", whole / "small.toml", "--output", run)
    finally:
        signal.signal(number, before)
    with held:
        held.process.send_signal(number)
        code, out, err = held.go_on()
    assert code == 85 and not complaints(err) and "stopped by a signal" in out, err
    code, said = server.run("resume", run, log=tmp_path / "log")
    assert code == 0, said
    same(whole / "small.h5", run)


def test_signals_that_are_ignored_stay_so(monkeypatch):
    """nohup; the others are asked for."""
    kept = {n: signal.getsignal(n) for n in stopping.ENDS}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        request = stopping.StopRequest(0, None, None, 1e9)
        request.listen()
        os.kill(os.getpid(), signal.SIGHUP)
        assert request.poll() == 0
        os.kill(os.getpid(), signal.SIGXCPU)
        assert request.poll() == stopping.SIGNAL
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("how", ["closed", "broken", "ascii"])
def test_nobody_listens(whole, tmp_path, how):
    run = tmp_path / ("rün.h5" if how == "ascii" else "run.h5")
    command = f"{BIN / 'vmcnet'} run {whole / 'small.toml'} --output {run}"
    more = {"closed": ">&-", "broken": "| true", "ascii": "> out"}[how]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    if how == "ascii":
        environ.update(PYTHONIOENCODING="ascii", LC_ALL="C")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {more}"],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        env=environ,
        cwd=tmp_path,
    )
    assert done.returncode == 0 and not complaints(done.stderr), done.stderr
    same(whole / "small.h5", run)


def test_streams_that_cannot_be_written():
    """Notes that nobody can read end nothing; results that a full disk does not take are an
    error.
    """

    class Broken:
        def __init__(self, code):
            self.code, self.file = code, open(os.devnull, "w")  # noqa: SIM115

        def write(self, text):
            raise OSError(self.code, os.strerror(self.code))

        def flush(self):
            self.write("")

        def fileno(self):
            return self.file.fileno()

    for code in (errno.EPIPE, errno.EIO, errno.ENOSPC):
        assert cli.Unheard(Broken(code), needed=False).write("note") == 4
    assert cli.Unheard(Broken(errno.EIO)).write("result") == 6  # the terminal is gone
    with pytest.raises(OSError, match="No space left"):
        cli.Unheard(Broken(errno.ENOSPC)).write("result")


@pytest.mark.parametrize("threads", ["0", "-1", "abc", "", "1.5"])
def test_threads_that_end_the_import_of_numba(monkeypatch, capsys, threads):
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    code, out, err = call(capsys, "report", "none.h5")
    assert code == 2 and out == "" and err.count("\n") == 1 and "NUMBA_NUM_THREADS is" in err


def test_a_suspended_process_is_not_a_stalled_one(monkeypatch):
    """The watchdog's own clock stands still with the process."""

    class Comm:
        rank, waiting = 0, False

    ended, clock = [], [100.0]
    monkeypatch.setattr(stopping.os, "_exit", ended.append)
    monkeypatch.setattr(stopping.os, "write", lambda *arguments: None)
    monkeypatch.setattr(stopping.time, "monotonic", lambda: clock[0])
    dog = stopping.Watchdog(Comm(), 10.0, "")
    waits = iter([1.0, 500.0, 1.0, 1.0, 4.0 - 2.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, None])

    def wait(tick):
        passed = next(waits)
        if passed is None or ended:
            return True
        clock[0] += passed
        return False

    dog._ended = threading.Event()
    monkeypatch.setattr(dog._ended, "wait", wait)
    dog._watch()
    assert ended and clock[0] > 600.0, "asleep for 500 s is forgiven, 10 s of its own are not"


def test_a_singular_metric_goes_back(monkeypatch, tmp_path, capsys):
    """Once: half the step and on. Always: one line."""
    job = tmp_path / "job.toml"
    job.write_text(JOB + '[natural_gradient]\ntype = "sr"\n')
    from vmcnet.optimizers import SR

    direction, calls = SR.direction, []

    def singular(self, *arguments):
        calls.append(1)
        if len(calls) == 8 or len(calls) > 1000:
            raise SingularMetric("the metric is singular")
        return direction(self, *arguments)

    monkeypatch.setattr(SR, "direction", singular)
    code, _, err = call(capsys, "run", job, "--output", tmp_path / "run.h5")
    assert code == 0 and "rollback 1 of 3: the metric is singular" in err, err
    calls[:] = [1] * 2000
    code, _, err = call(capsys, "run", job, "--output", tmp_path / "always.h5")
    assert code == 1 and len(complaints(err)) == 1 and "no good checkpoint" in err
    assert not issubclass(SingularMetric, NonFiniteError)


def test_memory_that_will_not_fit_is_said_before(tmp_path, capsys, monkeypatch):
    (tmp_path / "job.toml").write_text(JOB)
    monkeypatch.setattr(memory, "free", lambda: 1e9)
    big = ("--set", "sampling.walkers=80000000")
    code, out, err = call(
        capsys, "run", tmp_path / "job.toml", "--output", tmp_path / "run.h5", *big
    )
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "GB on rank 0, and 1 GB are free" in err
    assert [p.name for p in tmp_path.iterdir()] == ["job.toml"]
    monkeypatch.undo()
    assert 1e6 < memory.free() < 1e15


@pytest.mark.parametrize("text", ["23:50", "1:99:99", "1:60:00", "0:0:1", "1:00", "-1:00:00", "x"])
def test_wall_times_are_strict(text):
    with pytest.raises(JobError, match=r"run\.wall_time: expected .*'HH:MM:SS'"):
        parse_job(JOB, [f"run.wall_time='{text}'"])


def test_wall_times():
    for text, seconds in (("'00:00:05'", 5.0), ("'100:30:59'", 361859.0), ("2.5", 2.5)):
        assert parse_job(JOB, [f"run.wall_time={text}"]).run.wall_time == seconds


def test_compilation_that_is_switched_off(tmp_path, capsys, monkeypatch):
    (tmp_path / "job.toml").write_text(JOB)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    code, out, err = call(capsys, "run", tmp_path / "job.toml", "--output", tmp_path / "run.h5")
    assert code == 2 and out == "" and "NUMBA_DISABLE_JIT is set" in err


REMOVED = {
    "checkpoint": checkpoint_path,
    "everything": folder_of,
    "lock": lock_path,
    "run file": lambda run: run,
}


@pytest.mark.parametrize("what", REMOVED)
def test_what_is_removed_on_the_way_is_written_anew(tmp_path, capsys, monkeypatch, what):
    import shutil

    (tmp_path / "job.toml").write_text(JOB)
    assert call(capsys, "run", tmp_path / "job.toml", "--output", tmp_path / "whole.h5")[0] == 0
    run, save, calls = tmp_path / "run.h5", Session.save, []

    def removing(self, state):
        save(self, state)
        calls.append(1)
        path = REMOVED[what](run)
        if len(calls) in (2, 3) and path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    monkeypatch.setattr(Session, "save", removing)
    code, _, err = call(capsys, "run", tmp_path / "job.toml", "--output", run)
    assert code == 0, err
    same(tmp_path / "whole.h5", run)
    assert checkpoint_path(run).exists() and not lock_path(run).exists()


@pytest.mark.parametrize("what", ["notes", "another run"])
def test_a_file_that_took_the_place_is_left(tmp_path, capsys, monkeypatch, what):
    (tmp_path / "job.toml").write_text(JOB)
    other = tmp_path / "other.h5"
    assert call(capsys, "run", tmp_path / "job.toml", "--output", other)[0] == 0
    run, save, calls = tmp_path / "run.h5", Session.save, []

    def replacing(self, state):
        save(self, state)
        calls.append(1)
        if len(calls) == 2:
            run.write_bytes(other.read_bytes() if what == "another run" else b"precious")

    monkeypatch.setattr(Session, "save", replacing)
    code, _, err = call(capsys, "run", tmp_path / "job.toml", "--output", run)
    one_line(code, err, run, "another file took its place")
    if what == "notes":
        assert run.read_bytes() == b"precious"
    else:
        assert RunFile.open(run).attributes["run"] == RunFile.open(other).attributes["run"]


def test_an_evaluation_that_was_asked_for_survives_a_kill(whole, server, tmp_path):
    """`evaluate` killed in its equilibration, and with its last checkpoint damaged."""
    run, again, log = tmp_path / "run.h5", tmp_path / "again.h5", tmp_path / "log"
    plan = ("--steps", "20", "--warmup", "20")
    for path in (run, again):
        assert server.run("run", whole / "small.toml", "--output", path, log=log)[0] == 0
    assert server.run("evaluate", again, *plan, log=log)[0] == 0
    assert server.run("evaluate", run, *plan, log=log, FAULT="kill 17")[0] == -signal.SIGKILL
    evaluation = checkpoint_path(run, "evaluation")
    assert evaluation.with_name("evaluation.previous.h5").exists()
    torn = evaluation.read_bytes()[:-1]
    evaluation.unlink()  # the one before may be a second name of the same file
    evaluation.write_bytes(torn)
    code, said = server.run("resume", run, log=log)
    one_line(code, said, evaluation, "damaged", "--previous")
    code, said = server.run("resume", run, "--previous", log=log)
    assert code == 0, said
    same(again, run)
