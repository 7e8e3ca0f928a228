"""The preloaded library that kills or fails at the n-th write."""

import subprocess
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
