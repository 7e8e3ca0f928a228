"""Training curve and blocking curve of a run file.

    python analysis/plot_training.py runs/quantum_dot_2.h5 [figure.png]

Reads the run file with plain h5py: needs numpy, h5py and matplotlib, neither MPI nor vmcnet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def training_panel(axis, file) -> None:
    """Energy of every iteration with its error, and the last evaluation as a line."""
    training = file["training"]
    energy, error = training["energy"][()], training["error"][()]
    iterations = np.arange(1, len(energy) + 1)
    axis.fill_between(iterations, energy - error, energy + error, alpha=0.3, linewidth=0)
    axis.plot(iterations, energy, linewidth=0.8, label="training, ± standard error")
    if "evaluation" in file and len(file["evaluation"]):
        number = max(file["evaluation"], key=int)
        axis.axhline(
            file[f"evaluation/{number}/energy"][()].mean(),
            color="black",
            linewidth=0.8,
            label=f"evaluation {number}",
        )
    low, high = np.percentile(energy, [0, 98]) if len(energy) > 20 else (energy.min(), energy.max())
    tail = energy[len(energy) // 5 :]
    low, high = min(low, tail.min()), max(tail.max(), np.median(energy))
    margin = 0.15 * (high - low) or 1e-3
    axis.set(
        xlabel="iteration", ylabel="energy", title="training", ylim=(low - margin, high + margin)
    )
    axis.legend(frameon=False)


def blocking_panel(axis, file) -> None:
    """Error of the mean against block size, for every evaluation; the error between walkers as a
    dashed line.
    """
    for number in sorted(file.get("evaluation", ()), key=int):
        group = file[f"evaluation/{number}"]
        sizes, errors, spread = (
            group[f"blocking/{k}"][()] for k in ("sizes", "errors", "error_errors")
        )
        axis.errorbar(
            sizes,
            errors,
            spread,
            fmt="o-",
            markersize=3,
            linewidth=0.8,
            label=f"evaluation {number}, blocking",
        )
        steps = len(group["energy"])
        half = steps // 2
        mean = (
            half * group["walker_mean"][0, 0] + (steps - half) * group["walker_mean"][1, 0]
        ) / steps
        axis.axhline(
            np.sqrt(mean.var(ddof=1) / len(mean)),
            linestyle="--",
            linewidth=0.8,
            color="black",
            label=f"evaluation {number}, between walkers",
        )
    axis.set(
        xlabel="block size (measurements)",
        ylabel="error of the mean energy",
        title="blocking",
        xscale="log",
        yscale="log",
    )
    axis.legend(frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run file")
    parser.add_argument(
        "figure", type=Path, nargs="?", help="image to write; default: beside the run file"
    )
    options = parser.parse_args()
    target = options.figure or options.run.with_suffix(".training.png")
    if not options.run.exists():
        parser.error(f"{options.run}: no such run file")
    with h5py.File(options.run) as file:
        if "training/energy" not in file:
            parser.error(f"{options.run}: holds no training series")
        evaluated = len(file.get("evaluation", ())) > 0
        figure, axes = plt.subplots(
            1, 2 if evaluated else 1, figsize=(11 if evaluated else 6, 4), squeeze=False
        )
        training_panel(axes[0, 0], file)
        if evaluated:
            blocking_panel(axes[0, 1], file)
    figure.tight_layout()
    figure.savefig(target, dpi=130)
    print(target)


if __name__ == "__main__":
    main()
