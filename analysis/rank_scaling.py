"""Speed-up over ranks, from run files of one job.

    for n in 1 2 4; do mpiexec -n $n vmcnet run job.toml --output runs/ranks$n.h5; done
    python analysis/rank_scaling.py runs/ranks*.h5 [--figure rank_scaling.png]

The median time of an iteration, and the share of it in MPI calls, waiting included. Runs need an
otherwise idle machine with a core for every rank. docs/scaling.md has a model up to 4096 ranks.
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


def measured(path: Path) -> tuple[int, float, float]:
    """Ranks, median seconds of an iteration, share of communication."""
    run = vmc.open_run(path)
    if not run.file.rows:
        raise SystemExit(f"{path}: no training yet")
    seconds, waiting = run.training["seconds"], run.training["communication"]
    return int(run.attributes["ranks"]), float(np.median(seconds)), waiting.sum() / seconds.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="+", help="run files of one job, ranks differ")
    parser.add_argument("--figure", type=Path, default=Path("rank_scaling.png"))
    options = parser.parse_args()
    found = sorted(map(measured, options.run))
    ranks, seconds, shares = map(np.array, zip(*found, strict=True))
    first = seconds[0] * ranks[0]  # of one rank, or what it would be at ideal scaling
    for n, time, share in found:
        speed = first / time
        print(
            f"{n:>5} ranks  {1e3 * time:8.2f} ms an iteration  speed-up {speed:6.2f}  "
            f"efficiency {speed / n:.2f}  communication {100 * share:.0f} %"
        )
    with plt.rc_context({**STYLE, "savefig.transparent": False}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
        left.loglog(ranks, ranks, "--", color=COLOURS[1], base=2, label="ideal")
        left.loglog(ranks, first / seconds, "o-", color=COLOURS[0], base=2, label="measured")
        ticks = {"xticks": ranks, "xticklabels": ranks, "yticks": ranks, "yticklabels": ranks}
        left.set(xlabel="ranks", ylabel="speed-up", **ticks)
        left.legend()
        right.semilogx(ranks, 100 * shares, "o-", color=COLOURS[0], base=2)
        right.set(xlabel="ranks", ylabel="time in MPI calls (%)", ylim=(0, None))
        right.set(xticks=ranks, xticklabels=ranks)
        figure.savefig(options.figure)
    print(options.figure)


if __name__ == "__main__":
    main()
