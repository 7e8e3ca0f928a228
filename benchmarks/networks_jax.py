"""The peer of benchmarks/networks.py, run by a Python that has jax, folx, netket, flax and optax;
reads names of measurements, answers CPU seconds.
"""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import itertools
import time

import folx
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
WALKERS, BLOCK, OMEGA = 1024, 128, 1.0


def network(weights, x):
    for w, b in weights[:-1]:
        x = jnp.tanh(x @ w + b)
    return (x @ weights[-1][0])[..., 0]


def kinetic(weights, x):
    laplacian, gradient = folx.ForwardLaplacianOperator(0)(lambda y: network(weights, y))(x)
    return -0.5 * (laplacian + (gradient * gradient).sum(-1))


def measurements(widths, dtype):
    """name -> function of no arguments, compiled."""
    rng = np.random.default_rng(1)
    weights = [
        (jnp.asarray(rng.normal(size=(a, b)) / np.sqrt(a), dtype), jnp.zeros(b, dtype))
        for a, b in itertools.pairwise(widths)
    ]
    x, c = jnp.asarray(rng.normal(size=(WALKERS, widths[0])), dtype), jnp.ones(WALKERS, dtype)
    batched = jax.vmap(kinetic, (None, 0))
    one, blocks = (
        jax.jit(batched),
        jax.jit(
            lambda w, y: jax.lax.map(
                lambda z: batched(w, z), y.reshape(-1, BLOCK, widths[0])
            ).reshape(-1)
        ),
    )
    forward, gradient = jax.jit(network), jax.jit(jax.grad(lambda w, y: (c * network(w, y)).sum()))
    return {
        "kinetic": lambda: one(weights, x),
        "kinetic_blocks": lambda: blocks(weights, x),
        "forward": lambda: forward(weights, x),
        "gradient": lambda: gradient(weights, x),
    }


def netket_iteration(particles, hidden, dtype):
    """One step of NetKet's VMC driver: 20 Gaussian Metropolis steps of 1024 chains, energy,
    gradient, Adam.
    """
    import flax.linen as nn
    import netket as nk
    import optax

    class Psi(nn.Module):
        @nn.compact
        def __call__(self, x):
            h = x
            for width in hidden:
                h = jnp.tanh(nn.Dense(width, param_dtype=dtype, dtype=dtype)(h))
            return (
                -0.5 * OMEGA * (x * x).sum(-1)
                + nn.Dense(1, use_bias=False, param_dtype=dtype, dtype=dtype)(h)[..., 0]
            )

    space = nk.experimental.hilbert.Particle(
        N=particles, geometry=nk.experimental.geometry.FreeSpace(d=3)
    )
    energy = nk.operator.KineticEnergy(space, mass=1.0, dtype=dtype) + nk.operator.PotentialEnergy(
        space, lambda x: 0.5 * (x * x).sum(-1), dtype=dtype
    )
    sampler = nk.sampler.MetropolisGaussian(
        space, sigma=0.1, n_chains=WALKERS, sweep_size=20, dtype=dtype
    )
    state = nk.vqs.MCState(
        sampler, Psi(), n_samples=WALKERS, n_discard_per_chain=0, seed=1, sampler_seed=2
    )
    driver = nk.driver.VMC(energy, optax.adam(0.001), variational_state=state)

    def step():
        driver.run(1, out=(), show_progress=False)
        return state.parameters

    return step


def main():
    cases, out = {}, sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    for line in sys.stdin:
        name, widths, bits = line.split()
        key = (name, widths, bits)
        if key not in cases:
            shape, dtype = [int(w) for w in widths.split("-")], getattr(jnp, f"float{bits}")
            cases[key] = (
                netket_iteration(shape[0] // 3, shape[1:-1], dtype)
                if name == "iteration"
                else measurements(shape, dtype)[name]
            )
            for _ in range(3):
                jax.block_until_ready(cases[key]())
        begun = time.process_time()
        jax.block_until_ready(cases[key]())
        print(time.process_time() - begun, file=out, flush=True)


if __name__ == "__main__":
    main()
