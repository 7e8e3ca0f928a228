"""Observables of a run file that lie on a grid: densities, pair distributions, momenta, S(k).

    python analysis/plot_observables.py runs/dot.h5 [more.h5 ...] [--figure observables.png]

One panel an observable, one curve a run and a kind (spins up, equal spins, ...), of the last
evaluation, with the error between walkers. Two-dimensional densities are drawn as maps.
Reads run files with plain h5py: needs numpy, h5py and matplotlib, neither MPI nor vmcnet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def gridded(path: Path) -> dict:
    """name -> group contents of the last evaluation's observables that have a grid."""
    with h5py.File(path) as file:
        numbers = file.get("evaluation", {})
        if not len(numbers):
            raise SystemExit(f"{path}: no evaluation yet: vmcnet evaluate {path}")
        found = file[f"evaluation/{max(numbers, key=int)}"].get("observables", {})
        return {
            name: {
                "labels": [text.decode() for text in group["labels"][()]],
                "mean": group["mean"][()],
                "grid": {k: v[()] for k, v in group["grid"].items()},
                "steps": int(file[f"evaluation/{max(numbers, key=int)}/energy"].shape[0]),
            }
            for name, group in found.items()
            if isinstance(group, h5py.Group) and "grid" in group
        }


def mean_and_error(content) -> tuple[np.ndarray, np.ndarray]:
    """Of every component: mean over both halves of the measurements, error between walkers."""
    steps = content["steps"]
    halves = np.array([steps // 2, steps - steps // 2])[:, None, None]
    average = (halves * content["mean"]).sum(axis=0) / steps
    return average.mean(axis=1), average.std(axis=1, ddof=1) / np.sqrt(average.shape[1])


def kinds(labels) -> dict:
    """The part of a label before its place -> components."""
    found: dict = {}
    for k, label in enumerate(labels):
        found.setdefault(label.split("(")[0].split("[")[0], []).append(k)
    return found


def draw(axis, name, runs) -> None:
    """One observable of all runs."""
    for run, content in runs.items():
        mean, error = mean_and_error(content)
        grid = content["grid"]
        edges = [v for k, v in sorted(grid.items()) if k.startswith("x")]
        for kind, part in kinds(content["labels"]).items():
            label = f"{run} {kind}".strip()
            if len(edges) == 2:
                shape = [len(e) - 1 for e in edges]
                axis.pcolormesh(*edges, mean[part].reshape(shape).T, cmap="viridis")
                axis.set(aspect="equal", xlabel="x", ylabel="y", title=f"{name}, {label}")
                return
            x = edges[0] if edges else grid.get("r", grid.get("k"))
            middle = 0.5 * (x[1:] + x[:-1]) if len(x) > len(part) else x
            axis.errorbar(middle, mean[part], error[part], linewidth=0.9, label=label)
    axis.set(title=name, xlabel="k" if "k" in grid else "r")
    axis.legend(frameon=False, fontsize="small")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="run files")
    parser.add_argument("--figure", type=Path, default=Path("observables.png"))
    options = parser.parse_args()
    contents = {path.stem: gridded(path) for path in options.runs}
    names = sorted({name for found in contents.values() for name in found})
    if not names:
        raise SystemExit("no observable on a grid: vmcnet evaluate RUN --observable density")
    figure, axes = plt.subplots(1, len(names), figsize=(4.5 * len(names), 4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        draw(axis, name, {run: found[name] for run, found in contents.items() if name in found})
    figure.tight_layout()
    figure.savefig(options.figure, dpi=150)
    print(f"wrote {options.figure}")


if __name__ == "__main__":
    main()
