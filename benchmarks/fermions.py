"""Fermions with a message-passing network beside JAX and folx: the same wavefunction with the same
weights; cost against the number of electrons; where an iteration spends its time.

    python benchmarks/fermions.py peers PYTHON [CASE ...] [REPEATS]   # PYTHON with jax, folx
    python benchmarks/fermions.py scaling FIGURE.png        # N = 6, 12, 20, 30 in a trap, 64 each
    python benchmarks/fermions.py scaling FIGURE.png gas    # N = 14, 38, 54 in a box, 128 walkers
    python benchmarks/fermions.py profile [CASE] [WALKERS]  # where an iteration spends its time

CPU seconds on one core. Peers: 512 walkers in blocks of 128 and as one block, alternating with the
peer, minimum of 9. Values are compared before anything is timed. kinetic: against the best of
folx's dense and sparse modes and a loop of Hessian-vector products; an iteration of the peer is
put together from its parts (10 Metropolis steps, kinetic energy, log-derivatives), without its
solver.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from one_core import keep_to_one_core  # isort: skip

import numpy as np

import vmcnet as vmc
from vmcnet.backend.arrays import keep_memory
from vmcnet.backend.device import Device
from vmcnet.backend.stream import Stream
from vmcnet.wavefunctions.orbitals import HarmonicOrbitals
from vmcnet.wavefunctions.plane_waves import real_waves

WALKERS, BLOCK, REPEATS, METROPOLIS, WIDTH, PASSES = 512, 128, 9, 10, 32, 2


def system_of(case: str):
    kind, count = case.split("-")
    if kind == "gas":
        return vmc.systems.ElectronGas(particles=int(count), r_s=2.0)
    return vmc.systems.QuantumDot(particles=int(count), omega=1.0)


def psi_of(system, spread=0.05):
    network = vmc.wavefunctions.MessagePassing(width=WIDTH, passes=PASSES, spread=spread)
    return vmc.wavefunctions.Slater(system, network=network)


def seconds(function) -> float:
    begun = time.process_time()
    function()
    return time.process_time() - begun


def arrays(system, psi, values, walkers) -> dict:
    """What the peer needs: parameters, orbitals, coordinates."""
    out = {f"w/{k.removeprefix('network_')}": v for k, v in values.items()}
    out |= {"r": walkers.r, "s": walkers.s[0], "passes": PASSES, "length": system.length}
    out["box"] = np.array([]) if system.box is None else np.asarray(system.box.lengths)
    orbitals = psi.orbitals
    if isinstance(orbitals, HarmonicOrbitals):
        occupied = [orbitals.labels[k] for k in next(iter(psi.occupied.values()))]
        top = max(map(max, occupied))
        table = np.zeros((top + 1, top + 1))  # coefficients of x^p in the normalised H_n
        table[0, 0] = 1.0
        for n in range(top):
            table[n + 1, 1:] = (2.0 / (n + 1)) ** 0.5 * table[n, :-1]
            if n:
                table[n + 1] -= (n / (n + 1)) ** 0.5 * table[n - 1]
        scale = np.sqrt(values["alpha"] * orbitals.omega)
        return out | {"orbital/hermite": table, "orbital/numbers": occupied, "orbital/scale": scale}
    k, phase = real_waves(system.box, orbitals.integers)
    return out | {"orbital/k": k, "orbital/phase": phase}


class Case:
    """One system: our functions, and the file that the peer reads."""

    def __init__(self, case: str, dtype, folder: Path, walkers: int = WALKERS):
        self.system = system_of(case)
        self.psi = psi_of(self.system)
        theta = self.psi.start(Stream(1, 0, 0, 0))
        self.bound = self.psi.bind(theta)
        start = self.system.start(Stream(2, 0, 0, 0), walkers)
        self.r, self.s = start.r.astype(dtype), start.s
        self.path = folder / f"{case}.npz"
        np.savez(self.path, **arrays(self.system, self.psi, self.psi.layout.values(theta), start))

    def blocks(self, size, device):
        cut = [slice(k, k + size) for k in range(0, len(self.r), size)]
        return [vmc.walkers.Walkers(*device.place(self.r[c], self.s[c])) for c in cut]

    def kinetic(self, walkers):
        _, gradient, laplacian = self.bound.jet(walkers)
        return -0.5 * (laplacian + (gradient * gradient).sum(axis=0))

    def functions(self, size, device=None) -> dict:
        members = self.blocks(size, device or Device(np, self.r.dtype.name))
        return {
            "kinetic": lambda: [self.kinetic(w) for w in members],
            "log": lambda: [self.bound.log(w.r, w.s) for w in members],
            "gradient": lambda: [self.bound.log_derivatives(w) for w in members],
        }

    def compared(self) -> tuple[float, float]:
        """Largest differences of log psi and of kinetic energies from the peer's; the latter over
        1 + |grad log psi|^2 / 2, which the Laplacian cancels near nodes.
        """
        known = np.load(str(self.path).replace(".npz", ".values.npz"))
        walkers = vmc.walkers.Walkers(self.r, self.s)
        log = np.abs(self.bound.log(self.r, self.s) - known["log"]).max()
        _, gradient, _ = self.bound.jet(walkers)
        scale = 1.0 + 0.5 * (gradient * gradient).sum(axis=0)
        return log, np.abs((self.kinetic(walkers) - known["kinetic"]) / scale).max()


def peers(python: str, *chosen: str) -> None:
    repeats = int(chosen[-1]) if chosen and chosen[-1].isdigit() else REPEATS
    chosen = tuple(case for case in chosen if not case.isdigit())
    keep_memory()
    keep_to_one_core()
    peer = subprocess.Popen(
        [python, str(Path(__file__).with_name("fermions_jax.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(*words) -> float:
        print(*words, file=peer.stdin, flush=True)
        return float(peer.stdout.readline())

    rivals = {
        "kinetic": ["kinetic_sparse", "kinetic_dense", "kinetic_loop"],
        "log": ["log"],
        "gradient": ["gradient"],
    }
    print("| case | what | blocks of 128, ms | one block, ms | peer, ms | peer / blocks | / one |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for case in chosen or ("gas-14", "dot-12"):
            here = Case(case, np.float64, Path(name))
            ask("values", here.path, 64)
            log, kinetic = here.compared()
            assert log < 1e-10 and kinetic < 1e-10, (case, log, kinetic)
            ours = [here.functions(size) for size in (BLOCK, WALKERS)]
            total = np.zeros(3)
            for what, names in rivals.items():
                for functions in ours:
                    functions[what]()
                rows = [
                    [seconds(f[what]) for f in ours] + [ask(n, here.path, 64) for n in names]
                    for _ in range(repeats)
                ]
                best = 1e3 * np.min(rows, axis=0)
                found = np.array([best[0], best[1], best[2:].min()])
                total += found * (METROPOLIS if what == "log" else 1)
                _line(case, what, found)
            _line(case, "iteration, its parts", total)
            print(f"largest differences of {case}: log psi {log:.1e}, kinetic {kinetic:.1e}")


def _line(case, what, found) -> None:
    a, b, c = found
    print(
        f"| {case} | {what} | {a:.1f} | {b:.1f} | {c:.1f} | {c / a:.2f} | {c / b:.2f} |", flush=True
    )


def iteration_parts(case: str):
    """System and wavefunction as jobs/ have them."""
    system = system_of(case)
    return system, psi_of(system, 0.01) * vmc.wavefunctions.PadeJastrow(system)


def iteration(case: str, walkers: int = WALKERS):
    """A function of the number of iterations that trains."""
    system, psi = iteration_parts(case)
    o = vmc.optimizers

    def run(iterations):
        return vmc.train(
            system,
            psi,
            optimizer=o.SGD(0.05),
            natural_gradient=o.SPRING(1e-3, momentum=0.95),
            iterations=iterations,
            walkers=walkers,
            block=min(walkers, BLOCK),
            warmup=1,
            clip=5.0,
        )

    return run


def scaling(figure: str, kind: str = "dot") -> None:
    """CPU seconds of an iteration against the number of electrons, and the largest memory."""
    keep_to_one_core()
    counts, walkers, found = np.array([6, 12, 20, 30]), 64, []
    if kind == "gas":  # filled shells of plane waves
        counts, walkers = np.array([14, 38, 54]), BLOCK
    for n in counts:
        run = iteration(f"{kind}-{n}", walkers)
        begun = min(seconds(lambda run=run: run(1)) for _ in range(2))
        found.append(min(seconds(lambda run=run: run(4)) - begun for _ in range(2)) / 3)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"N = {n}: {found[-1]:.3f} CPU s an iteration of {walkers} walkers, {memory:.0f} MiB",
            flush=True,
        )
    draw(figure, counts, found)


def draw(figure: str, counts, found) -> None:
    """Seconds against electrons with the power that fits."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    power, offset = np.polyfit(np.log(counts), np.log(found), 1)
    print(f"cost N^{power:.2f}")
    plt.figure(figsize=(4.5, 3.4))
    plt.loglog(counts, found, "o-", label="an iteration")
    line = np.exp(offset) * counts**power
    plt.loglog(counts, line, "--", color="0.5", label=f"$N^{{{power:.2f}}}$")
    plt.minorticks_off()
    plt.xticks(counts, [str(n) for n in counts])
    low, high = 10.0 ** np.floor(np.log10(min(found))), max(found)
    marks = [m for d in (1, 10, 100) for x in (1, 2, 5) if (m := x * d * low) < 2 * high]
    plt.yticks(marks, [f"{m:g}" for m in marks])
    plt.xlabel("electrons")
    plt.ylabel("CPU s an iteration")
    plt.legend()
    plt.tight_layout()
    plt.savefig(figure, dpi=160)


KINDS = {  # of a sample, by words in the file and the function that runs; the first that fits
    "matrix products": ("matrix_product", "product_adjoints", "layer_onto", "products.py"),
    "activations": ("cpu.py:activation", "cpu.py:layer", "pointwise", "elementwise.py"),
    "messages and pairs": ("message", "scatter_pairs", "collect", "pairs.py", "norm.py"),
    "determinants": ("linalg", "determinant", "orbitals.py", "slater.py", "applied", "selection"),
    "random numbers": ("normals", "philox", "uniforms", "moved", "stream.py"),
    "chain rules of jets": ("chain", "cpu.py:product", "residual", "jets.py", "jet.py"),
    "sums and elementwise": ("linear.py", "arithmetic.py", "outer.py"),
    "tape, replay": ("tape.py", "replay.py", "interpreter.py", "operation.py", "quantity.py"),
    "log-derivatives, solver": ("tangents", "gram", "natural_g", "exact_sum", "log_d", "cholesky"),
}


def profile(case: str = "dot-20", walkers: str = "512") -> None:
    """Shares of CPU time of an iteration by kind and by function, sampled every millisecond: a
    profiler that counts calls would add a third of its own. A compiled call is not interrupted:
    what it took is counted where it returns.
    """
    keep_to_one_core()
    run = iteration(case, int(walkers))
    run(1)
    seen: Counter = Counter()
    last = 0.0

    def note(number, frame):
        nonlocal last
        code, now = frame.f_code, time.process_time()
        seen[f"{code.co_filename.rpartition('vmcnet/')[2]}:{code.co_name}"] += now - last
        last = now

    signal.signal(signal.SIGPROF, note)
    last = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 1e-3, 1e-3)
    run(6)
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    total, shares = seen.total(), Counter()
    for name, count in seen.most_common():
        kind = next((k for k, words in KINDS.items() if any(w in name for w in words)), "the rest")
        shares[kind] += count
        if count > 0.015 * total:
            print(f"{count / total:6.1%}  {kind:<24} {name}")
    print(f"{case}, {walkers} walkers, {total / 6:.3f} CPU s an iteration")
    for kind, count in shares.most_common():
        print(f"{count / total:6.1%}  {kind}")


if __name__ == "__main__":
    {"peers": peers, "scaling": scaling, "profile": profile}[sys.argv[1]](*sys.argv[2:])
