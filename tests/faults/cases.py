"""What the tests of faults share: the check of a refusal, a rank broken on purpose, a run that is
held at a step.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.shim import HERE
from tests.runs import BIN, LONGEST, appears
from vmcnet.storage.atomic import FileProblem
from vmcnet.storage.lock import RunLock
from vmcnet.storage.paths import folder_of

# population steps of the small job, one in each of its phases
PHASES = {"warmup": 2, "training": 10, "equilibration": 18, "evaluation": 30}


def one_line(code, said, *words):
    """The status is not 0, and one line, with the words, says why. A launcher may join the lines of
    its ranks: it is looked for, wherever it begins.
    """
    lines = re.findall("vmcnet: .*", said)
    assert code not in (0, 124, 137) and len(lines) == 1 and "Traceback" not in said, (code, said)
    assert all(str(w) in lines[0] for w in words), lines[0]


def words_of(how, rank, at, *arguments, ranks=1):
    """killed_rank.py on so many ranks."""
    launcher = [BIN / "mpiexec", "-n", ranks] if ranks > 1 else []
    program = [sys.executable, HERE / "killed_rank.py", how, rank, at]
    return [str(word) for word in (*launcher, *program, *arguments)]


def broken(how, rank, at, *arguments, ranks=1, **options):
    """killed_rank.py, finished; what its ranks said on standard error is complete, also where they
    end each other. Status 124: it hung.
    """
    words = ["timeout", "-k", "5", str(LONGEST)]
    words += words_of(how, rank, at, *arguments, ranks=ranks)
    with tempfile.NamedTemporaryFile("r") as errors:
        environ = {**(options.pop("env", None) or os.environ), "ERRORS": errors.name}
        done = subprocess.run(words, capture_output=True, text=True, env=environ, **options)
        done.stderr += errors.read()
    for run in [Path(a) for a in arguments if ranks > 1 and str(a).endswith(".h5")]:
        if folder_of(run).is_dir():
            wait_until_free(run)
    return done


class Held:
    """A run whose rank 0 waits at its `at`-th population step, until `go_on`, however long the test
    takes; its process is `process`, its end is that of the with block.
    """

    def __init__(self, flag, at, *arguments, ranks=1):
        self.flag, self.errors = flag, flag.with_name(f"{flag.name}.errors")
        self.process = subprocess.Popen(
            words_of(f"hold:{flag}", 0, at, *arguments, ranks=ranks),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ERRORS": str(self.errors)},
        )

    def __enter__(self):
        appears(self.flag, self.process)
        return self

    def __exit__(self, *problem):
        self.flag.unlink(missing_ok=True)
        self.process.kill()
        self.process.communicate()

    def go_on(self):
        """Status, standard output and error of the rest."""
        self.flag.unlink()
        out, err = self.process.communicate(timeout=LONGEST)
        return self.process.returncode, out, err + self.errors.read_text()


def wait_until_free(run):
    """Until the processes of a broken launch have let go of the run: a launcher may end before its
    ranks.
    """
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        try:
            RunLock(run).release()
            return
        except FileProblem as error:
            if "another run is writing it" not in str(error):
                return
            time.sleep(0.05)
    raise AssertionError(f"{run}: still locked {LONGEST} s after the launcher ended")
