"""What the tests of faults share: a long job, the check of a refusal, a rank broken on purpose."""

import subprocess
import sys
import time

from tests.faults.shim import HERE
from tests.runs import BIN, JOB

LONG = JOB.replace("iterations = 12", "iterations = 300").replace(
    "checkpoint_every = 5", "checkpoint_every = 20"
)


def one_line(code, said, *words):
    """The status is not 0, and one line, with the words, says why."""
    lines = [line for line in said.splitlines() if line.startswith("vmcnet: ")]
    assert code not in (0, 124, 137) and len(lines) == 1 and "Traceback" not in said, (code, said)
    assert all(str(w) in lines[0] for w in words), lines[0]


def broken(how, rank, at, *arguments, ranks=1):
    """killed_rank.py; the finished process and its seconds."""
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    begun = time.monotonic()
    done = subprocess.run(
        [
            "timeout",
            "-k",
            "5",
            "60",
            *launcher,
            sys.executable,
            str(HERE / "killed_rank.py"),
            how,
            str(rank),
            str(at),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
    )
    return done, time.monotonic() - begun
