"""The preloaded library that kills or fails at the n-th write, and a server that runs commands
under it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def built(folder) -> Path:
    """shim.c, compiled by the system's compiler."""
    library = Path(folder) / "shim.so"
    done = subprocess.run(
        [
            "cc",
            "-O1",
            "-Wall",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            str(HERE / "shim.c"),
            "-ldl",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return library


class Server:
    """One warm process; every command is a fork of it, under the shim."""

    def __init__(self, library: Path):
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "LD_PRELOAD": str(library),
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )

    def run(self, *arguments, log, **environ):
        """(exit status, what was printed); `peak` is then its memory in kB. A keyword in capitals
        is an environment variable.
        """
        case = {
            "arguments": [str(a) for a in arguments],
            "environ": {k: str(v) for k, v in environ.items()},
            "log": str(log),
        }
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        code, self.peak = map(int, self._process.stdout.readline().split())
        return code, Path(log).read_text(errors="replace")

    def close(self):
        self._process.stdin.close()
        self._process.wait()
