"""Critical transverse-field chain of 40 spins: CPU seconds from process start to a relative error
of 3e-4, here and in NetKet.

    python benchmarks/time_to_accuracy.py [--peer PYTHON_OF_NETKET] [--seeds 3] [--target 3e-4]
    [--iterations 1000]
                                          [--rate 0.1] [--shift 3e-3] [--sweeps 2]

A Boltzmann machine with alpha = 1, 1024 walkers, natural gradients: the same walkers, sweeps,
shift, step and starting width in both; in NetKet by SR with conjugate gradients and by minSR.
Arrived is a run when the mean energy of its last WINDOW iterations is within the target of the
exact energy. Every run is a process of its own on one core, imports and compilation included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from one_core import keep_to_one_core

SITES, WALKERS, WARMUP, SPREAD, WINDOW, EXACT = 40, 1024, 20, 0.01, 20, -50.9426741
ONE = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}


class Watch:
    """Collects energies; `arrived` once their running mean is close enough, with the CPU seconds of
    the process until then.
    """

    def __init__(self, target):
        self.target, self.energies, self.arrived, self.first = target, [], None, None

    def add(self, energy) -> bool:
        self.energies.append(energy)
        if self.first is None:
            self.first = time.process_time()
        last = self.energies[-WINDOW:]
        if (
            self.arrived is None
            and len(last) == WINDOW
            and abs(sum(last) / WINDOW / EXACT - 1) <= self.target
        ):
            self.arrived = {
                "iterations": len(self.energies),
                "seconds": time.process_time(),
                "first": self.first,
            }
        return self.arrived is not None

    def result(self):
        missed = sum(self.energies[-WINDOW:]) / WINDOW / EXACT - 1
        return self.arrived or {
            "iterations": len(self.energies),
            "seconds": None,
            "first": self.first,
            "error": abs(missed),
            "spent": time.process_time(),
        }


def own_side(options, watch):
    from vmcnet.engine.population import Population
    from vmcnet.engine.training import STOP, initial_state, run_training
    from vmcnet.optimizers import SGD, MinSR
    from vmcnet.parallel.communicators import SerialCommunicator
    from vmcnet.sampling.defaults import default_sampler
    from vmcnet.systems import TransverseIsing
    from vmcnet.wavefunctions import BinaryRBM

    system = TransverseIsing([SITES])
    psi, optimizer, natural = (
        BinaryRBM(system, spread=SPREAD),
        SGD(options.rate),
        MinSR(options.shift),
    )
    people = Population(
        system, psi, default_sampler(system, psi), SerialCommunicator(), options.seed, WALKERS, 128
    )
    people.start()
    stop = [0]

    def record(phase, done, total, row):
        if phase == "training" and watch.add(row["energy"]):
            stop[0] = STOP

    run_training(
        people,
        optimizer,
        initial_state(psi, optimizer, options.seed, 1.0, natural),
        iterations=options.iterations,
        steps=options.sweeps,
        warmup=WARMUP,
        record=record,
        save=lambda state: None,
        poll=lambda: stop[0],
        natural=natural,
    )


def netket_side(options, watch):
    import jax
    import netket as nk
    import optax

    hilbert = nk.hilbert.Spin(0.5, SITES)
    hamiltonian = nk.operator.IsingJax(hilbert, nk.graph.Chain(SITES), h=1.0, J=-1.0)
    sampler = nk.sampler.MetropolisLocal(
        hilbert, n_chains=WALKERS, sweep_size=options.sweeps * SITES
    )
    start = jax.nn.initializers.normal(SPREAD)
    model = nk.models.RBM(
        alpha=1,
        param_dtype=float,
        kernel_init=start,
        hidden_bias_init=start,
        visible_bias_init=start,
    )
    vs = nk.vqs.MCState(
        sampler, model, n_samples=WALKERS, n_discard_per_chain=WARMUP, seed=options.seed
    )
    descent = optax.sgd(
        options.rate / 2
    )  # NetKet divides by S what is twice F/2: half the rate is the same step
    if options.side == "cg":
        sr = nk.optimizer.SR(diag_shift=options.shift, solver=jax.scipy.sparse.linalg.cg)
        driver = nk.driver.VMC(hamiltonian, descent, variational_state=vs, preconditioner=sr)
    else:
        driver = nk.driver.VMC_SR(
            hamiltonian, descent, variational_state=vs, diag_shift=options.shift, use_ntk=True
        )
    vs.sample()
    vs.n_discard_per_chain = 0
    for _ in range(options.iterations):
        driver.reset_step()
        stats, step = driver.compute_loss_and_update()
        driver.update_parameters(step)
        if watch.add(float(stats.mean.real)):
            break


def main() -> None:
    keep_to_one_core()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer")
    for name, kind, default in (
        ("seeds", int, 3),
        ("target", float, 3e-4),
        ("iterations", int, 1000),
        ("rate", float, 0.1),
        ("shift", float, 3e-3),
        ("sweeps", int, 2),
        ("seed", int, 1),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--side", choices=("own", "cg", "minsr"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        answers, sys.stdout = sys.stdout, sys.stderr
        watch = Watch(options.target)
        (own_side if options.side == "own" else netket_side)(options, watch)
        print(json.dumps(watch.result()), file=answers)
        return
    sides = {"own": ("vmcnet, minSR", sys.executable)}
    if options.peer:
        sides |= {
            "cg": ("NetKet, SR with conjugate gradients", options.peer),
            "minsr": ("NetKet, minSR", options.peer),
        }
    found = {side: [] for side in sides}
    for seed in range(1, options.seeds + 1):
        for side, (title, python) in sides.items():
            words = [python, __file__, "--side", side, "--seed", str(seed)]
            for name in ("target", "iterations", "rate", "shift", "sweeps"):
                words += [f"--{name}", str(getattr(options, name))]
            done = subprocess.run(
                words,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=True,
                env={**os.environ, **ONE},
            )
            told = json.loads(done.stdout)
            found[side].append(told["seconds"])
            end = (
                f"{told['seconds']:.1f} CPU s"
                if told["seconds"]
                else f"not arrived: {told['error']:.1e} after {told['spent']:.1f} CPU s"
            )
            print(
                f"{title:<38} seed {seed}: {told['iterations']} iterations, first after "
                f"{told['first']:.1f} s, {end}",
                flush=True,
            )
    for side in sides:
        if side != "own" and all(found["own"]) and all(found[side]):
            print(f"{sides[side][0]}: {sum(found[side]) / sum(found['own']):.1f} times our time")


if __name__ == "__main__":
    main()
