"""Strong and weak scaling: measured on a few ranks, fitted, extrapolated to 4096.

  python analysis/scaling.py measure docs/scaling.json [--ranks 1 2 4]     runs itself under the
  environment's mpiexec
  python analysis/scaling.py plot docs/scaling.json docs/scaling.svg       fits, prints the numbers,
  draws

The model of one training iteration of W walkers in B blocks, P parameters, R ranks (K terms, L =
log2 R rounded up):

  compute  c0 + c1 W/R                  c0: what every rank does once, c1: a walker's moves, energy
  and gradient
  merge    m B                          every rank merges the rows of all blocks, in order
  gather   L a + 8 B (13 + 2 (K + 1)) b one all-gather, its rows travel once
  sums     2 L a + 32 P b               two all-reduces of P integers, in and out

a: latency of a step, b: seconds a byte; both are fitted to collectives timed alone.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BLOCK, ITERATIONS, TERMS = 64, 12, 3
SIZES = (1, 100, 10_000, 300_000)


def worker():
    """One rank of a measurement; rank 0 prints a line of JSON."""
    import vmcnet as vmc
    from vmcnet.estimators.energy import Row
    from vmcnet.parallel.exact_sum import exact_sum

    comm, found = vmc.connect(), {"iterations": [], "collectives": []}
    for walkers in (512, 2048):
        system = vmc.systems.QuantumDot(2)
        psi = vmc.wavefunctions.GaussianRBM(system, hidden=4) * vmc.wavefunctions.PadeJastrow(
            system
        )
        result = vmc.train(
            system,
            psi,
            optimizer=vmc.optimizers.Adam(0.01),
            iterations=ITERATIONS,
            walkers=walkers,
            block=BLOCK,
            warmup=2,
            seed=1,
            comm=comm,
        )
        best = int(np.argmin(result.series["seconds"]))
        found["iterations"].append(
            {
                "walkers": walkers,
                "parameters": psi.layout.size,
                "seconds": float(result.series["seconds"][best]),
                "communication": float(result.series["communication"][best]),
            }
        )
    for size in SIZES:
        shares, times = np.random.default_rng(comm.rank).normal(size=(1, size)), []
        for _ in range(20 if size > 100_000 else 400):
            comm.broadcast(None)
            before = comm.seconds
            exact_sum(comm, shares, comm.size)
            times.append(comm.seconds - before)
        found["collectives"].append({"parameters": size, "seconds": float(min(times))})
    row = Row({"a": None, "b": None, "c": None})
    rows = np.ones((4096, row.length))
    begun = time.perf_counter()
    _ = row.read(rows).energy
    found["merge"] = (time.perf_counter() - begun) / len(rows)
    if comm.rank == 0:
        print(json.dumps({"ranks": comm.size, **found}))


def measure(path, ranks):
    launcher, out = Path(sys.executable).with_name("mpiexec"), []
    for count in ranks:
        done = subprocess.run(
            [str(launcher), "-n", str(count), sys.executable, __file__, "worker"],
            capture_output=True,
            text=True,
            check=True,
        )
        out.append(json.loads(done.stdout.splitlines()[-1]))
    path.write_text(json.dumps(out, indent=1) + "\n")


def fit(measured, cores):
    """c0, c1, m, a, b from the measurements on no more ranks than cores."""
    fair = [m for m in measured if m["ranks"] <= cores]
    rows = [
        (
            (1.0, i["walkers"] / m["ranks"]),
            i["seconds"] - i["communication"] - m["merge"] * i["walkers"] / BLOCK,
        )
        for m in fair
        for i in m["iterations"]
    ]
    compute, *_ = np.linalg.lstsq(
        np.array([r for r, _ in rows]) / np.array([[t] for _, t in rows]),
        np.ones(len(rows)),
        rcond=None,
    )
    rows = [
        ((2.0 * np.ceil(np.log2(m["ranks"])), 32.0 * c["parameters"]), c["seconds"])
        for m in fair
        if m["ranks"] > 1
        for c in m["collectives"]
    ]
    network, *_ = np.linalg.lstsq(
        np.array([r for r, _ in rows]) / np.array([[t] for _, t in rows]),
        np.ones(len(rows)),
        rcond=None,
    )
    return {
        "c0": max(compute[0], 0.0),
        "c1": compute[1],
        "m": min(m["merge"] for m in fair),
        "a": max(network[0], 1e-7),
        "b": max(network[1], 1e-12),
    }


def predicted(p, walkers, parameters, ranks, block=BLOCK):
    """Seconds of an iteration: compute, merge, communication."""
    rounds, blocks = np.ceil(np.log2(ranks)), walkers / block
    gather = rounds * p["a"] + 8.0 * blocks * (13 + 2 * (TERMS + 1)) * p["b"] * (ranks > 1)
    sums = 2.0 * rounds * p["a"] + 32.0 * parameters * p["b"] * (ranks > 1)
    return p["c0"] + p["c1"] * walkers / ranks, p["m"] * blocks, gather + sums


def plot(path, figure, cores):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    measured = json.loads(path.read_text())
    p = fit(measured, cores)
    print("fit: " + ", ".join(f"{k} = {v:.3g} s" for k, v in p.items()))
    print(
        "| ranks | walkers | measured, ms | communication, ms | model, ms |\n|---|---|---|---|---|"
    )
    for m in measured:
        for i in m["iterations"]:
            print(
                f"| {m['ranks']} | {i['walkers']} | {1e3 * i['seconds']:.2f} | "
                f"{1e3 * i['communication']:.2f} | "
                f"{1e3 * sum(predicted(p, i['walkers'], i['parameters'], m['ranks'])):.2f} |"
            )
    ranks = 2 ** np.arange(13)
    strong = [predicted(p, 4096 * BLOCK, 10_000, r) for r in ranks]
    weak = [predicted(p, 512 * r, 10_000, r) for r in ranks]
    print(
        "| ranks | strong: efficiency | weak: efficiency | weak: compute, merge, communication, ms "
        "|\n|---|---|---|---|"
    )
    for r, s, w in zip(ranks, strong, weak, strict=True):
        print(
            f"| {r} | {sum(strong[0]) / sum(s) / r:.3f} | {sum(weak[0]) / sum(w):.3f} | "
            f"{', '.join(f'{1e3 * x:.2f}' for x in w)} |"
        )
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    for axis, series, title in (
        (axes[0], strong, f"strong: {4096 * BLOCK} walkers"),
        (axes[1], weak, "weak: 512 walkers a rank"),
    ):
        for k, (name, style) in enumerate(
            (("compute", "-"), ("merge", "--"), ("communication", ":"))
        ):
            axis.loglog(ranks, [max(s[k], 1e-7) for s in series], style, color="0.4", label=name)
        axis.loglog(ranks, [sum(s) for s in series], "k-", lw=2, label="iteration")
        axis.set(xlabel="ranks", ylabel="seconds", title=title)
    for m in measured:
        big = m["iterations"][-1]
        if m["ranks"] <= cores:
            axes[0].loglog(
                m["ranks"],
                big["seconds"] * 4096 * BLOCK / big["walkers"],
                "o",
                color="C3",
                mfc="none",
                label=f"measured at {big['walkers']} walkers, scaled" if m["ranks"] == 1 else None,
            )
    axes[0].legend(fontsize=7)
    fig.savefig(figure)


def main():
    parser = argparse.ArgumentParser(
        description="Scaling of a training iteration: measure, fit, extrapolate."
    )
    parser.add_argument("what", choices=("measure", "plot", "worker"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument(
        "--cores", type=int, default=2, help="measurements on more ranks are shown, not fitted"
    )
    options = parser.parse_args()
    if options.what == "worker":
        worker()
    elif options.what == "measure":
        measure(options.paths[0], options.ranks)
    else:
        plot(options.paths[0], options.paths[1], options.cores)


if __name__ == "__main__":
    main()
