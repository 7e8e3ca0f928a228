"""Strong and weak scaling: measured on a few ranks, fitted, extrapolated to 4096.

  python analysis/scaling.py measure docs/scaling.json [--ranks 1 2]     runs itself under the
  environment's mpiexec
  python analysis/scaling.py plot docs/scaling.json docs/scaling.svg       fits, prints the numbers,
  draws

The model of one training iteration of w = W/R walkers on each of R ranks, P parameters, L = log2 R
rounded up:

  walkers  c1 w                         moves, energy and gradient of the own walkers
  calls    c0 + k ceil(w/call)          Python: an iteration's, and that of calls of so many walkers
  repeated q P                          every rank: exponents and limbs, the optimizer's step
  rows     m w/64 + L (s + a)           the own blocks, then L rounds with one other rank each
  sums     2 L a + 20 P b               two all-reduces: 16 and 64 bits a parameter, in and out

c0, k, c1 from CPU seconds of one rank, q, m and s (Python's part of a round) from the parts alone,
a (latency of a step) and b (seconds a byte) from collectives timed alone on two ranks.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BLOCK, PARAMETERS, RANKS = 64, 10_000, 4096
SIZES = (1, 100, 10_000, 300_000)
SECONDS = 3.0  # of the iterations of a case, where 7 to 40 of them take that
CASES = {  # numbers of walkers that are measured
    "two electrons": (64, 256, 1024, 2048, 4096),
    "six electrons, network": (64, 256, 512),
    "twelve electrons, network": (64, 256, 512),
}
NETWORKS = {  # latency and seconds a byte
    "as measured here, shared memory": (None, None),
    "1.5 us, 10 GB/s a rank": (1.5e-6, 1e-10),
    "3 us, 1 GB/s a rank": (3e-6, 1e-9),
    "20 us, 0.1 GB/s a rank": (2e-5, 1e-8),
}


def least(function, repeats, clock=time.perf_counter):
    """The least seconds of a call."""
    found = []
    for _ in range(repeats):
        begun = clock()
        function()
        found.append(clock() - begun)
    return min(found)


def training(case, walkers, comm):
    """A function that trains one iteration more, and its population."""
    import vmcnet as vmc
    from vmcnet.engine.fitting import fit
    from vmcnet.engine.population import Population
    from vmcnet.engine.training import initial_state, run_training

    w = vmc.wavefunctions
    if case == "two electrons":
        system = vmc.systems.QuantumDot(2)
        psi = w.GaussianRBM(system, hidden=4) * w.PadeJastrow(system)
    else:
        system = vmc.systems.QuantumDot(6 if "six" in case else 12)
        network = w.MessagePassing(width=16 if "six" in case else 32, passes=2)
        psi = w.Slater(system, network=network) * w.PadeJastrow(system)
    people = Population(system, psi, fit(system, psi, None), comm, 1, walkers, BLOCK)
    people.start()
    optimizer = vmc.optimizers.Adam(0.001)
    state = initial_state(psi, optimizer, 1, 0.5 * system.length)

    def step():
        run_training(
            people,
            optimizer,
            state,
            iterations=state.iteration + 1,
            steps=10,
            warmup=0,
            record=lambda *a: None,
            save=lambda s: None,
            poll=lambda: 0,
        )

    return step, people


def iterations(comm):
    for case, sizes in CASES.items():
        for walkers in sizes:
            if walkers < BLOCK * comm.size:
                continue
            step, people = training(case, walkers, comm)
            step()  # log psi by handles, then written down, then repeated
            step()
            once = comm.broadcast(least(step, 1))
            repeats = max(7, min(40, int(SECONDS / once)))
            cpu, wall, communication = [], [], []
            for _ in range(repeats):
                before, begun, used = comm.seconds, time.perf_counter(), time.process_time()
                step()
                cpu.append(time.process_time() - used)
                wall.append(time.perf_counter() - begun)
                communication.append(comm.seconds - before)
            best = int(np.argmin(wall))
            yield {
                "case": case,
                "walkers": walkers,
                "call": BLOCK * people.together,
                "cpu": min(cpu),
                "seconds": wall[best],
                "communication": communication[best],
            }


def collectives(comm):
    from vmcnet.parallel.exact_sum import exact_sum

    for size in SIZES:
        shares, times = np.random.default_rng(comm.rank).normal(size=(1, size)), []
        for _ in range(20 if size > 100_000 else 400):
            comm.broadcast(None)
            before = comm.seconds
            exact_sum(comm, shares, comm.size)
            times.append(comm.seconds - before)
        # 16 and 64 bits a parameter, in and out
        yield {"parameters": size, "bytes": 20 * size, "seconds": float(min(times))}


def parts():
    """What one process can measure of 4096 ranks: the seconds of merging a row, of a rank's part of
    a round, of merging the rows of all ranks at once; and of what is repeated, a parameter.
    """
    import vmcnet as vmc
    from vmcnet.estimators.energy import Row
    from vmcnet.kernels.numba_merge import merge
    from vmcnet.parallel.communicators import SerialCommunicator, owned_blocks
    from vmcnet.parallel.exact_sum import exact_sum, merged_rows
    from vmcnet.parallel.tree import plan_of

    row, comm = Row("abc"), SerialCommunicator()
    rows, one = np.ones((RANKS, row.length)), np.ones((1, row.length))
    merged_rows(comm, rows.copy(), RANKS, row.kinds)
    plan = plan_of(1234, RANKS, 8 * RANKS, lambda r: owned_blocks(r, RANKS, 8 * RANKS))

    def rounds():
        own = one
        for meeting in plan.rounds:
            both = np.empty((meeting.rows, row.length))
            both[meeting.mine] = own
            both[meeting.theirs] = one
            merge(both, meeting.pairs, row.kinds)
            own = both[meeting.left]

    theta, shares = np.ones(PARAMETERS), np.random.default_rng(1).normal(size=(1, PARAMETERS))
    optimizer = vmc.optimizers.Adam(0.001)
    state = optimizer.start(PARAMETERS)

    def repeated():
        optimizer.step(exact_sum(comm, shares, 4), state, 0, theta)

    repeated()
    all_rows = least(lambda: merged_rows(comm, rows, RANKS, row.kinds), 40)
    return {
        "rows of 4096 ranks": all_rows,
        "row": all_rows / RANKS,
        "round": least(rounds, 400) / len(plan.rounds),
        "parameter": least(repeated, 200) / PARAMETERS,
    }


def worker():
    """One rank of a measurement; rank 0 prints a line of JSON."""
    import vmcnet as vmc

    comm = vmc.connect()
    found = {"iterations": list(iterations(comm)), "collectives": list(collectives(comm))}
    if comm.size == 1:
        found["parts"] = parts()
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


def relative(rows, values):
    """Least squares of relative errors; no coefficient below 0 stays."""
    a, values = np.array(rows, float), np.array(values)
    kept = list(range(a.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(a[:, kept] / values[:, None], np.ones(len(values)), rcond=None)
        if (found >= 0).all():
            out = np.zeros(a.shape[1])
            out[kept] = found
            return out
        del kept[int(np.argmin(found))]


def fit(measured, case):
    """c0, k, c1, call, q, m, s, a, b of a case."""
    alone = next(m for m in measured if m["ranks"] == 1)
    two = next(m for m in measured if m["ranks"] == 2)
    own = [i for i in alone["iterations"] if i["case"] == case]
    calls = [np.ceil(i["walkers"] / i["call"]) for i in own]
    rows = [(1.0, n, i["walkers"]) for i, n in zip(own, calls, strict=True)]
    c0, k, c1 = relative(rows, [i["cpu"] for i in own])
    a, b = relative(
        [(2.0, c["bytes"]) for c in two["collectives"]],
        [c["seconds"] for c in two["collectives"]],
    )
    known = alone["parts"]
    found = {"c0": c0, "k": k, "c1": c1, "q": known["parameter"], "m": known["row"]}
    return {**found, "s": known["round"], "a": a, "b": b}, own[-1]["call"]


def predicted(p, call, walkers, ranks, parameters=PARAMETERS):
    """Seconds of an iteration, part by part."""
    rounds, own = np.ceil(np.log2(ranks)), walkers / ranks
    return {
        "walkers": p["c1"] * own,
        "calls": p["c0"] + p["k"] * np.ceil(own / call),
        "repeated": p["q"] * parameters,
        "rows": p["m"] * own / BLOCK + rounds * (p["s"] + p["a"]),
        "sums": 2.0 * rounds * p["a"] + 20.0 * parameters * p["b"] * (ranks > 1),
    }


def efficiencies(p, call, ranks):
    """Strong, 64 walkers a rank at 4096 ranks, and weak, 512 walkers a rank."""
    one = sum(predicted(p, call, RANKS * BLOCK, 1).values())
    strong = one / sum(predicted(p, call, RANKS * BLOCK, ranks).values()) / ranks
    base = sum(predicted(p, call, 512, 1).values())
    return strong, base / sum(predicted(p, call, 512 * ranks, ranks).values())


def own_share(p, call, walkers):
    """Strong efficiency on 4096 ranks with so many walkers a rank."""
    one = sum(predicted(p, call, RANKS * walkers, 1).values())
    return one / RANKS / sum(predicted(p, call, RANKS * walkers, RANKS).values())


def tables(measured, fits):
    for case, (p, call) in fits.items():
        print(f"{case}, calls of {call}: " + ", ".join(f"{n} = {v:.3g} s" for n, v in p.items()))
    print("\n| case | ranks | walkers | CPU, ms | elapsed, ms | in messages, ms | model, ms |")
    print("|---|---|---|---|---|---|---|")
    for m in measured:
        for i in m["iterations"]:
            p, call = fits[i["case"]]
            model = sum(predicted(p, call, i["walkers"], m["ranks"], 0).values())
            times = (i["cpu"], i["seconds"], i["communication"], model)
            listed = " | ".join(f"{1e3 * t:.2f}" for t in times)
            print(f"| {i['case']} | {m['ranks']} | {i['walkers']} | {listed} |")
    names = list(predicted(*next(iter(fits.values())), 512, 1))
    print(
        f"\n| case | ranks | strong | weak | weak: {', '.join(names)}, ms |\n|---|---|---|---|---|"
    )
    for case, fitted in fits.items():
        for r in 4 ** np.arange(7):
            strong, weak = efficiencies(*fitted, r)
            found = predicted(*fitted, 512 * r, r)
            listed = ", ".join(f"{1e3 * x:.2f}" for x in found.values())
            print(f"| {case} | {r} | {strong:.3f} | {weak:.3f} | {listed} |")
    titles = " | ".join(f"{case}: strong, weak" for case in fits)
    print(f"\n| network | {titles} |\n|---|{'---|' * len(fits)}")
    for name, (a, b) in NETWORKS.items():
        found = [
            efficiencies({**p, "a": a or p["a"], "b": b or p["b"]}, call, RANKS)
            for p, call in fits.values()
        ]
        print(f"| {name} | {' | '.join(f'{s:.2f}, {w:.2f}' for s, w in found)} |")
    for case, fitted in fits.items():
        enough = next(n for n in BLOCK * 2 ** np.arange(12) if own_share(*fitted, n) >= 0.7)
        print(f"\n{case}: strong efficiency of 0.7 on 4096 ranks from {enough} walkers a rank on")
    simulated = next(m["parts"] for m in measured if "parts" in m)
    print("\n" + ", ".join(f"{name} {1e6 * x:.4g} us" for name, x in simulated.items()))


def plot(path, figure):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    measured = json.loads(path.read_text())
    fits = {case: fit(measured, case) for case in CASES}
    tables(measured, fits)
    ranks = 2 ** np.arange(13)
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), constrained_layout=True, sharey=True)
    for axis, (case, fitted) in zip(axes, fits.items(), strict=True):
        for k, (name, style) in enumerate((("strong", "--"), ("weak", "-"))):
            values = [efficiencies(*fitted, r)[k] for r in ranks]
            axis.semilogx(ranks, values, style, color="k", base=2, label=name)
        axis.set(xlabel="ranks", title=case, ylim=(0, 1.05))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("efficiency")
    axes[0].legend(title="strong: 262 144 walkers\nweak: 512 a rank", fontsize=8, title_fontsize=8)
    fig.savefig(figure)


def main():
    parser = argparse.ArgumentParser(
        description="Scaling of a training iteration: measure, fit, extrapolate."
    )
    parser.add_argument("what", choices=("measure", "plot", "worker"))
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2])
    options = parser.parse_args()
    wanted = {"measure": 1, "plot": 2, "worker": 0}[options.what]
    if len(options.paths) != wanted:
        parser.error(f"{options.what}: expected {wanted} paths, got {len(options.paths)}")
    if options.what == "plot" and not options.paths[0].is_file():
        parser.error(f"{options.paths[0]}: no such file")
    if options.what == "worker":
        worker()
    elif options.what == "measure":
        measure(options.paths[0], options.ranks)
    else:
        plot(options.paths[0], options.paths[1])


if __name__ == "__main__":
    main()
