"""Where electrons in a trap are: radial density by spin, and pairs by spin, of several runs.

    vmcnet run jobs/quantum_dot_6.toml --set system.omega=0.1 --output runs/dot_0.1.h5
    vmcnet evaluate runs/dot_0.1.h5 --steps 200 --observable 'density, by_spin=true' \\
        --observable 'pair_distribution, by_spin=true'
    python analysis/dot_structure.py runs/dot_1.h5 runs/dot_0.1.h5 runs/dot_0.01.h5

Lengths in those of the trap, 1/sqrt(omega): n(r) of each spin, whose integral over the plane is
the number of electrons, and p(r), the probability of a distance of a pair, whose integral is 1.
Bands are errors between walkers. Writes dot_structure.png, or what --figure names.
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

WANTED = {"density": ("n", "density"), "pair_distribution": ("p", "distances of pairs")}
STYLES = {"up": "-", "down": ":", "equal": "-", "opposite": "--", "": "-"}


def curves(observed) -> dict[str, np.ndarray]:
    """kind ("up", "equal", "" ...) -> (3, bins): middle of a bin, mean, error."""
    edges = np.asarray(observed.grid["r"])
    middle = 0.5 * (edges[1:] + edges[:-1])
    kinds = [label.split("(")[0].partition(" ")[2] for label in observed.labels]
    out = {}
    for kind in dict.fromkeys(kinds):
        part = np.array([k == kind for k in kinds])
        found = [np.asarray(x)[part] for x in (observed.mean, observed.error)]
        out[kind] = np.stack([middle, found[0], np.nan_to_num(found[1])])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+", help="run files")
    parser.add_argument("--figure", type=Path, default=Path("dot_structure.png"))
    options = parser.parse_args()
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
        for run, colour in zip(map(vmc.open_run, options.run), COLOURS, strict=False):
            system = run.told_system
            for axis, (name, (symbol, _)) in zip(axes, WANTED.items(), strict=True):
                found = [e.observables[name] for e in run.evaluations if name in e.observables]
                if not found:
                    parser.error(f"{run.path}: no {name}: vmcnet evaluate --observable {name}")
                for kind, (r, mean, error) in curves(found[-1]).items():
                    x, unit = r / system.length, system.length**system.dimensions
                    label = f"omega = {run.job.system.omega:g} {kind}".strip()
                    low, high = (mean - error) * unit, (mean + error) * unit
                    axis.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
                    axis.plot(x, mean * unit, STYLES[kind], color=colour, label=label)
                axis.set(xlabel="r sqrt(omega)", ylabel=f"{symbol}(r) / omega", xlim=(0, None))
        for axis, (_, title) in zip(axes, WANTED.values(), strict=True):
            axis.set_title(title)
            axis.legend(fontsize=7)
        figure.savefig(options.figure, dpi=110)
    print(options.figure)


if __name__ == "__main__":
    main()
