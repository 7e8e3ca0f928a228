"""Nucleons with four labels: an interaction that exchanges spins and isospins, and the repulsion of
protons.

Labels are those of NUCLEONS; what they mean is looked up, never computed from their values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vmcnet.backend.arrays import Array, namespace
from vmcnet.calculus.jet import pair_arrays
from vmcnet.walkers import Psi, Walkers

# label -> (spin up or down, neutron or proton), as 0 or 1
NUCLEONS = {1: (0, 0), 2: (1, 0), 3: (0, 1), 4: (1, 1)}
_LABEL = np.zeros((2, 2), np.int8)
for _label, _parts in NUCLEONS.items():
    _LABEL[_parts] = _label
_SPIN = np.array([0, *(NUCLEONS[k][0] for k in (1, 2, 3, 4))], np.int8)
_ISOSPIN = np.array([0, *(NUCLEONS[k][1] for k in (1, 2, 3, 4))], np.int8)


def same_spin(a: Array, b: Array) -> Array:
    """1 where two labels have one spin, -1 elsewhere."""
    spin = namespace(a).asarray(_SPIN)
    return 2 * (spin[a] == spin[b]).astype(np.int8) - 1


def same_isospin(a: Array, b: Array) -> Array:
    """1 for two neutrons or two protons, -1 for one of each."""
    isospin = namespace(a).asarray(_ISOSPIN)
    return 2 * (isospin[a] == isospin[b]).astype(np.int8) - 1


def exchanged(s: Array) -> Array:
    """Labels s (W, n) with the spins of a pair exchanged, the isospins, and both: (W, pairs, 3,
    n), pairs i < j.
    """
    xp, (count, n) = namespace(s), s.shape
    i, j = pair_arrays(xp, n)
    spin, isospin, label = (xp.asarray(x) for x in (_SPIN, _ISOSPIN, _LABEL))
    a, b, p = s[:, i], s[:, j], xp.arange(len(i))
    out = xp.broadcast_to(s[:, None, None], (count, len(i), 3, n)).copy()
    out[:, p, 0, i] = label[spin[b], isospin[a]]
    out[:, p, 0, j] = label[spin[a], isospin[b]]
    out[:, p, 1, i] = label[spin[a], isospin[b]]
    out[:, p, 1, j] = label[spin[b], isospin[a]]
    out[:, p, 2, i], out[:, p, 2, j] = b, a
    return out


class NucleonPairs:
    """sum_{i<j} [u_s(r_ij) (1 - S)(1 + T)/4 + u_t(r_ij) (1 + S)(1 - T)/4] psi/psi of every walker,
    (W,), S and T the exchange of two spins and of two isospins: u_s for singlets of spin that are
    triplets of isospin, u_t for the reverse.

    functions: separations (W, pairs, d), numpy or cupy, to u (W, pairs), energies.
    """

    name = "nucleon_pairs"
    exchanges = True

    def __init__(self, singlet: Any, triplet: Any) -> None:
        self._singlet, self._triplet = singlet, triplet

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        r, s = walkers.r, walkers.s
        i, j = pair_arrays(namespace(r), r.shape[1])
        apart = r[:, i] - r[:, j]
        us, ut = 0.25 * self._singlet(apart), 0.25 * self._triplet(apart)
        configurations = exchanged(s).reshape(len(s), -1, s.shape[1])
        ratios = psi.label_ratios(walkers, configurations).reshape(len(s), len(i), 3)
        spin, isospin, both = (ratios[:, :, k] for k in range(3))
        return (us * (1 - spin + isospin - both) + ut * (1 + spin - isospin - both)).sum(axis=1)


class ProtonRepulsion:
    """strength sum over pairs of protons of F(r)/r of every walker, (W,), F = 1 - (1 + 11 x/16 +
    3 x^2/16 + x^3/48) exp(-x), x = rate r: charges spread as dipoles.

    Wiringa, Stoks, Schiavilla, Phys. Rev. C 51, 38 (1995), for the form with rate 4.27/fm.
    """

    name = "coulomb"

    def __init__(self, strength: float, rate: float) -> None:
        self._strength, self._rate = float(strength), float(rate)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        r, s, xp = walkers.r, walkers.s, namespace(walkers.r)
        i, j = pair_arrays(xp, r.shape[1])
        proton = xp.asarray(_ISOSPIN)[s] == 1
        distance = xp.sqrt(((r[:, i] - r[:, j]) ** 2).sum(axis=-1))
        x = self._rate * distance
        spread = 1.0 - (1.0 + x * (11.0 / 16.0 + x * (3.0 / 16.0 + x / 48.0))) * xp.exp(-x)
        return self._strength * xp.where(proton[:, i] & proton[:, j], spread / distance, 0.0).sum(
            axis=1
        )


class NucleonKinetic:
    """-sum_i (1/2m_i) (lap_i log psi + |grad_i log psi|^2) of every walker, (W,), m_i the mass of a
    neutron or of a proton as the label of i says; masses in 1/(energy length^2).
    """

    name = "kinetic"

    def __init__(self, neutron: float, proton: float) -> None:
        self._units = tuple(np.array([neutron, proton]) ** -0.5)

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        xp, s = namespace(walkers.r), walkers.s
        neutron, proton = self._units
        units = xp.where(xp.asarray(_ISOSPIN)[s] == 1, proton, neutron).astype(walkers.r.dtype)
        _, gradient, laplacian = psi.jet(walkers, units)
        return -0.5 * (laplacian + (gradient * gradient).sum(axis=0))


class CentreOfMassTrap:
    """(1/2) K R^2 - (d/2) q of every walker, (W,), R the mean of all positions: the term that binds
    R in exp(-R^2/2b^2), without changing what is inside.

    q = sum_i 1/(m_i n^2 b^2) and K = q/b^2; b = `length`, masses (n,) in 1/(energy length^2). Where
    they differ, kinetic energy couples R to what is inside, with mean zero.
    """

    name = "centre_of_mass"

    def __init__(self, length: float, masses: Any) -> None:
        self._length, self._inverse = float(length), float((1.0 / np.asarray(masses)).sum())

    def local(self, walkers: Walkers, psi: Psi) -> Array:
        _, n, d = walkers.r.shape
        quantum = self._inverse / (n * self._length) ** 2
        x = walkers.r.mean(axis=1) / self._length
        return 0.5 * quantum * ((x * x).sum(axis=1) - d)
