"""A GPU in one command: the gpu tests, then a lattice sweep, small determinants, and training
iterations of a network, of six electrons in a trap and of the electron gas, on the card and on one
core of its host, and log psi, gradient and kinetic energy beside JAX on the same card.

    python benchmarks/gpu.py [--peer PYTHON] [--minutes 8] > TABLE.md
    python benchmarks/gpu.py --stand-in     # small sizes on the tests' stand-in for CuPy: the
                                            # script itself, its times mean nothing

PYTHON: an interpreter with jax for CUDA and folx; without it the peer's columns stay empty. Seconds
on the clock, the device awaited before and after, minimum of up to 9 within its share of the time;
where no time is left a cell stays empty. Run from the root of a checkout with vmcnet, CuPy
and pytest installed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from fermions import WALKERS, Case, iteration_parts
from one_core import keep_to_one_core

import vmcnet as vmc
from vmcnet import kernels
from vmcnet.backend.device import Device, choose
from vmcnet.engine.population import Population
from vmcnet.engine.training import initial_state, run_training
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.defaults import default_sampler

ROOT = Path(__file__).resolve().parent.parent
HOST = Device(np)


class Clock:
    """Shortest seconds of a call, within a share of the time that is left; awaits the device."""

    def __init__(self, minutes: float, device: Device):
        self.end, self.xp = time.monotonic() + 60 * minutes, device.xp

    def left(self) -> float:
        return self.end - time.monotonic()

    def wait(self) -> None:
        if hasattr(self.xp, "cuda"):  # CuPy, not NumPy or the stand-in
            self.xp.cuda.get_current_stream().synchronize()

    def best(self, function, share: float = 0.04) -> float | None:
        """None where no time is left."""
        if self.left() < 5:
            return None
        until = time.monotonic() + share * self.left()
        function()
        found: list = []
        while len(found) < 9 and (len(found) < 2 or time.monotonic() < until):
            self.wait()
            begun = time.perf_counter()
            function()
            self.wait()
            found.append(time.perf_counter() - begun)
        return min(found)


def training(system, psi, device, walkers, block, steps, optimizer, natural=None):
    """A function that trains one iteration more on `device`."""
    people = Population(
        system, psi, default_sampler(system, psi), SerialCommunicator(), 1, walkers, block, device
    )
    people.start()
    state = initial_state(psi, optimizer, 1, 0.2, natural)

    def one():
        run_training(
            people,
            optimizer,
            state,
            iterations=state.iteration + 1,
            steps=steps,
            warmup=0,
            natural=natural,
            record=lambda *a: None,
            save=lambda *a: None,
            poll=lambda: 0,
        )

    return one


def iterations(small: bool) -> dict:
    """name -> function of a Device that makes a function of one training iteration."""
    w, o = vmc.wavefunctions, vmc.optimizers
    walkers, block = (32, 16) if small else (4096, 512)
    sites, layers = (12, [8, 8]) if small else (100, [128, 128])

    def lattice(device):
        system = vmc.systems.TransverseIsing([sites])
        return training(
            system, w.BinaryRBM(system, alpha=1), device, walkers, block, 1, o.Adam(0.01)
        )

    def network(device):
        system = vmc.systems.TrappedBosons(4 if small else 20)
        psi = w.GaussianEnvelope(system) * w.FeedForward(system, layers)
        return training(system, psi, device, walkers, block, 2 if small else 20, o.Adam(0.001))

    def fermions(case):
        def made(device):
            system, psi = iteration_parts(case)
            natural = o.SPRING(1e-3, momentum=0.95)
            few = min(walkers, 1024)
            return training(
                system, psi, device, few, min(block, 256), 10, o.SGD(0.02), natural=natural
            )

        return made

    return {
        f"lattice: chain of {sites}, {walkers} walkers, a sweep, Adam": lattice,
        f"network {3 * (4 if small else 20)}-{'-'.join(map(str, layers))}-1, Adam": network,
        "six electrons in a trap, SPRING": fermions("dot-6"),
        "electron gas, N = 14, SPRING": fermions("gas-14"),
    }


def determinants(device, clock, small: bool) -> None:
    """Batched slogdet of small matrices: ours on the card, CuPy's, one core of the host."""
    rng = np.random.default_rng(1)
    print("| slogdet of | here, ms | the library's, ms | one core, ms |\n|---|---|---|---|")
    for count, m in ((64, 7),) if small else ((65536, 7), (16384, 16), (4096, 32)):
        host = rng.normal(size=(count, m, m))
        there = device.xp.asarray(host)
        ours = kernels.of(device.xp, there.dtype).slogdet
        cells = [
            clock.best(lambda there=there, ours=ours: ours(there)),
            clock.best(lambda there=there: device.xp.linalg.slogdet(there)),
            clock.best(lambda host=host: kernels.of(np, host.dtype).slogdet(host)),
        ]
        print(f"| {count} matrices {m} x {m} | {' | '.join(map(shown, cells))} |", flush=True)


class Peer:
    """benchmarks/fermions_jax.py on the card; answers None where there is no peer or it fails."""

    def __init__(self, python: str | None):
        self.process = python and subprocess.Popen(
            [python, str(Path(__file__).with_name("fermions_jax.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": "cuda"},
        )

    def ask(self, *words) -> float | None:
        if not self.process:
            return None
        try:
            print(*words, file=self.process.stdin, flush=True)
            return float(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self.process = None
            return None

    def best(self, clock, path, *names) -> float | None:
        found = [
            min(times)
            for name in names
            if clock.left() > 60
            for times in [[self.ask(name, path, 64) for _ in range(5)]]
            if None not in times
        ]
        return min(found, default=None)


def parts(device, clock, peer) -> None:
    """log psi, gradient and kinetic energy of fermions beside JAX on the same card."""
    print(
        f"| {WALKERS} walkers | what | here, ms | JAX, ms | one core, ms |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("dot-6", "gas-14"):
            case = Case(name, np.float64, Path(folder))
            host, there = case.functions(WALKERS), case.functions(WALKERS, device)
            rivals = {
                "kinetic": ("kinetic_sparse", "kinetic_dense", "kinetic_loop"),
                "log": ("log",),
                "gradient": ("gradient",),
            }
            for what, names in rivals.items():
                cells = [
                    clock.best(there[what]),
                    peer.best(clock, case.path, *names),
                    clock.best(host[what]),
                ]
                print(f"| {name} | {what} | {' | '.join(map(shown, cells))} |", flush=True)


def shown(seconds: float | None) -> str:
    return "" if seconds is None else f"{1e3 * seconds:.3g}"


def card(device) -> str:
    if not hasattr(device.xp, "cuda"):
        return "no card: the stand-in for CuPy"
    runtime = device.xp.cuda.runtime
    name = runtime.getDeviceProperties(0)["name"].decode()
    return f"{name}, CuPy {device.xp.__version__}, CUDA {runtime.runtimeGetVersion()}"


def tests(seconds: float) -> str:
    words = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests", "-p", "no:cacheprovider"]
    words += ["-o", "addopts="]  # a machine with a card may lack pytest-xdist
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not finished after {seconds:.0f} s"
    print(*done.stdout.splitlines()[-15:], sep="\n", file=sys.stderr)
    return done.stdout.splitlines()[-1] if done.stdout else done.stderr[-200:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--stand-in", action="store_true")
    options = parser.parse_args()
    if options.stand_in:
        sys.path.insert(0, str(ROOT))
        from tests.device import fakecupy

        device = Device(fakecupy)
    else:
        device = choose("gpu")
    clock = Clock(options.minutes, device)
    print(f"vmcnet {vmc.__version__}, NumPy {np.__version__}; {card(device)}\n", flush=True)
    if not options.stand_in:
        print(f"gpu tests: {tests(0.4 * clock.left())}\n", flush=True)
    keep_to_one_core()
    print("| a training iteration | here, ms | one core, ms |\n|---|---|---|")
    for name, made in iterations(options.stand_in).items():
        cells = [clock.best(made(device), 0.08), clock.best(made(HOST), 0.05)]
        print(f"| {name} | {' | '.join(map(shown, cells))} |", flush=True)
    print()
    determinants(device, clock, options.stand_in)
    print()
    parts(device, clock, Peer(options.peer))
    if clock.left() < 5:
        print("\nThe time was up: empty cells were not measured.")
    print(f"\n{60 * options.minutes - clock.left():.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
