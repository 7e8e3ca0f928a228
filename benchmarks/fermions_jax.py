"""The peer of benchmarks/fermions.py, run by a Python that has jax and folx: the same
message-passing determinant with the same weights. Reads a file of arrays, then names of
measurements; answers CPU seconds, or for `values` a file of log psi and kinetic energies.
"""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import time

import jax
import jax.numpy as jnp
import numpy as np

try:
    import folx
except ImportError:
    folx = None  # kinetic energies by loops of Hessian-vector products alone

jax.config.update("jax_enable_x64", True)
CLOCK = time.process_time if os.environ["JAX_PLATFORMS"] == "cpu" else time.perf_counter


class Psi:
    """log |psi| of one walker r (n, d), from the arrays of one of our wavefunctions."""

    def __init__(self, data, dtype):
        self.w = {k: jnp.asarray(data[k], dtype) for k in data.files if k.startswith("w/")}
        self.r = jnp.asarray(data["r"], dtype)
        self.s = np.asarray(data["s"])
        self.n, self.d = self.r.shape[1:]
        self.passes, self.length = int(data["passes"]), float(data["length"])
        self.box = None if not data["box"].size else jnp.asarray(data["box"], dtype)
        self.orbitals = {
            k: jnp.asarray(data[k], dtype) for k in data.files if k.startswith("orbital/")
        }
        self.i, self.j = np.triu_indices(self.n, 1)

    def pair_features(self, r):
        apart = r[self.i] - r[self.j]
        spins = jnp.asarray(self.s[self.i] * self.s[self.j], r.dtype)[:, None]
        if self.box is None:
            x = apart / self.length
            square = (x * x).sum(-1, keepdims=True)
            odd, even = x / jnp.sqrt(1 + square), [square / (1 + jnp.sqrt(square)) * 0.5]
        else:
            half = apart * (jnp.pi / self.box)
            sine = jnp.sin(half)
            far = jnp.sqrt((sine * sine).sum(-1, keepdims=True))
            odd, even = jnp.sin(2 * half), [1 - 2 * sine * sine, far * far / (0.2 + far)]
        if len(set(self.s.tolist())) > 1:
            even.append(spins)
        return jnp.concatenate([odd, *even], -1), jnp.concatenate([-odd, *even], -1)

    def collect(self, first, second):
        zero = jnp.zeros((self.n, first.shape[-1]), first.dtype)
        return zero.at[self.i].add(first).at[self.j].add(second)

    def hidden(self, w, r):
        c = 1 / np.sqrt(self.n)
        first, second = (
            jnp.tanh(x @ w["w/pair_weights"] + w["w/pair_bias"]) for x in self.pair_features(r)
        )
        h = None
        if self.box is None:
            x = r / self.length
            one = jnp.concatenate([x, 0.5 * (x * x).sum(-1, keepdims=True)], -1)
            h = jnp.tanh(one @ w["w/one_weights"] + w["w/one_bias"])
        for t in range(1, self.passes + 1):
            e, g = (
                jnp.tanh(x @ w[f"w/edge{t}_weights"] + w[f"w/edge{t}_bias"])
                for x in (first, second)
            )
            if h is None:
                m = self.collect(e, g)
                h = jnp.tanh(c * m @ w[f"w/message{t}_weights"] + w[f"w/update{t}_bias"])
            else:
                v = h @ w[f"w/value{t}_weights"]
                m = self.collect(e * v[self.j], g * v[self.i])
                z = h @ w[f"w/own{t}_weights"] + c * m @ w[f"w/message{t}_weights"]
                h = h + jnp.tanh(z + w[f"w/update{t}_bias"])
        return h

    def matrix(self, x):
        """Orbitals (n, m) at x (n, d): cosines of a box, or Hermite functions of a trap."""
        o = self.orbitals
        if self.box is not None:
            return jnp.cos(x @ o["orbital/k"] + o["orbital/phase"])
        y = x * o["orbital/scale"]
        powers = jnp.stack([y**p for p in range(o["orbital/hermite"].shape[1])])
        hermite = jnp.einsum("kp,pic->kic", o["orbital/hermite"], powers)
        numbers = np.asarray(o["orbital/numbers"], int)
        out = 1.0
        for k in range(self.d):
            out = out * hermite[numbers[:, k], :, k].T
        return out

    def log(self, w, r):
        h = self.hidden(w, r)
        x = r + self.length * h @ w["w/backflow"]
        phi, total = self.matrix(x), (h @ w["w/jastrow"]).sum()
        if self.box is None:
            total = total - 0.5 * self.orbitals["orbital/scale"] ** 2 * (r * r).sum()
        for label in (1, -1):
            rows = np.flatnonzero(self.s == label)
            if len(rows):
                total = total + jnp.linalg.slogdet(phi[rows][:, : len(rows)])[1]
        return total


def measurements(psi):
    def kinetic(sparsity):
        def one(w, r):
            operator = folx.ForwardLaplacianOperator(sparsity)(lambda y: psi.log(w, y))
            laplacian, gradient = operator(r)
            return -0.5 * (laplacian + (gradient * gradient).sum())

        return jax.jit(jax.vmap(one, (None, 0)))

    def loop(w, r):
        flat, shape = r.reshape(-1), r.shape
        slope, derivative = jax.linearize(jax.grad(lambda y: psi.log(w, y.reshape(shape))), flat)
        eye = jnp.eye(flat.size, dtype=flat.dtype)
        laplacian = jax.lax.fori_loop(
            0, flat.size, lambda k, total: total + derivative(eye[k])[k], jnp.zeros((), flat.dtype)
        )
        return -0.5 * (laplacian + (slope * slope).sum())

    batched = jax.jit(jax.vmap(psi.log, (None, 0)))
    derivatives = jax.jit(jax.vmap(jax.grad(psi.log), (None, 0)))
    looped = jax.jit(jax.vmap(loop, (None, 0)))
    made = {
        "log": lambda: batched(psi.w, psi.r),
        "gradient": lambda: derivatives(psi.w, psi.r),
        "kinetic_loop": lambda: looped(psi.w, psi.r),
    }
    if folx is not None:
        dense, sparse = kinetic(0), kinetic(6)
        made["kinetic_dense"] = lambda: dense(psi.w, psi.r)
        made["kinetic_sparse"] = lambda: sparse(psi.w, psi.r)
    return made


def main():
    out, cases = sys.stdout, {}
    sys.stdout = sys.stderr  # what libraries print is no answer
    for line in sys.stdin:
        name, path, bits = line.split()
        key = path, bits
        if key not in cases:
            cases[key] = measurements(Psi(np.load(path), getattr(jnp, f"float{bits}"))), set()
        functions, warm = cases[key]
        if name == "values":
            np.savez(
                path.replace(".npz", ".values.npz"),
                log=functions["log"](),
                kinetic=functions["kinetic_loop"](),
            )
            print(0.0, file=out, flush=True)
            continue
        if name not in warm:
            for _ in range(2):
                jax.block_until_ready(functions[name]())
            warm.add(name)
        begun = CLOCK()
        jax.block_until_ready(functions[name]())
        print(CLOCK() - begun, file=out, flush=True)


if __name__ == "__main__":
    main()
