"""Energy against variance of several wavefunctions of one system, and the line's end at variance 0.

    vmcnet sweep jobs/quantum_dot_2.toml training.iterations 60 90 130 200 400
    python analysis/zero_variance.py runs/quantum_dot_2-training.iterations=*.h5

Near the ground state the energy's distance from the exact one is proportional to the variance of
the local energy: better wavefunctions lie closer to the axis. Three runs or more, their last
evaluations; the line of `vmcnet report` along one training (vmcnet.statistics.zero_variance),
refused for the same reasons. Writes zero_variance.png, or what --figure names.
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
from vmcnet.statistics.zero_variance import straight_line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+", help="run files, three or more")
    parser.add_argument("--figure", type=Path, default=Path("zero_variance.png"))
    options = parser.parse_args()
    runs = [vmc.open_run(path) for path in options.run]
    lacking = [run.path for run in runs if not run.evaluations]
    if lacking or len(runs) < 3:
        parser.error(f"{lacking[0]}: no evaluation yet" if lacking else "give three runs or more")
    last = [run.evaluations[-1] for run in runs]
    others = [run.path for run in runs if run.system.describe() != runs[0].system.describe()]
    if others:
        parser.error(f"{others[0]}: another system than {runs[0].path}")
    x, y, error = (np.array([getattr(e, k) for e in last]) for k in ("variance", "energy", "error"))
    found = straight_line(x, y, error)
    print(f"energy at variance 0: {found.told()}")
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, axis = plt.subplots(layout="constrained")
        axis.errorbar(x, y, error, fmt="o", color=COLOURS[0], label="runs")
        if not found.refused:
            line = np.array([0.0, 1.05 * x.max()])
            axis.plot(line, found.energy + found.slope * line, color=COLOURS[1], label="line")
        reference = runs[0].system.reference_of(runs[0].wavefunction)
        if reference:
            axis.axhline(reference[0], color=COLOURS[4], linestyle="--", label="reference")
        axis.set(xlabel="variance of the local energy", xlim=(0, None))
        axis.set(ylabel=f"energy ({runs[0].system.units})")
        axis.legend()
        figure.savefig(options.figure)
    print(options.figure)


if __name__ == "__main__":
    main()
