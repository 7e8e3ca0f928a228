"""The engine around the physics: cold start, two ranks against one, memory against iterations.

    python benchmarks/engine.py cold | ranks | memory

cold    seconds from process start to the first training row (minimum and median of 9), with cached
kernels and with an empty kernel cache
ranks   throughput of 2 ranks over that of 1 with 4096 walkers, in a trap and on a lattice (chain of
100 spins, three sweeps an iteration, Adam),
        alternating: from the minimum of 9 medians of the seconds an iteration, and from the
        shortest iterations
memory  resident memory of a run after 2000 and after 20000 iterations (KiB)
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
JOB = str(ROOT / "jobs" / "quantum_dot_2.toml")
LATTICE = """
name = "chain"
seed = 1
[system]
type = "transverse_ising"
extent = [100]
[[wavefunction]]
type = "binary_rbm"
[sampling]
proposal = "spin_flip"
steps = 3
[optimizer]
type = "adam"
learning_rate = 0.001
"""


def command(folder, *settings, ranks=1, job=JOB):
    launcher = [str(BIN / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    words = [word for setting in settings for word in ("--set", setting)]
    return [
        *launcher,
        str(BIN / "vmcnet"),
        "run",
        job,
        "--output",
        f"{folder}/run.h5",
        "--overwrite",
        *words,
    ]


def first_row(environ) -> float:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command(folder, "sampling.warmup=0"), stderr=subprocess.PIPE, text=True, env=environ
        )
        for line in process.stderr:
            if line.startswith("training"):
                seconds = time.perf_counter() - begun
                process.kill()
                process.communicate()
                return seconds
    raise RuntimeError("the run printed no training row")


def cold() -> None:
    warm = sorted(first_row(os.environ) for _ in range(9))
    print(f"cached kernels: minimum {warm[0]:.2f} s, median {warm[4]:.2f} s")
    fresh = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as cache:
            fresh.append(first_row({**os.environ, "NUMBA_CACHE_DIR": cache}))
    print(f"empty kernel cache: minimum {min(fresh):.2f} s, maximum {max(fresh):.2f} s")


def seconds(ranks: int, job: str):
    """Median and minimum of the seconds of an iteration."""
    with tempfile.TemporaryDirectory() as folder:
        settings = (
            "sampling.walkers=4096",
            "sampling.warmup=2",
            "training.iterations=50",
            "evaluation.steps=0",
        )
        subprocess.run(
            command(folder, *settings, ranks=ranks, job=job), check=True, stdout=subprocess.DEVNULL
        )
        with h5py.File(f"{folder}/run.h5") as file:
            found = file["training/seconds"][5:]
            return statistics.median(found), min(found)


def ranks() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lattice = Path(folder) / "chain.toml"
        lattice.write_text(LATTICE)
        for name, job in (("trap", JOB), ("lattice", str(lattice))):
            found = {1: [], 2: []}
            for _ in range(9):
                for count in found:
                    found[count].append(seconds(count, job))
            for k, what in enumerate(("medians", "shortest")):
                one, two = (min(x[k] for x in found[count]) for count in (1, 2))
                print(
                    f"{name}, 4096 walkers, seconds an iteration, {what}: 1 rank {one:.4f}, 2 "
                    f"ranks {two:.4f}: throughput x {one / two:.3f}"
                )


def memory() -> None:
    peaks = []
    for iterations in (2000, 20000, 60000):
        with tempfile.TemporaryDirectory() as folder:
            settings = (
                "sampling.walkers=64",
                "sampling.block=32",
                "sampling.steps=1",
                f"training.iterations={iterations}",
                "evaluation.steps=0",
                "run.checkpoint_every=1000",
            )
            process = subprocess.Popen(command(folder, *settings), stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise RuntimeError(f"the run ended with status {status}")
            peaks.append(usage.ru_maxrss)
    print(
        f"peak resident memory after 2000, 20000, 60000 iterations: {', '.join(map(str, peaks))} "
        "KiB: "
        f"{1024 * (peaks[2] - peaks[1]) / 40000:.0f} bytes an iteration"
    )


if __name__ == "__main__":
    choices = {"cold": cold, "ranks": ranks, "memory": memory}
    if len(sys.argv) != 2 or sys.argv[1] not in choices:
        sys.exit(__doc__)
    choices[sys.argv[1]]()
