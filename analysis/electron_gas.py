"""g(r) and S(k) of electron gases, one curve a run, in units of r_s and the Fermi momentum.

    vmcnet evaluate RUN --observable "pair_distribution, by_spin = true" \
        --observable static_structure_factor
    python analysis/electron_gas.py runs/gas_2.h5 runs/gas_100.h5 [--figure electron_gas.png]

Left: equal (dashed) and opposite spins, corners of the cell beyond the dotted L/2; right: S(k)
with plasmons' k^2/(2 omega_p), dotted. Printed: the sum rule n int (g - 1) dr = -1 and the energy
corrected for the finite box, of the last evaluation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import vmcnet as vmc

NEEDED = ("pair_distribution", "static_structure_factor")


def sum_rule(found, system) -> float:
    """n times the integral of g - 1 over the cell, all pairs: -1."""
    volume, bins = found.grid["volume"], len(found.grid["volume"])
    up, down = (int((system.spins == s).sum()) for s in (1, -1))
    share = np.array([up**2 + down**2, 2.0 * up * down][: len(found.mean) // bins])
    share /= share.sum()
    g = share @ found.mean.reshape(-1, bins)
    return float(system.particles / system.box.volume * ((g - 1.0) @ volume))


def draw(run, axes, colour) -> str:
    """Both curves of one run; what is printed of it."""
    system, last = run.system, run.evaluations[-1].observables
    if not set(NEEDED) <= set(last):
        raise SystemExit(f"{run.path}: evaluate it with the observables {' and '.join(NEEDED)}")
    pairs, structure = (last[name] for name in NEEDED)
    edges, bins = pairs.grid["r"] / system.r_s, len(pairs.grid["volume"])
    middle, inside = 0.5 * (edges[1:] + edges[:-1]), pairs.grid["volume"] > 0
    for n, line in enumerate(("--", "-") if len(pairs.mean) > bins else ("-",)):
        part = np.flatnonzero(inside) + n * bins
        label = f"$r_s$ = {system.r_s:g}" if line == "-" else None
        y, e = pairs.mean[part], pairs.error[part]
        axes[0].errorbar(middle[inside], y, e, fmt=line, color=colour, linewidth=1, label=label)
    axes[0].axvline(0.5 * min(system.box.lengths) / system.r_s, color="0.6", lw=0.6, linestyle=":")
    fermi = ((2.25 * np.pi) ** (1 / 3) if system.dimensions == 3 else np.sqrt(2.0)) / system.r_s
    k = structure.grid["k"] / fermi
    axes[1].errorbar(k, structure.mean, structure.error, fmt="o-", color=colour, markersize=3)
    if system.plasmon:
        x = np.linspace(0.0, min(k.max(), np.sqrt(2.0 * system.plasmon) / fermi))
        axes[1].plot(x, (x * fermi) ** 2 / (2.0 * system.plasmon), ":", color=colour)
    said = f"{run.path}: n int (g - 1) = {sum_rule(pairs, system):.6f}"
    energy = system.plasmon and run.finite_size().energy[0] / system.particles
    return f"{said}; corrected energy an electron {energy:.6f}" if energy is not None else said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="run files")
    parser.add_argument("--figure", type=Path, default=Path("electron_gas.png"))
    options = parser.parse_args()
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    for n, path in enumerate(options.runs):
        print(draw(vmc.open_run(path), axes, f"C{n}"))
    axes[0].plot([], [], "--", color="0.4", linewidth=1, label="equal spins")
    axes[0].set(xlabel="$r / r_s$", ylabel="$g(r)$")
    axes[1].set(xlabel="$k / k_F$", ylabel="$S(k)$")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(options.figure, dpi=150)


if __name__ == "__main__":
    main()
