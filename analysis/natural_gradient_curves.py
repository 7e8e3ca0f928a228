"""Why a natural gradient stalls: the critical transverse-field chain of 100 spins, alpha = 1, from one start with steps, shifts and samples varied.

    python analysis/natural_gradient_curves.py [--iterations 300] [--save curves.npz] [--figure curves.png] [NAME ...]

Each curve is one training in memory, seed 1; printed are the relative error of the mean energy of the last 20 iterations and the CPU seconds.
An iteration with step eta is a step eta of imaginary time, so that 300 steps of 0.01 end at time 3.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import vmcnet as vmc

CURVES = {                      # step, shift, walkers, sweeps an iteration, method
    "step 0.01": (0.01, 1e-2, 1024, 1, "MinSR"),
    "step 0.03": (0.03, 1e-2, 1024, 1, "MinSR"),
    "step 0.1": (0.1, 1e-2, 1024, 1, "MinSR"),
    "step 0.01, 5 sweeps": (0.01, 1e-2, 1024, 5, "MinSR"),
    "step 0.01, 4096 samples": (0.01, 1e-2, 4096, 1, "MinSR"),
    "step 0.01, shift 1e-4": (0.01, 1e-4, 1024, 1, "MinSR"),
    "step 0.1, shift 1e-3": (0.1, 1e-3, 1024, 1, "MinSR"),
    "step 0.1, 5 sweeps": (0.1, 1e-2, 1024, 5, "MinSR"),
    "step 0.03, SPRING": (0.03, 1e-2, 1024, 1, "SPRING"),
}


def curve(rate, shift, walkers, sweeps, method, iterations, sites=100):
    """Relative error of the energy at every iteration, and CPU seconds."""
    system = vmc.systems.TransverseIsing([sites], 1.0)
    psi = vmc.wavefunctions.BinaryRBM(system, 1.0)
    begun = time.process_time()
    result = vmc.train(system, psi, optimizer=vmc.optimizers.SGD(rate), natural_gradient=getattr(vmc.optimizers, method)(shift),
                       iterations=iterations, walkers=walkers, block=128, steps=sweeps, warmup=20, seed=1)
    exact = system.reference[0]
    return (result.series["energy"] - exact) / abs(exact), time.process_time() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--save")
    parser.add_argument("--figure")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CURVES)}; all when absent")
    options = parser.parse_args()
    curves = {}
    for name in options.names or CURVES:
        errors, seconds = curve(*CURVES[name], options.iterations)
        curves[name] = errors
        print(f"{name:28} {errors[-20:].mean():9.2e}  {seconds:6.1f} s", flush=True)
    if options.save:
        np.savez_compressed(options.save, **curves)
    if options.figure:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7, 4.5))
        for name, errors in curves.items():
            axes.semilogy(np.convolve(errors, np.ones(10) / 10, "valid"), label=name)
        axes.set(xlabel="iteration", ylabel="relative error of the energy (mean of 10)", title="Critical Ising chain, 100 spins, alpha = 1")
        axes.legend(fontsize=8)
        figure.savefig(options.figure, dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    main()
