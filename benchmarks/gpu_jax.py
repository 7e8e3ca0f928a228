"""The peer of benchmarks/gpu.py, run by a Python that has jax (and folx, without which kinetic
energies are loops of Hessian-vector products): the same parts with the same sizes, on jax's default
device.

    python gpu_jax.py small|full FOLDER UNTIL PART ...

FOLDER holds the fermions' arrays. An iteration of fermions is put together from 10 evaluations of
log psi, the fastest kinetic energy and the log-derivatives, without Coulomb energies and solver.
"""

from __future__ import annotations

import itertools
import os
import sys
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import fermions_jax
import gpu_parts as g
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

jax.config.update("jax_enable_x64", True)
RATE, SHIFT = 0.001, 1e-3


def adam(theta, gradient, state):
    """One step of Adam; state (count, mean, mean square)."""
    count, mean, square = state
    count = count + 1
    mean = jax.tree.map(lambda m, x: 0.9 * m + 0.1 * x, mean, gradient)
    square = jax.tree.map(lambda m, x: 0.999 * m + 0.001 * x * x, square, gradient)

    def step(t, m, v):
        m, v = m / (1 - 0.9**count), v / (1 - 0.999**count)
        return t - RATE * m / (jnp.sqrt(v) + 1e-8)

    return jax.tree.map(step, theta, mean, square), (count, mean, square)


def minsr(theta, rows, energy):
    """One step along the natural gradient, through the Gram matrix of dense log-derivatives; rows:
    those of every walker, (W, ...) each.
    """
    walkers = len(energy)
    o = jnp.concatenate([x.reshape(walkers, -1) for x in jax.tree.leaves(rows)], axis=1)
    o = (o - o.mean(axis=0)) / jnp.sqrt(walkers)
    f = (energy - energy.mean()) / jnp.sqrt(walkers)
    factor = jax.scipy.linalg.cho_factor(o @ o.T + SHIFT * jnp.eye(walkers))
    way = ravel_pytree(theta)[1](o.T @ jax.scipy.linalg.cho_solve(factor, f))
    return jax.tree.map(lambda t, d: t - RATE * d, theta, way)


def repeated(step, *state):
    """A function that makes one step more, and gives its energy; step(*state) -> energy and the
    state after it.
    """
    kept = [state]

    def one():
        energy, *after = step(*kept[0])
        kept[0] = tuple(jax.block_until_ready(after))
        if not np.isfinite(energy):
            raise FloatingPointError("the energy is not finite")
        return float(energy)

    return one


def started(theta):
    zero = jax.tree.map(jnp.zeros_like, theta)
    return (jnp.zeros(()), zero, zero)


def lattice(s: dict) -> dict:
    """The transverse-field chain with a real Boltzmann machine, as many hidden units as sites."""
    n, walkers = s["sites"], s["walkers"]
    rng = np.random.default_rng(1)
    theta = {
        "a": jnp.zeros(n),
        "b": jnp.asarray(0.01 * rng.normal(size=n)),
        "w": jnp.asarray(0.01 * rng.normal(size=(n, n))),
    }
    spins = jnp.asarray(rng.choice([-1.0, 1.0], size=(walkers, n)))

    def logcosh(x):
        return jnp.logaddexp(x, -x)

    def changed(theta, spins, angles, site):
        """log psi(s') - log psi(s) of the flip of a site, and the angles after it."""
        turned = angles - 2 * spins[:, site, None] * theta["w"][site]
        change = (logcosh(turned) - logcosh(angles)).sum(-1)
        return change - 2 * theta["a"][site] * spins[:, site], turned

    def sampled(theta, spins, key):
        """Spins after a sweep, angles, local energies."""
        key, one, two = jax.random.split(key, 3)
        sites = jax.random.randint(one, (n,), 0, n)
        limits = jnp.log(jax.random.uniform(two, (n, walkers)))
        angles = spins @ theta["w"] + theta["b"]

        def proposed(k, now):
            spins, angles = now
            change, turned = changed(theta, spins, angles, sites[k])
            accept = limits[k] < 2 * change
            flipped = jnp.where(accept, -spins[:, sites[k]], spins[:, sites[k]])
            return spins.at[:, sites[k]].set(flipped), jnp.where(accept[:, None], turned, angles)

        spins, angles = jax.lax.fori_loop(0, n, proposed, (spins, angles))

        def flip(total, site):
            return total - jnp.exp(changed(theta, spins, angles, site)[0]), None

        energy = -(spins * jnp.roll(spins, 1, axis=1)).sum(-1)
        energy, _ = jax.lax.scan(flip, energy, jnp.arange(n))
        return spins, angles, energy, key

    @jax.jit
    def step(theta, state, spins, key):
        spins, angles, energy, key = sampled(theta, spins, key)
        weight, slope = 2 * (energy - energy.mean()) / walkers, jnp.tanh(angles)
        weighed = weight[:, None] * spins
        gradient = {"a": weighed.sum(0), "b": weight @ slope, "w": weighed.T @ slope}
        theta, state = adam(theta, gradient, state)
        return energy.mean(), theta, state, spins, key

    @jax.jit
    def natural(theta, spins, key):
        spins, angles, energy, key = sampled(theta, spins, key)
        slope = jnp.tanh(angles)
        rows = {"a": spins, "b": slope, "w": spins[:, :, None] * slope[:, None]}
        return energy.mean(), minsr(theta, rows, energy), spins, key

    return {
        g.ITERATION: repeated(step, theta, started(theta), spins, jax.random.key(1)),
        g.NATURAL: repeated(natural, theta, spins, jax.random.key(1)),
    }


def kinetic_of(log):
    """-1/2 (lap log psi + |grad log psi|^2) of one walker x (n d,)."""
    if fermions_jax.folx is not None:
        operator = fermions_jax.folx.ForwardLaplacianOperator(0)

        def kinetic(x):
            laplacian, gradient = operator(log)(x)
            return -0.5 * (laplacian + (gradient * gradient).sum())

        return kinetic

    def looped(x):
        slope, derivative = jax.linearize(jax.grad(log), x)
        one = jnp.eye(x.size, dtype=x.dtype)
        laplacian = jax.lax.fori_loop(
            0, x.size, lambda k, total: total + derivative(one[k])[k], jnp.zeros((), x.dtype)
        )
        return -0.5 * (laplacian + (slope * slope).sum())

    return looped


def network(s: dict) -> dict:
    """Bosons in a trap: a Gaussian times the exponential of a network."""
    n, walkers, widths = s["particles"], s["walkers"], [3 * s["particles"], *s["layers"], 1]
    rng = np.random.default_rng(1)
    layers = [
        (jnp.asarray(rng.normal(size=(a, b)) / np.sqrt(a)), jnp.zeros(b))
        for a, b in itertools.pairwise(widths)
    ]
    layers[-1] = (0.01 * layers[-1][0],)  # a constant in log psi would be no parameter
    theta = {"alpha": jnp.asarray(0.9, jnp.float64), "layers": layers}
    x = jnp.asarray(rng.normal(size=(walkers, 3 * n)) / np.sqrt(2))

    def log(theta, x):
        h = x
        for w, b in theta["layers"][:-1]:
            h = jnp.tanh(h @ w + b)
        return n * (h @ theta["layers"][-1][0])[..., 0] - 0.5 * theta["alpha"] * (x * x).sum(-1)

    def sampled(theta, x, key):
        """Coordinates after moves, local energies."""
        key, one, two = jax.random.split(key, 3)
        noise = 0.1 * jax.random.normal(one, (s["steps"], *x.shape))
        limits = jnp.log(jax.random.uniform(two, (s["steps"], walkers)))

        def moved(now, drawn):
            x, old = now
            shift, limit = drawn
            trial = x + shift
            new = log(theta, trial)
            accept = limit < 2 * (new - old)
            return (jnp.where(accept[:, None], trial, x), jnp.where(accept, new, old)), None

        (x, _), _ = jax.lax.scan(moved, (x, log(theta, x)), (noise, limits))
        return x, jax.vmap(kinetic_of(lambda y: log(theta, y)))(x) + 0.5 * (x * x).sum(-1), key

    @jax.jit
    def step(theta, state, x, key):
        x, energy, key = sampled(theta, x, key)
        weight = 2 * (energy - energy.mean()) / walkers
        gradient = jax.grad(lambda t: (weight * log(t, x)).sum())(theta)
        theta, state = adam(theta, gradient, state)
        return energy.mean(), theta, state, x, key

    @jax.jit
    def natural(theta, x, key):
        x, energy, key = sampled(theta, x, key)
        rows = jax.vmap(lambda y: jax.grad(log)(theta, y))(x)
        return energy.mean(), minsr(theta, rows, energy), x, key

    return {
        g.ITERATION: repeated(step, theta, started(theta), x, jax.random.key(1)),
        g.NATURAL: repeated(natural, theta, x, jax.random.key(1)),
    }


def fermions(path: str) -> dict:
    """log psi, log-derivatives, kinetic energy and an iteration of a determinant under a message-
    passing network.
    """
    made = fermions_jax.measurements(fermions_jax.Psi(np.load(path), jnp.float64))

    def ready(name):
        return lambda: jax.block_until_ready(made[name]())

    kinetic = min((k for k in made if k.startswith("kinetic")), key=lambda k: quick(ready(k)))

    def iteration():
        for _ in range(10):
            made["log"]()
        jax.block_until_ready((made[kinetic](), made["gradient"]()))

    return {
        g.LOG: ready("log"),
        g.GRADIENT: ready("gradient"),
        g.KINETIC: ready(kinetic),
        g.ITERATION: iteration,
    }


def quick(function) -> float:
    """Seconds of the second call; infinite where it fails."""
    try:
        function()
        begun = time.perf_counter()
        function()
        return time.perf_counter() - begun
    except Exception as error:
        print(g.said(error), file=sys.stderr)
        return float("inf")


def determinants(s: dict) -> dict:
    slogdet, rng, rows = jax.jit(jnp.linalg.slogdet), np.random.default_rng(1), {}
    for count, m in s["matrices"]:
        x = jnp.asarray(rng.normal(size=(count, m, m)))
        rows[f"{count} of {m} x {m}"] = lambda x=x: jax.block_until_ready(slogdet(x))
    return rows


def main() -> None:
    size, folder, until, *names = sys.argv[1:]
    s = g.sizes(size == "small")
    parts = {
        g.LATTICE: lambda: lattice(s),
        g.NETWORK: lambda: network(s),
        g.DOT: lambda: fermions(f"{folder}/{g.DOT}.npz"),
        g.GAS: lambda: fermions(f"{folder}/{g.GAS}.npz"),
        g.LU: lambda: determinants(s),
    }
    device = jax.devices()[0]
    g.tell(about=f"jax {jax.__version__} on {device.device_kind}")
    g.work(parts, names, lambda: None, float(until))


if __name__ == "__main__":
    main()
