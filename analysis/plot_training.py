"""Training and blocking curves of run files, read with h5py alone.

    python analysis/plot_training.py runs/a.h5 [runs/b.h5 ...] [--figure training.png]

Needs numpy, h5py and matplotlib, neither MPI nor vmcnet: a start for figures of your own.
docs/run-file.md says what a run file holds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def training_panel(axis, files: dict[str, h5py.File]) -> None:
    """Energy of every iteration with its error; the last evaluation dashed."""
    tails = []
    for k, (name, file) in enumerate(files.items()):
        energy, error = (file[f"training/{key}"][()] for key in ("energy", "error"))
        x, colour = np.arange(1, len(energy) + 1), f"C{k}"
        axis.fill_between(x, energy - error, energy + error, color=colour, alpha=0.3, linewidth=0)
        axis.plot(x, energy, linewidth=0.8, color=colour, label=name)
        tails.append(energy[len(energy) // 4 :])
        for number in sorted(file.get("evaluation", ()), key=int)[-1:]:
            mean = file[f"evaluation/{number}/energy"][()].mean()
            axis.axhline(mean, color=colour, linewidth=0.8, linestyle="--")
    low, high = min(map(np.min, tails)), max(map(np.max, tails))
    margin = 0.15 * (high - low) or 1e-3
    axis.set(xlabel="iteration", ylabel="energy", ylim=(low - margin, high + margin))
    axis.legend(frameon=False)


def blocking_panel(axis, files: dict[str, h5py.File]) -> None:
    """Error of the mean against block size; the error between walkers dashed."""
    for k, file in enumerate(files.values()):
        for number in sorted(file.get("evaluation", ()), key=int)[-1:]:
            group, colour = file[f"evaluation/{number}"], f"C{k}"
            columns = (group[f"blocking/{key}"][()] for key in ("sizes", "errors", "error_errors"))
            axis.errorbar(*columns, fmt="o-", markersize=3, linewidth=0.8, color=colour)
            steps = len(group["energy"])
            counts = np.array([steps // 2, steps - steps // 2])[:, None]
            mean = (counts * group["walker_mean"][:, 0]).sum(axis=0) / steps
            level = np.sqrt(mean.var(ddof=1) / len(mean))
            axis.axhline(level, linestyle="--", linewidth=0.8, color=colour)
    axis.set(xlabel="block size (measurements)", ylabel="error of the mean energy")
    axis.set(xscale="log", yscale="log")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+", help="run files")
    parser.add_argument("--figure", type=Path, default=Path("training.png"), help="image to write")
    options = parser.parse_args()
    files = {}
    for path in options.run:
        if not path.exists():
            parser.error(f"{path}: no such run file")
        files[path.stem] = h5py.File(path)
        if "training/energy" not in files[path.stem]:
            parser.error(f"{path}: holds no training series")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    training_panel(axes[0], files)
    blocking_panel(axes[1], files)
    figure.savefig(options.figure, dpi=130)
    print(options.figure)


if __name__ == "__main__":
    main()
