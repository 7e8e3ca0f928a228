"""Small spin lattices in full: all configurations, the dense Hamiltonian, psi on every
configuration, chi-square of samples.
"""

from itertools import product

import numpy as np
from scipy.stats import chi2

from vmcnet.systems import Heisenberg, TransverseIsing
from vmcnet.walkers import Walkers

X, Z = np.array([[0, 1], [1, 0]], complex), np.diag([1, -1]).astype(complex)
Y = np.array([[0, -1j], [1j, 0]])


def pauli(n, **sites):
    """Product of Pauli matrices on n spins by Kronecker products: pauli(3, x=[0], z=[2])."""
    factors = [np.eye(2, dtype=complex) for _ in range(n)]
    for letter, where in sites.items():
        for i in where:
            factors[i] = factors[i] @ {"x": X, "y": Y, "z": Z}[letter]
    out = np.eye(1)
    for factor in factors:
        out = np.kron(out, factor)
    return out


def states(n):
    """All configurations (2^n, n) in the order of Kronecker products: spin up (+1) first."""
    return np.array(list(product([1, -1], repeat=n)), np.int8)


def dense(system, s):
    """H on the configurations s (D, n) from Pauli matrices, written without the package's terms;
    Marshall's turn as a similarity.
    """
    n, lattice, p = system.particles, system.lattice, system_parameters(system)
    h = np.zeros((2**n, 2**n), complex)
    if isinstance(system, TransverseIsing):
        for i, j in lattice.shells[0].tolist():
            h -= p["coupling"] * pauli(n, z=[i, j])
        for i in range(n):
            h -= abs(p["field"]) * pauli(n, x=[i]) + p["longitudinal"] * pauli(n, z=[i])
    else:
        for shell, j, jz in zip(
            lattice.shells,
            (p["coupling"], p["second"]),
            (p["coupling"] * p["anisotropy"], p["second"]),
            strict=False,
        ):
            for a, b in shell.tolist():
                h += 0.25 * (
                    j * (pauli(n, x=[a, b]) + pauli(n, y=[a, b])) + jz * pauli(n, z=[a, b])
                )
        for i in range(n):
            h -= 0.5 * p["field"] * pauli(n, z=[i])
        if system.turned is not None:
            turn = np.ones(1)
            for i in range(n):
                turn = np.kron(turn, np.where(system.turned[i] > 0, 1, [1, -1]))
            h = turn[:, None] * h * turn
    assert np.abs(h.imag).max() < 1e-14
    index = [int("".join("01"[spin < 0] for spin in row), 2) for row in s.tolist()]
    return h.real[np.ix_(index, index)]


def system_parameters(system):
    import inspect

    defaults = {
        k: v.default for k, v in inspect.signature(type(system).__init__).parameters.items()
    }
    return {**defaults, **system.made_with}


def made(kind, *arguments, **options):
    """A system that remembers what it was made with, for `dense`."""
    system = kind(*arguments, **options)
    system.made_with = options
    return system


def lattice_cases():
    return {
        "chain": made(TransverseIsing, [6], field=0.7, longitudinal=0.3),
        "open 2x3": made(TransverseIsing, [2, 3], field=1.4, coupling=-0.6, periodic=False),
        "ising graph": made(
            TransverseIsing, sites=5, edges=[[0, 1], [1, 2], [2, 0], [3, 4]], field=-0.8
        ),
        "heisenberg chain": made(Heisenberg, [8]),
        "xxz open chain": made(
            Heisenberg, [7], anisotropy=0.4, magnetisation=1, periodic=False, field=0.3
        ),
        "j1-j2 chain": made(Heisenberg, [6], second=0.5),
        "j1-j2, no turn": made(Heisenberg, [6], second=0.5, marshall=False, full_space=True),
        "3x3 frustrated": made(Heisenberg, [3, 3], magnetisation=1, marshall=False),
    }


def sector(system):
    s = states(system.particles)
    return s if system.magnetisation is None else s[s.sum(axis=1) == system.magnetisation]


def walkers_of(s):
    return Walkers(np.zeros((len(s), s.shape[1], 0)), s)


def evaluated_whole(psi, theta):
    """psi at theta without its local updates: every log psi anew."""
    bound = psi.bind(theta)
    bound.rule = None
    return bound


def amplitudes(psi, theta, s):
    """psi (D,) on the configurations, scaled so that its largest modulus is 1."""
    log = psi.bind(theta).log(walkers_of(s).r, s)
    return np.exp(log - log.real.max())


def exact_energy(system, psi, theta, s=None):
    """<psi|H|psi>/<psi|psi> over all configurations."""
    s = sector(system) if s is None else s
    amplitude = amplitudes(psi, theta, s)
    return (amplitude.conj() @ dense(system, s) @ amplitude).real / np.vdot(
        amplitude, amplitude
    ).real


def chi_square(samples, s, probability):
    """Chi-square of samples (W, n) against probabilities of the configurations s (D, n), and its
    0.1 % quantile; rare ones are pooled.
    """
    weights = 1 << np.arange(s.shape[1])
    codes = (s > 0) @ weights
    order = np.argsort(codes)
    place = np.searchsorted(codes[order], (samples > 0) @ weights)
    counts, expected = (
        np.bincount(place, minlength=len(s)).astype(float),
        len(samples) * probability[order],
    )
    rare = expected < 8
    if rare.any():
        counts, expected = (
            np.append(counts[~rare], counts[rare].sum()),
            np.append(expected[~rare], expected[rare].sum()),
        )
    return ((counts - expected) ** 2 / expected).sum(), chi2.ppf(0.999, len(expected) - 1)
