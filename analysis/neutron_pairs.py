"""Pairs of neutrons in singlet and triplet, and S(k), beside those of free neutrons in the box.

    vmcnet run jobs/neutron_matter_14.toml
    vmcnet evaluate runs/neutron_matter_14.h5 --steps 40 --observable static_structure_factor \\
        --observable 'pair_distribution, channels=true, bins=40'
    python analysis/neutron_pairs.py runs/neutron_matter_14.h5

g of either channel is divided by its share of all pairs without correlation, 1/4 and 3/4, so that
all curves tend to 1. Dashed: the determinant of plane waves of the same box. Bars are errors
between walkers. Writes neutron_pairs.png, or what --figure names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import vmcnet as vmc
from vmcnet.runs.figures import COLOURS, STYLE

SHARES = {"singlet": 0.25, "triplet": 0.75}
POINTS = 48  # along every axis of half a cell


def free_pairs(system, edges) -> dict[str, np.ndarray]:
    """channel -> g(r)/share in every bin of plane waves: 1 + f and 1 - f averaged over the part of
    the bin in the cell, f = |sum_k exp(i k.r)/m|^2 of the m waves of either spin.
    """
    waves = np.array(system.occupied("up"))
    angle = (np.arange(POINTS) + 0.5) * np.pi / POINTS
    turns = np.exp(1j * angle[:, None] * np.arange(waves.min(), waves.max() + 1))
    x, y, z = (turns[:, column - waves.min()] for column in waves.T)
    f = np.abs(np.einsum("am,bm,cm->abc", x, y, z) / len(waves)) ** 2
    axis = (angle / np.pi * 0.5 * system.box.lengths[0]) ** 2
    r = np.sqrt(axis[:, None, None] + axis[:, None] + axis)
    count, total = (np.histogram(r, edges, weights=w)[0] for w in (np.ones_like(f), f))
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return {"singlet": 1 + mean, "triplet": 1 - mean}


def free_structure(system, shells: int) -> np.ndarray:
    """S(k) of the lowest shells: 1 - the share of waves that k leads to an occupied one."""
    occupied = {tuple(m) for m in system.occupied("up")}
    out = []
    for shell in system.box.shells(shells + 1, twisted=False)[1:]:
        stays = [tuple(np.add(m, shell[0])) in occupied for m in occupied]
        out.append(1.0 - np.mean(stays))
    return np.array(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run file of neutron matter, as many up as down")
    parser.add_argument("--figure", type=Path, default=Path("neutron_pairs.png"))
    options = parser.parse_args()
    run = vmc.open_run(options.run)
    system, wanted = run.told_system, ("pair_distribution", "static_structure_factor")
    pairs, structure = (
        next((e.observables[k] for e in run.evaluations[::-1] if k in e.observables), None)
        for k in wanted
    )
    if pairs is None or structure is None or "singlet" not in pairs.labels[0]:
        parser.error(f"{options.run}: no pair_distribution by channels with S(k): see --help's top")
    edges = np.asarray(pairs.grid["r"])
    middle, free = 0.5 * (edges[1:] + edges[:-1]), free_pairs(system, edges)
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
        for (channel, share), colour in zip(SHARES.items(), COLOURS, strict=False):
            own = [k for k, label in enumerate(pairs.labels) if channel in label]
            mean, error = (np.asarray(x)[own] / share for x in (pairs.mean, pairs.error))
            axes[0].errorbar(
                middle, mean, error, fmt="o-", markersize=3, color=colour, label=channel
            )
            axes[0].plot(middle, free[channel], "--", color=colour, label=f"{channel}, free")
        k = np.asarray(structure.grid["k"])
        axes[1].errorbar(
            k, structure.mean, structure.error, fmt="o-", markersize=3, label="interacting"
        )
        axes[1].plot(k, free_structure(system, len(k)), "--s", markersize=3, label="free")
        axes[0].set(xlabel="r (fm)", ylabel="g(r) over 1/4, 3/4", xlim=(0, None), ylim=(0, None))
        axes[0].set_title(f"pairs of {system.particles} neutrons, {system.density:g} fm$^{{-3}}$")
        axes[1].set(xlabel="k (fm$^{-1}$)", ylabel="S(k)", ylim=(0, None), title="structure factor")
        for axis in axes:
            axis.legend(fontsize=8)
        figure.savefig(options.figure, dpi=110)
    print(options.figure)


if __name__ == "__main__":
    main()
