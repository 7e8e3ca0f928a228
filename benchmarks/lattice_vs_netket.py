"""Transverse-field chain, real RBM: this engine against NetKet, the same parameters in both, one
core, CPU seconds.

    python benchmarks/lattice_vs_netket.py --peer PYTHON_OF_NETKET [--sites 100] [--alpha 1]
    [--spread 0.01] [--walkers 1024] [--repeats 9] [--natural]

Measures, in one run and in turns, the minimum of `repeats`: one sweep of N flips of all walkers,
all local energies, a full Adam iteration (sweep, energies, gradient, step), and with --natural a
full natural-gradient iteration with the same shift: SR by conjugate gradients (tolerance 1e-5 in
both) and minSR, the best of each, the share of the linear solve in ours, and, from the peer's own
samples, that the update is the same. `spread` is the width of the random parameters: 0.01 gives an
acceptance near 0.98, 0.06 one near 0.5. The peer runs in its own process, with its own interpreter,
and answers by a line a measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from one_core import keep_to_one_core

ONE = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}
SHIFT, RATE = 0.01, 0.01


def timed(action) -> float:
    begun = time.process_time()
    action()
    return time.process_time() - begun


def netket_side(options, parameters):
    """What each measurement does in NetKet."""
    import jax
    import netket as nk
    import numpy as np
    import optax

    n, alpha, walkers = options.sites, options.alpha, options.walkers
    hilbert = nk.hilbert.Spin(0.5, n)
    graph = nk.graph.Chain(n)
    hamiltonian = nk.operator.IsingJax(hilbert, graph, h=1.0, J=-1.0)

    def state():
        sampler = nk.sampler.MetropolisLocal(hilbert, n_chains=walkers, sweep_size=n)
        vs = nk.vqs.MCState(
            sampler,
            nk.models.RBM(alpha=alpha, param_dtype=float),
            n_samples=walkers,
            n_discard_per_chain=0,
            seed=1,
        )
        vs.parameters = {
            "Dense": {
                "kernel": jax.numpy.asarray(parameters["weights"]),
                "bias": jax.numpy.asarray(parameters["b"]),
            },
            "visible_bias": jax.numpy.asarray(parameters["a"]),
        }
        return vs

    def iterate(driver):
        """What one step of driver.run does, without its log."""
        driver.reset_step()
        _, step = driver.compute_loss_and_update()
        driver.update_parameters(step)
        jax.block_until_ready(driver.state.parameters)

    vs = state()
    actions = {"sweep": lambda: jax.block_until_ready(vs.sample())}
    actions["local energies"] = lambda: jax.block_until_ready(vs.local_estimators(hamiltonian))
    adam = nk.driver.VMC(hamiltonian, optax.adam(RATE), variational_state=state())
    actions["Adam iteration"] = lambda: iterate(adam)
    if options.natural:
        # NetKet divides by S what is twice F/2: half the rate is the same step
        sr = nk.optimizer.SR(diag_shift=SHIFT, solver=jax.scipy.sparse.linalg.cg)
        first = nk.driver.VMC(
            hamiltonian, optax.sgd(RATE / 2), variational_state=state(), preconditioner=sr
        )
        actions["natural: conjugate gradients"] = lambda: iterate(first)
        second = nk.driver.VMC_SR(
            hamiltonian,
            optax.sgd(RATE / 2),
            variational_state=state(),
            diag_shift=SHIFT,
            use_ntk=True,
        )
        actions["natural: minSR"] = lambda: iterate(second)

    def updates():
        """name -> samples (W, n) at the starting parameters and the update made of them (P,)."""
        out = {}
        for name, driver in (
            (("conjugate gradients", first), ("minSR", second)) if options.natural else ()
        ):
            driver.state.parameters = state().parameters
            driver.reset_step()
            _, step = driver.compute_loss_and_update()
            flat = [
                np.asarray(x).ravel()
                for x in (step["visible_bias"], step["Dense"]["bias"], step["Dense"]["kernel"])
            ]
            out[name] = {
                "samples": np.asarray(driver.state.samples).reshape(walkers, n).tolist(),
                "update": np.concatenate(flat).tolist(),
            }
        return out

    versions = f"NetKet {nk.__version__}, jax {jax.__version__}"
    return (
        actions,
        {"acceptance": lambda: float(vs.sampler_state.acceptance), "updates": updates},
        versions,
    )


def own_side(options, parameters):
    """What each measurement does here."""
    import numpy as np

    import vmcnet
    from vmcnet.engine.population import TRAINING, Population
    from vmcnet.engine.training import initial_state, run_training
    from vmcnet.optimizers import SGD, SRCG, Adam, MinSR, natural_gradient
    from vmcnet.parallel.communicators import SerialCommunicator
    from vmcnet.sampling.defaults import default_sampler
    from vmcnet.systems import TransverseIsing
    from vmcnet.wavefunctions import BinaryRBM

    system = TransverseIsing([options.sites])
    psi = BinaryRBM(system, alpha=options.alpha)
    theta = psi.layout.pack({k: np.asarray(v) for k, v in parameters.items()})
    accepted = []

    def population():
        made = Population(
            system,
            psi,
            default_sampler(system, psi),
            SerialCommunicator(),
            1,
            options.walkers,
            min(128, options.walkers),
        )
        made.start()
        made.iteration = 0
        return made

    people = population()

    def sweep():
        summary, _ = people.advance(theta, TRAINING, people.iteration, 1, 1.0, measure=False)
        people.iteration += 1
        accepted.append(summary.accepted / summary.tried)

    bound = psi.bind(theta)

    def energies():
        return [
            system.terms[name].local(walkers, bound)
            for walkers in people.members.values()
            for name in system.terms
        ]

    def iterations(optimizer, **rest):
        trained = population()
        state = initial_state(psi, optimizer, 1, 1.0, **rest)
        state.theta = theta.copy()

        def one():
            run_training(
                trained,
                optimizer,
                state,
                iterations=state.iteration + 1,
                steps=1,
                warmup=0,
                record=lambda *a: None,
                save=lambda *a: None,
                poll=lambda: 0,
                **rest,
            )

        return one

    def update(samples):
        """What minSR makes of given samples: the exact solution of (S + shift) d = F/2."""
        there = population()
        s = np.array(samples, np.int8).reshape(there.blocks, there.block, -1)
        there.load(np.zeros((*s.shape, 0)), s)
        summary, energies = there.advance(theta, TRAINING, 0, 0, 1.0)
        return MinSR(shift=SHIFT).direction(
            there.tangents(theta, there.weights(summary, energies)), {}, 0
        )[0]

    solving, metric = [0.0], natural_gradient.ShiftedMetric

    def clocked(method):
        def timed_method(*arguments):
            begun = time.process_time()
            found = method(*arguments)
            solving[0] += time.process_time() - begun
            return found

        return timed_method

    metric._solved = clocked(metric._solved)
    actions = {"sweep": sweep, "local energies": energies, "Adam iteration": iterations(Adam(RATE))}
    if options.natural:
        for name, natural in (
            ("conjugate gradients", SRCG(shift=SHIFT, tolerance=1e-5)),
            ("minSR", MinSR(shift=SHIFT)),
        ):
            actions[f"natural: {name}"] = iterations(SGD(RATE), natural=natural)
    rest = {"acceptance": lambda: float(np.mean(accepted)), "update": update, "solving": solving}
    return actions, rest, f"vmcnet {vmcnet.__version__}, NumPy {np.__version__}"


def serve(options) -> None:
    """The peer's process: a name a line comes in, the CPU seconds of that measurement go out."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what the peer prints is no answer
    with open(options.parameters) as file:
        actions, rest, versions = netket_side(options, json.load(file))
    for action in actions.values():
        action()
        action()
    print(json.dumps({"names": list(actions), "versions": versions}), file=answers, flush=True)
    for line in sys.stdin:
        name = line.strip()
        print(
            json.dumps(rest[name]() if name in rest else timed(actions[name])),
            file=answers,
            flush=True,
        )


def main() -> None:
    keep_to_one_core()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer")
    for name, kind, default in (
        ("sites", int, 100),
        ("alpha", int, 1),
        ("walkers", int, 1024),
        ("repeats", int, 9),
        ("spread", float, 0.01),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--natural", action="store_true")
    parser.add_argument("--parameters", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.parameters:
        serve(options)
        return
    if not options.peer:
        parser.error("--peer: the Python interpreter of an environment with NetKet")
    import numpy as np

    rng, n = np.random.default_rng(5), options.sites
    draw = {"a": (n,), "b": (options.alpha * n,), "weights": (n, options.alpha * n)}
    parameters = {
        k: (options.spread * rng.normal(size=shape)).tolist() for k, shape in draw.items()
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(parameters, file)
        file.flush()
        words = [
            options.peer,
            __file__,
            "--parameters",
            file.name,
            *(["--natural"] if options.natural else []),
        ]
        for name in ("sites", "alpha", "walkers"):
            words += [f"--{name}", str(getattr(options, name))]
        peer = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE},
        )
        told = json.loads(peer.stdout.readline())

        def ask(name):
            peer.stdin.write(name + "\n")
            peer.stdin.flush()
            return json.loads(peer.stdout.readline())

        actions, rest, versions = own_side(options, parameters)
        for action in actions.values():
            action()
            action()
        ours, solved, theirs = (
            {k: [] for k in names} for names in (actions, actions, told["names"])
        )
        for _ in range(options.repeats):
            for name in dict.fromkeys([*actions, *told["names"]]):
                if name in actions:
                    before = rest["solving"][0]
                    ours[name].append(timed(actions[name]))
                    solved[name].append(rest["solving"][0] - before)
                if name in theirs:
                    theirs[name].append(ask(name))
        print(
            f"{versions}; {told['versions']}; N = {n}, alpha = {options.alpha}, {options.walkers} "
            f"walkers, spread {options.spread}; "
            f"acceptance {rest['acceptance']():.3f} here, {ask('acceptance'):.3f} there; CPU "
            f"milliseconds, minimum of {options.repeats}"
        )
        for name, made in ask("updates").items():
            own, other = rest["update"](made["samples"]), np.array(made["update"])
            factor = (own @ other) / (own @ own)
            print(
                f"  the peer's {name} on its own samples: {factor:.4f} times our update, the rest "
                f"{np.linalg.norm(other - factor * own) / np.linalg.norm(other):.1e} of it"
            )
        peer.stdin.close()
        peer.wait()
    for name in dict.fromkeys([*ours, *theirs]):
        here = f"{1e3 * min(ours[name]):9.2f}" if name in ours else "        -"
        there = f"{1e3 * min(theirs[name]):9.2f}" if name in theirs else "        -"
        ratio = (
            f"{min(theirs[name]) / min(ours[name]):7.1f} x"
            if name in ours and name in theirs
            else ""
        )
        share = (
            f"   solve {100 * min(solved[name]) / min(ours[name]):.0f} %"
            if min(solved.get(name, [0.0]))
            else ""
        )
        print(f"  {name:<30}{here}{there}{ratio}{share}")
    natural = [
        min(min(v) for k, v in side.items() if k.startswith("natural"))
        for side in (ours, theirs)
        if any(k.startswith("natural") for k in side)
    ]
    if len(natural) == 2:
        print(
            f"  best natural-gradient iteration {1e3 * natural[0]:.2f} {1e3 * natural[1]:.2f} "
            f"{natural[1] / natural[0]:.1f} x"
        )


if __name__ == "__main__":
    main()
