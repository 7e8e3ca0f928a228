"""Commands of vmcnet in processes that are there already: what starts anew every time is Python,
numba and MPI, two seconds a process; what a test is about is what the command does then.

`tests/mpi/test_same_bits.py` and the tests of launchers, signals and the command line start real
programs.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.runs import BIN, LONGEST

HERE = Path(__file__).parent
RANKS = 4


class Forks:
    """One warm process; every command is a fork of it, with a library `preloaded`."""

    def __init__(self, preloaded: Path | None = None):
        self.preloaded = preloaded
        preload = {"LD_PRELOAD": str(preloaded)} if preloaded else {}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **preload, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def run(self, *arguments, log, **environ):
        """(exit status, what was printed); `peak` is then its memory in kB. A keyword in capitals
        is an environment variable.
        """
        Path(log).unlink(missing_ok=True)
        code = self.start(arguments, log, log, environ)
        return code, Path(log).read_text(errors="replace")

    def start(self, arguments, out, err, environ=(), folder=None):
        """The exit status; standard output and error are in the files `out` and `err`."""
        case = {
            "arguments": [str(a) for a in arguments],
            "environ": {k: str(v) for k, v in dict(environ).items()},
            "folder": str(folder or os.getcwd()),
            "out": str(out),
            "err": str(err),
        }
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        code, self.peak = map(int, self._process.stdout.readline().split())
        return code

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Ranks:
    """Four MPI ranks; a command runs on the first so many."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="ranks-"))
        self._number = 0
        self._process = subprocess.Popen(
            [str(BIN / "mpiexec"), "-n", str(RANKS), sys.executable]
            + [str(HERE / "ranks.py"), str(self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, arguments, ranks, folder=None):
        """Status, standard output and error of a command that does not abort."""
        number, self._number = self._number, self._number + 1
        case = {"ranks": ranks, "arguments": [str(a) for a in arguments]}
        self._ask(number, {**case, "folder": str(folder or os.getcwd())})
        deadline = time.monotonic() + LONGEST
        names = [f"{number}.{rank}" for rank in range(ranks)]
        while not all((self._folder / f"{name}.code").exists() for name in names):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                said = [self._read(name, "err") for name in names]
                raise AssertionError(f"{arguments} on {ranks} ranks ended all of them: {said}")
            time.sleep(0.002)
        out, err = ("".join(self._read(name, end) for name in names) for end in ("out", "err"))
        return max(int(self._read(name, "code")) for name in names), out, err

    @property
    def lives(self):
        return self._process.poll() is None

    def _ask(self, number, case):
        part = self._folder / f"{number}.part"
        part.write_text(json.dumps(case))
        part.rename(self._folder / f"{number}.json")

    def _read(self, name, end):
        path = self._folder / f"{name}.{end}"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self):
        if self.lives:
            self._ask(self._number, {"ranks": 0})
            self._process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)


_made: dict = {}


def forks() -> Forks:
    if "forks" not in _made:
        _made["forks"] = Forks()
        atexit.register(_made["forks"].close)
    return _made["forks"]


def ranks() -> Ranks:
    if "ranks" not in _made or not _made["ranks"].lives:
        _made["ranks"] = Ranks()
        atexit.register(_made["ranks"].close)
    return _made["ranks"]


def run(arguments, count, folder=None, fault=None):
    """(status, standard output, standard error) of a command on one process or several ranks."""
    if count > 1:
        return ranks().start(arguments, count, folder)
    with tempfile.TemporaryDirectory() as where:
        out, err = Path(where) / "out", Path(where) / "err"
        code = forks().start(arguments, out, err, {"FAULT": fault} if fault else {}, folder)
        return code, out.read_text(errors="replace"), err.read_text(errors="replace")
