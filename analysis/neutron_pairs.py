"""Pairs of neutrons in singlet and triplet, and S(k), beside those of free neutrons in the box.

    vmcnet run jobs/neutron_matter_14.toml
    vmcnet evaluate runs/neutron_matter_14.h5 --steps 40 --observable static_structure_factor \\
        --observable 'pair_distribution, channels=true, bins=40'
    python analysis/neutron_pairs.py runs/neutron_matter_14.h5

g of either channel is divided by its share of uncorrelated pairs, 1/4 and 3/4: curves tend to 1.
Dashed: the plane waves of the same box. Bars are errors between walkers. Writes neutron_pairs.png.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import vmcnet as vmc
from vmcnet.runs.figures import COLOURS, STYLE

WANTED = "pair_distribution", "static_structure_factor"
SHARES = {"singlet": 0.25, "triplet": 0.75}


def free_overlap(system, edges, points=48) -> np.ndarray:
    """f = |sum_k exp(i k.r)/m|^2 of the m waves of either spin, its mean over the part of every bin
    of r that is in the cell; free singlets have 1 + f, triplets 1 - f.
    """
    waves, angle = np.array(system.occupied("up")), (np.arange(points) + 0.5) * np.pi / points
    x, y, z = (np.exp(1j * angle[:, None] * column) for column in waves.T)
    f = np.abs(np.einsum("am,bm,cm->abc", x, y, z) / len(waves)) ** 2
    axis = (angle / (2 * np.pi) * system.box.lengths[0]) ** 2
    r = np.sqrt(axis[:, None, None] + axis[:, None] + axis)
    count, total = (np.histogram(r, edges, weights=w)[0] for w in (np.ones_like(f), f))
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def free_structure(system, shells: int) -> np.ndarray:
    """S(k) of the lowest shells: 1 - the share of waves that k leads to an occupied one."""
    occupied = {tuple(m) for m in system.occupied("up")}
    vectors = [shell[0] for shell in system.box.shells(shells + 1, twisted=False)[1:]]
    return 1 - np.array([np.mean([tuple(k + m) in occupied for m in occupied]) for k in vectors])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run file of neutron matter, as many up as down")
    parser.add_argument("--figure", type=Path, default=Path("neutron_pairs.png"))
    options = parser.parse_args()
    run = vmc.open_run(options.run)
    found = [e.observables for e in run.evaluations if {*WANTED} <= {*e.observables}]
    if not found or "singlet" not in found[-1][WANTED[0]].labels[0]:
        parser.error(f"{options.run}: no pair_distribution by channels with S(k): see --help's top")
    system, (pairs, structure) = run.told_system, (found[-1][name] for name in WANTED)
    edges, k, bars = pairs.grid["r"][:], structure.grid["k"][:], {"fmt": "o-", "markersize": 3}
    middle, f = 0.5 * (edges[1:] + edges[:-1]), free_overlap(system, edges)
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
        for (channel, share), colour, sign in zip(SHARES.items(), COLOURS, (1, -1), strict=False):
            own = [label.split("(")[0].endswith(channel) for label in pairs.labels]
            mean, error = (np.asarray(x)[own] / share for x in (pairs.mean, pairs.error))
            left.errorbar(middle, mean, error, color=colour, label=channel, **bars)
            left.plot(middle, 1 + sign * f, "--", color=colour, label=f"{channel}, free")
        right.errorbar(k, structure.mean, structure.error, label="interacting", **bars)
        right.plot(k, free_structure(system, len(k)), "--s", markersize=3, label="free")
        title = f"{system.particles} neutrons, {system.density:g} fm$^{{-3}}$"
        left.set(xlabel="r (fm)", ylabel="g(r) over 1/4, 3/4", xlim=(0, None), title=title)
        right.set(xlabel="k (fm$^{-1}$)", ylabel="S(k)", title="structure factor")
        for axis in (left, right):
            axis.set_ylim(0, None)
            axis.legend(fontsize=8)
        figure.savefig(options.figure, dpi=110)
    print(options.figure)


if __name__ == "__main__":
    main()
