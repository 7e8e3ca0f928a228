"""One column of benchmarks/gpu.py: the parts on a device of vmcnet.

    python gpu_column.py gpu|stand-in|cpu small|full FOLDER UNTIL PART ...

The arrays of the fermions are written to FOLDER, where the peer finds them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from one_core import keep_to_one_core  # isort: skip

import fermions
import gpu_parts as g
import numpy as np

import vmcnet as vmc
from vmcnet import kernels
from vmcnet.backend.device import Device, choose
from vmcnet.engine.population import Population
from vmcnet.engine.training import initial_state, run_training
from vmcnet.parallel.communicators import SerialCommunicator
from vmcnet.sampling.defaults import default_sampler

w, o = vmc.wavefunctions, vmc.optimizers


def training(system, psi, device, walkers, block, steps, optimizer, natural=None):
    """A function that trains one iteration more on `device`."""
    people = Population(
        system, psi, default_sampler(system, psi), SerialCommunicator(), 1, walkers, block, device
    )
    people.start()
    state = initial_state(psi, optimizer, 1, 0.2, natural)

    def one():
        run_training(
            people,
            optimizer,
            state,
            iterations=state.iteration + 1,
            steps=steps,
            warmup=0,
            natural=natural,
            record=lambda *a: None,
            save=lambda *a: None,
            poll=lambda: 0,
        )

    return one


def adam_and_minsr(*arguments) -> dict:
    """Functions that train one iteration more; few parameters hardly move."""
    minsr = training(*arguments, o.SGD(0.001), o.MinSR(1e-3))
    return {g.ITERATION: training(*arguments, o.Adam(0.001)), g.NATURAL: minsr}


def lattice(s, device) -> dict:
    system = vmc.systems.TransverseIsing([s["sites"]])
    psi = w.BinaryRBM(system, alpha=1)
    return adam_and_minsr(system, psi, device, s["walkers"], s["block"], 1)


def network(s, device) -> dict:
    system = vmc.systems.TrappedBosons(s["particles"])
    psi = w.GaussianEnvelope(system) * w.FeedForward(system, s["layers"])
    return adam_and_minsr(system, psi, device, s["walkers"], s["block"], s["steps"])


def pieces(s, device, part, folder) -> dict:
    """log psi, log-derivatives and kinetic energy, and an iteration."""
    count = s["fermions"]
    made = fermions.Case(part, np.float64, Path(folder), count).functions(count, device)
    system, psi = fermions.iteration_parts(part)
    block, natural = max(1, count // 4), o.SPRING(1e-3, momentum=0.95)
    rows = {g.LOG: made["log"], g.GRADIENT: made["gradient"], g.KINETIC: made["kinetic"]}
    one = training(system, psi, device, count, block, 10, o.SGD(0.02), natural)
    return rows | {g.ITERATION: one}


def determinants(s, device) -> dict:
    rng, rows = np.random.default_rng(1), {}
    for count, m in s["matrices"]:
        x = device.xp.asarray(rng.normal(size=(count, m, m)))
        slogdet = kernels.of(device.xp, x.dtype).slogdet
        rows[f"{count} of {m} x {m}"] = lambda x=x, slogdet=slogdet: slogdet(x)
        if device.xp is not np:
            library = f"{count} of {m} x {m}, the library's"
            rows[library] = lambda x=x: device.xp.linalg.slogdet(x)
    return rows


def about(device) -> str:
    words = f"vmcnet {vmc.__version__}, NumPy {np.__version__}"
    if device.xp is np:
        return words
    if not hasattr(device.xp, "cuda"):  # the stand-in has no such module
        return f"{words}, no card: the stand-in for CuPy"
    runtime = device.xp.cuda.runtime
    name = runtime.getDeviceProperties(0)["name"].decode()
    return f"{words}, {name}, CuPy {device.xp.__version__}, CUDA {runtime.runtimeGetVersion()}"


def main() -> None:
    kind, size, folder, until, *names = sys.argv[1:]
    if kind == "stand-in":
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        from tests.device import fakecupy

        device = Device(fakecupy)
    else:
        device = choose(kind)
    keep_to_one_core()
    s = g.sizes(size == "small")
    parts = {
        g.LATTICE: lambda: lattice(s, device),
        g.NETWORK: lambda: network(s, device),
        g.DOT: lambda: pieces(s, device, g.DOT, folder),
        g.GAS: lambda: pieces(s, device, g.GAS, folder),
        g.LU: lambda: determinants(s, device),
    }
    g.tell(about=about(device))
    card = kind == "gpu"
    wait = device.xp.cuda.get_current_stream().synchronize if card else lambda: None
    g.work(parts, names, wait, float(until))


if __name__ == "__main__":
    main()
