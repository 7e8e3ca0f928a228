"""Positions of particles in a double well, drawn from the exact ground state; and how close to it a
Boltzmann machine came that learned them.

    python analysis/double_well_samples.py make runs/double_well_samples.npy [--samples 20000]
    [--seed 1]
    vmcnet run jobs/rbm_double_well_data.toml
    python analysis/double_well_samples.py compare runs/rbm_double_well_data.h5

Two particles without interaction on a line, V(x) = 3 ((x/1.5)^2 - 1)^2 hartree: a sample is (x_1,
x_2). Needs numpy and h5py, not vmcnet.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import h5py
import numpy as np

BARRIER, HALF_DISTANCE, EXTENT, POINTS = 3.0, 1.5, 5.0, 601


def ground_state():
    """Grid x (POINTS,) and density |psi_0|^2 (POINTS,), of integral 1: -(1/2) psi'' + V psi by
    second differences.
    """
    x = np.linspace(-EXTENT, EXTENT, POINTS)
    h = x[1] - x[0]
    potential = BARRIER * ((x / HALF_DISTANCE) ** 2 - 1.0) ** 2
    hamiltonian = np.diag(1.0 / h**2 + potential) - 0.5 / h**2 * (
        np.eye(POINTS, k=1) + np.eye(POINTS, k=-1)
    )
    psi = np.linalg.eigh(hamiltonian)[1][:, 0]
    return x, psi**2 / h


def make(path: Path, samples: int, seed: int) -> None:
    """Write samples (samples, 2), by the inverse of the distribution function."""
    x, density = ground_state()
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))]) * (
        x[1] - x[0]
    )
    drawn = np.interp(
        np.random.default_rng(seed).uniform(size=(samples, 2)), cumulative / cumulative[-1], x
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, drawn)


def log_density(parameters, points):
    """log F/Z (K,) of a machine in the form sqrtF at points (K, M); Z by the 2^N states of the
    hidden units, a Gaussian integral each.
    """
    a, b, weights, square = (
        parameters["a"],
        parameters["b"],
        parameters["weights"],
        float(parameters["width"]) ** 2,
    )
    h = np.array(list(product([0.0, 1.0], repeat=len(b))))
    v = h @ weights.T
    terms = h @ b + (v @ a + 0.5 * (v * v).sum(axis=1)) / square
    log_z = (
        0.5 * len(a) * np.log(2 * np.pi * square)
        + terms.max()
        + np.log(np.exp(terms - terms.max()).sum())
    )
    log_f = np.logaddexp(0.0, b + points @ weights / square).sum(axis=1) - ((points - a) ** 2).sum(
        axis=1
    ) / (2 * square)
    return log_f - log_z


def compare(path: Path) -> float:
    """Kullback-Leibler divergence in nats of the machine in a run file from the exact density, by
    quadrature; printed.
    """
    with h5py.File(path) as file:
        parameters = {
            name: file[f"parameters/{name}"][()] for name in ("a", "b", "weights", "width")
        }
    x, density = (part[::3] for part in ground_state())
    exact = np.outer(density, density)
    log = log_density(
        parameters, np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    ).reshape(exact.shape)
    seen, cell = exact > 1e-30, (x[1] - x[0]) ** 2
    entropy = -(exact[seen] * np.log(exact[seen])).sum() * cell
    likelihood = (exact[seen] * log[seen]).sum() * cell
    print(
        f"mean log-likelihood {likelihood:.4f} nats a sample, of the exact density {-entropy:.4f}: "
        f"Kullback-Leibler divergence {-entropy - likelihood:.4f} nats; "
        f"the machine's probability within |x| < {EXTENT:g}: {np.exp(log).sum() * cell:.6f}"
    )
    return -entropy - likelihood


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("make", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.action == "make":
        make(options.file, options.samples, options.seed)
    else:
        compare(options.file)


if __name__ == "__main__":
    main()
