"""Energy against one key of the job, from the run files of a sweep.

    vmcnet sweep jobs/quantum_dot_2.toml system.omega 0.1 0.28 0.5 1.0
    python analysis/energy_against_key.py system.omega runs/quantum_dot_2-system.omega=*.h5

From weak traps to strong ones the share of the interaction falls: with --terms every term is shown
as a share of the energy. Writes KEY.png, or what --figure names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import vmcnet as vmc
from vmcnet.runs.comparison import keys
from vmcnet.runs.figures import COLOURS, STYLE


def points(paths: list[Path], key: str) -> list[tuple]:
    """(value of the key, last evaluation, reference or None) of every run, in order."""
    found = []
    for path in paths:
        run = vmc.open_run(path)
        known = keys(run.attributes["job"])
        if key not in known:
            raise SystemExit(f"{path}: its job has no key {key}; it has {', '.join(known)}")
        if not run.evaluations:
            raise SystemExit(f"{path}: no evaluation yet: vmcnet evaluate {path}")
        reference = run.system.reference_of(run.wavefunction)
        found.append((known[key], run.evaluations[-1], reference and reference[0]))
    return sorted(found, key=lambda point: point[0])


def draw(axis, found: list[tuple], terms: bool) -> None:
    x = [value for value, _, _ in found]
    if terms:
        names = list(found[0][1].estimates)[1:]
        for name, colour in zip(names, COLOURS, strict=False):
            share = [e.estimates[name].mean / e.energy for _, e, _ in found]
            error = [e.estimates[name].error / abs(e.energy) for _, e, _ in found]
            axis.errorbar(x, share, error, fmt="o-", color=colour, markersize=4, label=name)
        axis.set(ylabel="share of the energy")
        axis.legend()
        return
    energy, error = [e.energy for _, e, _ in found], [e.error for _, e, _ in found]
    axis.errorbar(x, energy, error, fmt="o", color=COLOURS[0], label="evaluation")
    exact = [(v, r) for v, _, r in found if r is not None]
    if exact:
        axis.plot(*zip(*exact, strict=True), "--", color=COLOURS[4], label="reference")
        axis.legend()
    axis.set(ylabel="energy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("key", help="key of the job, as system.omega")
    parser.add_argument("run", type=Path, nargs="+", help="run files")
    parser.add_argument("--terms", action="store_true", help="terms as shares of the energy")
    parser.add_argument("--figure", type=Path, help="image to write; default KEY.png")
    options = parser.parse_args()
    found = points(options.run, options.key)
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, axis = plt.subplots(layout="constrained")
        draw(axis, found, options.terms)
        axis.set(xlabel=options.key)
        target = options.figure or Path(f"{options.key}.png")
        figure.savefig(target)
    print(target)


if __name__ == "__main__":
    main()
