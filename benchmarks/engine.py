"""The engine around the physics: cold start, two ranks against one, memory against iterations.

    python benchmarks/engine.py cold | ranks | sweeps | memory

cold    seconds from process start to the first training row (minimum and median of 9), with cached
        kernels and with an empty kernel cache, on one rank and on two
ranks   throughput of 2 ranks over that of 1, alternating, from the minimum of 9 medians of the
        seconds an iteration and from the shortest iterations: a trap and a lattice (chain of 100
        spins, three sweeps an iteration, Adam) of 4096 walkers, the lattice of 1024 walkers with
        minSR and with conjugate gradients (one sweep), twenty electrons with a network (3 runs)
sweeps  sweep of a chain of 100 spins, 1024 walkers: spin_jastrow and a machine on one core
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

from one_core import keep_to_one_core  # isort: skip

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


def first_row(environ, ranks=1) -> float:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command(folder, "sampling.warmup=0", ranks=ranks),
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
        for line in process.stderr:
            if line.startswith("training"):
                seconds = time.perf_counter() - begun
                process.kill()
                process.communicate()
                return seconds
    raise RuntimeError("the run printed no training row")


def cold() -> None:
    for ranks in (1, 2):
        warm = sorted(first_row(os.environ, ranks) for _ in range(9))
        print(f"{ranks} rank(s), cached: minimum {warm[0]:.2f} s, median {warm[4]:.2f} s")
        fresh = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as cache:
                fresh.append(first_row({**os.environ, "NUMBA_CACHE_DIR": cache}, ranks))
        print(f"{ranks} rank(s), empty cache: {min(fresh):.2f} to {max(fresh):.2f} s")


def seconds(ranks: int, job: str, *settings: str):
    """Median and minimum of the seconds of an iteration."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ("sampling.warmup=2", "evaluation.steps=0", *settings)
        subprocess.run(
            command(folder, *settings, ranks=ranks, job=job),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with h5py.File(f"{folder}/run.h5") as file:
            found = file["training/seconds"][2:]
            return statistics.median(found), min(found)


def ranks() -> None:
    many = ("sampling.walkers=4096", "training.iterations=50")
    few = ("sampling.walkers=1024", "sampling.steps=1", "training.iterations=100")
    dot = str(ROOT / "jobs" / "quantum_dot_20.toml")
    with tempfile.TemporaryDirectory() as folder:
        lattice = str(Path(folder) / "chain.toml")
        Path(lattice).write_text(LATTICE)
        natural = {}
        for kind in ("minsr", "sr_cg"):
            natural[kind] = str(Path(folder) / f"{kind}.toml")
            text = f'{LATTICE}[natural_gradient]\ntype = "{kind}"\nshift = 1e-2\n'
            Path(natural[kind]).write_text(text)
        for name, job, settings, times in (
            ("trap", JOB, many, 9),
            ("lattice", lattice, many, 9),
            ("lattice, minSR", natural["minsr"], few, 9),
            ("lattice, conjugate gradients", natural["sr_cg"], few, 9),
            ("twenty electrons", dot, ("training.iterations=6",), 3),
        ):
            found = {1: [], 2: []}
            for _ in range(times):
                for count in found:
                    found[count].append(seconds(count, job, *settings))
            for k, what in enumerate(("medians", "shortest")):
                one, two = (min(x[k] for x in found[count]) for count in (1, 2))
                print(
                    f"{name}, seconds an iteration, {what}: 1 rank {one:.4f}, 2 ranks {two:.4f}: "
                    f"throughput x {one / two:.3f}",
                    flush=True,
                )


def sweeps() -> None:
    keep_to_one_core()
    from vmcnet.engine.population import TRAINING, Population
    from vmcnet.engine.training import initial_state
    from vmcnet.optimizers import SGD
    from vmcnet.parallel.communicators import SerialCommunicator
    from vmcnet.sampling.defaults import default_sampler
    from vmcnet.systems import TransverseIsing
    from vmcnet.wavefunctions import BinaryRBM, SpinJastrow

    system = TransverseIsing([100])
    made = {}
    for psi in (SpinJastrow(system), BinaryRBM(system, alpha=1)):
        sampler = default_sampler(system, psi)
        people = Population(system, psi, sampler, SerialCommunicator(), 1, 1024, 128)
        people.start()
        theta = initial_state(psi, SGD(0.1), 1, 1.0).theta
        made[type(psi).__name__] = (people, theta, [])
    for t in range(30):
        for people, theta, found in made.values():
            begun = time.process_time()
            people.advance(theta, TRAINING, t, 1, 1.0, measure=False)
            found.append(1e3 * (time.process_time() - begun))
    for name, (_, _, found) in made.items():
        print(f"{name}: {min(found):.2f} CPU ms a sweep of 100 flips")


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
    choices = {"cold": cold, "ranks": ranks, "sweeps": sweeps, "memory": memory}
    if len(sys.argv) != 2 or sys.argv[1] not in choices:
        sys.exit(__doc__)
    choices[sys.argv[1]]()
