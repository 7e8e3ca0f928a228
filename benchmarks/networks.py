"""Networks beside JAX, folx and NetKet: kinetic energy, forward, gradient, a training iteration;
cost against particle number; profile.

    python benchmarks/networks.py peers PYTHON [WHAT ...]     # PYTHON: an interpreter with jax,
    folx, netket, flax, optax; WHAT: kinetic, forward ...
    python benchmarks/networks.py support           # jets with support against dense jets, 14
    particles in 3 dimensions
    python benchmarks/networks.py scaling FIGURE.png
    python benchmarks/networks.py profile           # where a training iteration spends its time

CPU seconds on one core, 1024 walkers, alternating with the peer in one run, minimum of 9: in blocks
of 128, the default, evaluated together as a rank does, and as one block, as the peer has them. The
floor is the matrix products' flops over the rate measured in the same run for products of the same
shape by the fastest of BLAS and our own.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path

from one_core import keep_to_one_core  # isort: skip

import numpy as np
from threadpoolctl import threadpool_info

import vmcnet as vmc
from vmcnet import kernels
from vmcnet.backend.arrays import keep_memory
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream
from vmcnet.calculus import products
from vmcnet.calculus.jet import ALL, embed
from vmcnet.calculus.jets import Jet, Jets
from vmcnet.engine.population import Population
from vmcnet.engine.together import joined
from vmcnet.engine.training import initial_state, run_training
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.gaussian import Gaussian
from vmcnet.walkers import Walkers

WALKERS, BLOCK, REPEATS, METROPOLIS = 1024, 128, 9, 20
BLOCKS = (BLOCK, WALKERS)
NETWORKS = {"60-128-128-1": (20, [128, 128]), "18-64-64-1": (6, [64, 64])}


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def seconds(function) -> float:
    begun = time.process_time()
    function()
    return time.process_time() - begun


def blocks(system, dtype, size=BLOCK):
    rng = np.random.default_rng(1)
    return [
        Walkers(rng.normal(size=(size, system.particles, 3)).astype(dtype), system.labels(size))
        for _ in range(WALKERS // size)
    ]


def coordinates(members):
    walkers = joined(members)
    return walkers.r, walkers.s


def kinetic(psi, walkers):
    _, gradient, laplacian = psi.jet(walkers)
    return -0.5 * (laplacian + (gradient * gradient).sum(axis=0))


def iteration(system, layers, dtype=np.float64, size=BLOCK):
    """A function that trains one iteration more."""
    psi = vmc.wavefunctions.GaussianEnvelope(system) * vmc.wavefunctions.FeedForward(system, layers)
    optimizer = vmc.optimizers.Adam(0.001)
    population = Population(
        system,
        psi,
        Gaussian(),
        SerialCommunicator(),
        1,
        WALKERS,
        size,
        Device(np, np.dtype(dtype).name),
    )
    population.start()
    state = initial_state(psi, optimizer, 1, 0.1)

    def step():
        run_training(
            population,
            optimizer,
            state,
            iterations=state.iteration + 1,
            steps=METROPOLIS,
            warmup=0,
            record=lambda *a: None,
            save=lambda s: None,
            poll=lambda: 0,
        )

    return step


def measurements(widths: str, dtype, size: int) -> dict:
    particles, layers = NETWORKS[widths]
    system = vmc.systems.TrappedBosons(particles)
    psi = vmc.wavefunctions.FeedForward(system, layers)
    bound, members = psi.bind(psi.start(Stream(1, 0, 0, 0))), blocks(system, dtype, size)
    weights, count = np.ones(WALKERS, dtype), len(members)
    return {
        "kinetic": lambda: kinetic(bound, joined(members)),
        "forward": lambda: bound.log(*coordinates(members)),
        "gradient": lambda: bound.contracted_blocks(joined(members), weights, count).sum(axis=0),
        "iteration": iteration(system, layers, dtype, size),
    }


def floors(widths: str, dtype) -> dict:
    """Matrix products alone, at the rate of a product of the second layer's shape."""
    sizes = [int(w) for w in widths.split("-")]
    coordinates, width = sizes[0], sizes[1]

    def rate(rows):
        a, b = np.ones((rows, width), dtype), np.ones((width, width), dtype)
        return (
            2
            * rows
            * width
            * width
            / min(
                seconds(lambda f=f: f(a, b))
                for f in (np.matmul, products.matmul)
                for _ in range(50)
            )
        )

    forward = 2 * WALKERS * (sizes[0] * width + width * sizes[2] + sizes[2])
    jet = (
        2 * WALKERS * (coordinates + 2) * (width * sizes[2] + sizes[2])
        + 2 * WALKERS * sizes[0] * width
    )
    backward = 2 * forward - 2 * WALKERS * sizes[0] * width
    jet_rate, block_rate = rate(16 * (coordinates + 2)), rate(BLOCK)
    return {
        "kinetic": jet / jet_rate,
        "forward": forward / block_rate,
        "gradient": (forward + backward) / block_rate,
        "iteration": (METROPOLIS + 1) * forward / block_rate
        + jet / jet_rate
        + (forward + backward) / block_rate,
    }


def peers(python: str, *chosen: str) -> None:
    keep_memory()
    keep_to_one_core()
    peer = subprocess.Popen(
        [python, str(Path(__file__).with_name("networks_jax.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(*words) -> float:
        print(*words, file=peer.stdin, flush=True)
        return float(peer.stdout.readline())

    print(f"{processor()}, OpenBLAS for {threadpool_info()[0]['architecture']}")
    print(
        "network        type     what            "
        + "  ".join(f"blocks of {size:4d}" for size in BLOCKS)
        + "   peer       ratios      floor"
    )
    for widths in NETWORKS:
        for dtype in (np.float64, np.float32):
            bits, floor = np.dtype(dtype).itemsize * 8, floors(widths, dtype)
            ours = [measurements(widths, dtype, size) for size in BLOCKS]
            for what in chosen or ours[0]:
                rivals, functions = (
                    {"kinetic": ["kinetic", "kinetic_blocks"]}.get(what, [what]),
                    [m[what] for m in ours],
                )
                for function in functions:
                    function()
                rows = [
                    (*(seconds(f) for f in functions), *(ask(r, widths, bits) for r in rivals))
                    for _ in range(REPEATS)
                ]
                best = np.min(rows, axis=0)
                own = best[: len(BLOCKS)]
                for rival, theirs in zip(rivals, best[len(BLOCKS) :], strict=True):
                    print(
                        f"{widths:14s} float{bits}  {rival:14s}  "
                        + "         ".join(f"{t:.5f}" for t in own)
                        + f"         {theirs:.5f}   "
                        + "  ".join(f"{t / theirs:.2f}" for t in own)
                        + f"   {floor[what]:.5f}",
                        flush=True,
                    )
    peer.stdin.close()
    peer.wait()


class DenseJets(Jets):
    """Every coordinate's slot from the start."""

    def coordinates(self, r):
        data = super().coordinates(r).data
        return Jet(self, embed(self.xp, data.like(data.slots), ALL))


def pair_network(particles, layers=(32, 32)):
    system = vmc.systems.TrappedBosons(particles)
    psi = vmc.wavefunctions.FeedForward(system, list(layers), symmetric=True, pairs=True, head=[32])
    return psi.bind(psi.start(Stream(1, 0, 0, 0))), system


def support() -> None:
    keep_memory()
    bound, system = pair_network(14)
    walkers = blocks(system, np.float64)[0]
    tile = 16

    def with_jets(kind):
        for k in range(0, BLOCK, tile):
            ops = kind(np, 14, 3)
            ops.read(
                bound.reading.log_psi(
                    ops,
                    bound.reading.handles(ops, np, walkers.r.dtype),
                    walkers.r[k : k + tile],
                    walkers.s[k : k + tile],
                )[1]
            )

    rows = [
        (seconds(lambda: with_jets(Jets)), seconds(lambda: with_jets(DenseJets)))
        for _ in range(REPEATS)
    ]
    narrow, dense = np.min(rows, axis=0)
    print(
        f"14 particles in 3D, pair features and pooling, {BLOCK} walkers: with support "
        f"{narrow:.4f} s, dense {dense:.4f} s, ratio {dense / narrow:.2f}"
    )


def scaling(figure: str) -> None:
    keep_memory()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    numbers, curves = (
        [2, 3, 4, 6, 8, 10, 14, 20, 30],
        {"log psi": [], "kinetic energy": [], "parameter gradient": []},
    )
    for n in numbers:
        bound, system = pair_network(n)
        walkers, weights = blocks(system, np.float64)[0], np.ones(BLOCK)
        for name, work in (
            ("log psi", lambda: bound.log(walkers.r, walkers.s)),
            ("kinetic energy", lambda: kinetic(bound, walkers)),
            ("parameter gradient", lambda: bound.contracted(walkers, weights)),
        ):
            work()
            curves[name].append(min(seconds(work) for _ in range(5)) / BLOCK)
    plt.figure(figsize=(5.2, 3.8))
    for name, values in curves.items():
        slope = np.polyfit(np.log(numbers[-5:]), np.log(values[-5:]), 1)[0]
        print(
            f"{name:20s}",
            " ".join(f"{1e6 * v:.1f}" for v in values),
            f"us a walker; exponent from N = 8 on {slope:.2f}",
        )
        plt.loglog(numbers, 1e6 * np.array(values), "o-", label=f"{name}, N^{slope:.2f}")
    plt.xlabel("particles N, 3 dimensions")
    plt.ylabel("CPU time a walker (microseconds)")
    plt.xticks(numbers, numbers)
    plt.minorticks_off()
    plt.legend()
    plt.tight_layout()
    plt.savefig(figure, dpi=150)


class Clock:
    """CPU time inside functions that are called through a module: `watch` replaces them there by
    timed ones.
    """

    def __init__(self):
        self.seconds = 0.0

    def watch(self, module, *names):
        for name in names:
            setattr(module, name, self._timed(getattr(module, name)))

    def _timed(self, function):
        def timed(*args, **options):
            begun = time.process_time()
            out = function(*args, **options)
            self.seconds += time.process_time() - begun
            return out

        return timed


def profile() -> None:
    """Where an iteration spends its time: products (those of jets with their chain rule),
    activations, random numbers; the rest is everything else.
    """
    clocks = {name: Clock() for name in ("matrix products", "activations", "random numbers")}
    own = kernels.of(np, np.dtype(np.float64))  # those of float32 too
    clocks["matrix products"].watch(own, "matrix_product", "layer_onto")
    passes = "activation", "activation_value", "activation_slope", "layer", "layer_slope"
    clocks["activations"].watch(own, *passes, "layer_reverse", "chain", "chain_linear")
    clocks["random numbers"].watch(own, "philox_words", "normals", "uniforms")
    for widths, (particles, layers) in NETWORKS.items():
        for dtype in (np.float64, np.float32):
            for size in BLOCKS:
                step, rows = (
                    iteration(vmc.systems.TrappedBosons(particles), layers, dtype, size),
                    [],
                )
                step()
                for _ in range(4 * REPEATS):
                    before, begun = [c.seconds for c in clocks.values()], time.process_time()
                    step()
                    rows.append(
                        [
                            *(c.seconds - b for c, b in zip(clocks.values(), before, strict=True)),
                            time.process_time() - begun,
                        ]
                    )
                best = min(rows, key=lambda row: row[-1])
                shares = [100 * part / best[-1] for part in best[:-1]]
                print(
                    f"{widths} {np.dtype(dtype)} blocks of {size}: "
                    + ", ".join(
                        f"{name} {share:.0f} %" for name, share in zip(clocks, shares, strict=True)
                    )
                    + f"; together {sum(shares):.0f} % of {1e3 * best[-1]:.1f} ms"
                )


if __name__ == "__main__":
    words = sys.argv[1:]
    work = {"peers": peers, "support": support, "scaling": scaling, "profile": profile}.get(
        words[0] if words else ""
    )
    if work is None:
        sys.exit(__doc__)
    work(*words[1:])
