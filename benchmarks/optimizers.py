"""All optimizers on one job, two electrons with a Boltzmann machine x Pade-Jastrow: a table and a
figure.

    python benchmarks/optimizers.py [--iterations 400] [--figure docs/optimizers.png]

Same start, same walkers, same budget. Error: mean energy of the last 20 iterations above the exact
3 hartree; reached: the first iteration from which the mean over 10 iterations stays within 5e-3 of
exact.
"""

import argparse
import time

import numpy as np

import vmcnet as vmc
from vmcnet.optimizers import SGD, AdaGrad, Adam, Cosine, InverseDecay, Momentum, RMSprop


def optimizers(iterations):
    return {
        "SGD 0.2, steps up to 0.1": SGD(0.2, max_norm=0.1),
        "heavy ball 0.05, steps up to 0.1": Momentum(0.05, max_norm=0.1),
        "Nesterov 0.05, steps up to 0.1": Momentum(0.05, max_norm=0.1, nesterov=True),
        "AdaGrad 0.1": AdaGrad(0.1),
        "RMSprop 0.05, inverse decay": RMSprop(0.05, schedule=InverseDecay(iterations / 4)),
        "Adam 0.03": Adam(0.03),
        "Adam 0.03, cosine": Adam(0.03, schedule=Cosine(iterations, 0.02)),
        "AdamW 0.03, decay 0.01, cosine": Adam(
            0.03, weight_decay=0.01, schedule=Cosine(iterations, 0.02)
        ),
    }


def run(optimizer, iterations):
    system = vmc.systems.QuantumDot(2)
    psi = vmc.wavefunctions.GaussianRBM(system, 4) * vmc.wavefunctions.PadeJastrow(system, 5.0)
    start = time.process_time()
    series = vmc.train(
        system,
        psi,
        optimizer=optimizer,
        iterations=iterations,
        walkers=512,
        block=128,
        steps=5,
        seed=11,
    ).series["energy"]
    return series, time.process_time() - start


def reached(energy, exact=3.0, within=5e-3, window=10):
    smooth = np.convolve(energy, np.ones(window) / window, "valid")
    outside = np.flatnonzero(np.abs(smooth - exact) > within)
    first = int(outside[-1]) + 1 if outside.size else 0
    return first if first < len(smooth) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--figure", help="where to write the figure (needs matplotlib)")
    options = parser.parse_args()
    curves = {}
    print("| optimizer | energy - 3, last 20 iterations | within 5e-3 from iteration | cpu s |")
    print("|---|---|---|---|")
    for name, optimizer in optimizers(options.iterations).items():
        energy, seconds = run(optimizer, options.iterations)
        curves[name], first = energy, reached(energy)
        print(
            f"| {name} | {energy[-20:].mean() - 3:+.1e} | "
            f"{'not reached' if first is None else first} | {seconds:.1f} |",
            flush=True,
        )
    if options.figure:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        fig, axes = plt.subplots(figsize=(7, 4.2))
        for name, energy in curves.items():
            smooth = np.convolve(np.abs(energy - 3.0), np.ones(10) / 10, "valid")
            axes.semilogy(np.arange(len(smooth)) + 5, smooth, label=name, lw=1.2)
        axes.set(
            xlabel="iteration",
            ylabel="|E - 3| / hartree, mean of 10 iterations",
            title="Two electrons in a trap, omega = 1",
        )
        axes.legend(fontsize=7)
        fig.tight_layout()
        fig.savefig(options.figure, dpi=120)


if __name__ == "__main__":
    main()
