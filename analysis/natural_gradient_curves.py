"""Why a natural gradient stalls: the critical transverse-field chain of 100 spins from one start,
with step, shift, sweeps, samples and machine varied.

    python analysis/natural_gradient_curves.py [--iterations 300] [--save curves.npz] [--figure
    curves.png] [NAME ...]

Each curve is one training in memory, seed 1; printed are the relative error of the mean energy of
the last 20 iterations and the CPU seconds. An iteration with step eta is a step eta of imaginary
time, so that 300 steps of 0.01 end at time 3.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import vmcnet as vmc


def minsr(shift=1e-2, **options):
    return vmc.optimizers.MinSR(shift, **options)


FALLING = {"shift_decay": 0.97, "shift_floor": 0.01}  # from 0.1 to 1e-3 within 150 iterations
CURVES = {  # natural gradient, step, walkers, sweeps an iteration, options of the machine
    "stalled: step 0.1, shift 1e-2": (minsr(), 0.1, 1024, 1, {}),
    "3 sweeps": (minsr(), 0.1, 1024, 3, {}),
    "step 0.01": (minsr(), 0.01, 1024, 1, {}),
    "step 0.03": (minsr(), 0.03, 1024, 1, {}),
    "step 0.03, SPRING": (vmc.optimizers.SPRING(1e-2), 0.03, 1024, 1, {}),
    "shift 1e-3": (minsr(1e-3), 0.1, 1024, 1, {}),
    "shift 1e-4": (minsr(1e-4), 0.1, 1024, 1, {}),
    "shift 0.1 to 1e-3": (minsr(0.1, **FALLING), 0.1, 1024, 1, {}),
    "the same, 4096 samples": (minsr(0.1, **FALLING), 0.1, 4096, 1, {}),
    "shift 0.1 to 1e-3, 3 filters": (
        vmc.optimizers.SR(0.1, **FALLING),
        0.05,
        1024,
        1,
        {"alpha": 3.0, "symmetric": True},
    ),
}


def curve(natural_gradient, rate, walkers, sweeps, machine, iterations, sites=100):
    """Relative error of the energy at every iteration, and CPU seconds."""
    system = vmc.systems.TransverseIsing([sites], 1.0)
    psi = vmc.wavefunctions.BinaryRBM(system, **machine)
    begun = time.process_time()
    result = vmc.train(
        system,
        psi,
        optimizer=vmc.optimizers.SGD(rate),
        natural_gradient=natural_gradient,
        iterations=iterations,
        walkers=walkers,
        block=128,
        steps=sweeps,
        warmup=20,
        seed=1,
    )
    exact = system.reference[0]
    return (result.series["energy"] - exact) / abs(exact), time.process_time() - begun


def draw(curves, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.8))
    for number, (name, errors) in enumerate(curves.items()):
        axes.semilogy(
            np.convolve(errors, np.ones(10) / 10, "valid"),
            label=f"{name}: {errors[-20:].mean():.1e}",
            color=f"C{number}",
            linewidth=2.2 if number in (0, len(curves) - 2, len(curves) - 1) else 1.0,
        )
    axes.set(
        xlabel="iteration",
        ylabel="relative error of the energy, mean of 10 iterations",
        title="Critical Ising chain of 100 spins",
    )
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    figure.savefig(path, dpi=130, bbox_inches="tight")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--save")
    parser.add_argument("--figure")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CURVES)}; all when absent")
    options = parser.parse_args()
    for name in set(options.names) - set(CURVES):
        parser.error(f"{name!r}: expected some of {', '.join(map(repr, CURVES))}")
    curves = {}
    for name in options.names or CURVES:
        errors, seconds = curve(*CURVES[name], options.iterations)
        curves[name] = errors
        print(f"{name:32} {errors[-20:].mean():9.2e}  {seconds:6.1f} s", flush=True)
    if options.save:
        np.savez_compressed(options.save, **curves)
    if options.figure:
        draw(curves, options.figure)


if __name__ == "__main__":
    main()
