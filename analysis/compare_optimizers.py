"""Optimizers beside one another: the same start, walkers and iterations.

    python analysis/compare_optimizers.py [--iterations 150] [--figure compare_optimizers.png]

Two electrons in a trap, Boltzmann machine x Pade-Jastrow from a beta that is far off. Change the
table OPTIMIZERS, the system or psi, and run it again. Prints the energy and the variance of the
last tenth of the iterations; the exact energy is 3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import vmcnet as vmc
from vmcnet.runs.curves import binned, positions
from vmcnet.runs.figures import COLOURS, STYLE

EXACT = 3.0
OPTIMIZERS = {  # name -> (optimizer, natural gradient or None)
    "sgd": (vmc.optimizers.SGD(0.1), None),
    "momentum": (vmc.optimizers.Momentum(0.02), None),
    "adam": (vmc.optimizers.Adam(0.05), None),
    "adam, cosine": (
        lambda iterations: vmc.optimizers.Adam(
            0.05, schedule=vmc.optimizers.Cosine(iterations, floor=0.02)
        ),
        None,
    ),
    "reconfiguration": (vmc.optimizers.SGD(0.1), vmc.optimizers.SR(shift=0.01)),
    "minSR": (vmc.optimizers.SGD(0.1), vmc.optimizers.MinSR(shift=0.01)),
}


def trained(optimizer, natural, iterations: int):
    system = vmc.systems.QuantumDot(particles=2)
    psi = vmc.wavefunctions.GaussianRBM(system, hidden=4)
    psi = psi * vmc.wavefunctions.PadeJastrow(system, beta=4.0)
    return vmc.train(
        system,
        psi,
        optimizer=optimizer(iterations) if callable(optimizer) else optimizer,
        natural_gradient=natural,
        iterations=iterations,
        walkers=256,
        block=64,
        seed=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--figure", type=Path, default=Path("compare_optimizers.png"))
    options = parser.parse_args()
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, axis = plt.subplots(layout="constrained")
        for (name, parts), colour in zip(OPTIMIZERS.items(), COLOURS, strict=False):
            series = trained(*parts, options.iterations).series
            last = slice(-max(1, options.iterations // 10), None)
            energy, variance = (np.mean(series[k][last]) for k in ("energy", "variance"))
            print(f"{name:<16} energy {energy:.4f}  variance {variance:.2g}")
            apart = np.abs(binned(series["energy"], 60) - EXACT)
            axis.semilogy(positions(options.iterations, 60), apart, color=colour, label=name)
        axis.set(xlabel="iteration", ylabel="|energy - 3| (hartree)")
        axis.legend()
        figure.savefig(options.figure)
    print(options.figure)


if __name__ == "__main__":
    main()
