"""Two trees of this project beside each other on one core: is the newer one slower?

    python benchmarks/commits.py OLD_TREE NEW_TREE [PAIRS]

CPU seconds of ten training iterations, kernels compiled beforehand, in processes of their own that
take turns: a lattice (chain of 40, a Boltzmann machine, Adam and minSR), networks of 18-64-64-1 and
60-128-128-1, two electrons with machine and Jastrow factor. The median of the ratios of the PAIRS
(9 unless told) is what counts; their extremes say how far to trust it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from one_core import keep_to_one_core  # isort: skip

import numpy as np

WORKLOAD = """
import sys, time
import vmcnet as vmc
w, s, o = vmc.wavefunctions, vmc.systems, vmc.optimizers
what = sys.argv[1]
options = dict(walkers=1024, block=128, seed=1, warmup=2)
if what.startswith("chain"):
    system = s.TransverseIsing(extent=[40])
    psi = w.BinaryRBM(system, alpha=1)
    options["steps"] = 1
    if what == "chain minSR":
        options["natural_gradient"] = o.MinSR(1e-2)
elif what == "two electrons":
    system = s.QuantumDot(particles=2, omega=1.0)
    psi = w.GaussianRBM(system, hidden=4) * w.PadeJastrow(system)
else:
    n, layers = {"18-64-64-1": (6, [64, 64]), "60-128-128-1": (20, [128, 128])}[what]
    system = s.TrappedBosons(particles=n, omega=1.0, dimensions=3)
    psi = w.GaussianEnvelope(system) * w.FeedForward(system, layers=layers)

def run(iterations):
    vmc.train(system, psi, optimizer=o.Adam(0.001), iterations=iterations, **options)

run(1)
found = []
for _ in range(3):
    begun = time.process_time()
    run(10)
    found.append(time.process_time() - begun)
print(min(found))
"""
WORKLOADS = ("chain Adam", "chain minSR", "two electrons", "18-64-64-1", "60-128-128-1")


def seconds(tree: Path, what: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", WORKLOAD, what],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    old, new = (Path(p).resolve() for p in sys.argv[1:3])
    for tree in (old, new):
        if not (tree / "vmcnet").is_dir():
            sys.exit(f"{tree}: expected the folder of a tree of this project (git worktree add)")
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    keep_to_one_core()
    print("| workload | old, ms | new, ms | ratio: median (lowest to highest) |\n|---|---|---|---|")
    for what in WORKLOADS:
        times = np.array([[seconds(tree, what) for tree in (old, new)] for _ in range(pairs)])
        ratios = times[:, 1] / times[:, 0]
        best = 100.0 * times.min(axis=0)
        spread = f"{np.median(ratios):.3f} ({ratios.min():.3f} to {ratios.max():.3f})"
        print(f"| {what} | {best[0]:.2f} | {best[1]:.2f} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
