"""Neutron matter of a Slater determinant with backflow and pair excitations, by a program that
shares nothing with the engine: NumPy alone, every psi one complex determinant of all neutrons whose
labels may be anything, derivatives by differences of psi, image sums in three dimensions, sums over
triples, a sampler of its own.

A run file is read with h5py. Constants: Schiavilla et al., Phys. Rev. C 103, 054003 (2021), as used
by Fore et al., Phys. Rev. Research 5, 033062 (2023), eqs. 1 to 4.
"""

import tomllib
from itertools import combinations, product

import h5py
import numpy as np

from tests.exact.independent_excitations import excitations, plane_waves
from tests.exact.independent_network import hidden

HBAR_C, MASS = 197.3269804, 939.56542  # MeV fm, MeV
C01, R1 = -5.27518671, 1.8304  # fm^2, fm
PION, CUTOFF, C_E, R3 = 92.4, 1000.0, 1.0786, 1.0  # MeV, MeV, 1, fm


def images(x, length, radius):
    """sum_m exp(-|x + m L|^2/R^2) of separations x (..., 3) over the 125 nearest cells."""
    x = x - length * np.round(x / length)
    out = 0.0
    for m in product(range(-2, 3), repeat=3):
        out = out + np.exp(-((x + length * np.array(m)) ** 2).sum(axis=-1) / radius**2)
    return out


class Neutrons:
    """psi and H of n neutrons in a cube of so many a fm^3; values: parameters by name."""

    def __init__(self, n, density, values, shells=0, passes=2):
        self.n, self.v, self.passes = n, values, passes
        self.length = (n / density) ** (1 / 3)
        self.unit = (3 / (4 * np.pi * density)) ** (1 / 3)  # radius of one neutron's sphere, fm
        self.spins = np.repeat([1, -1], n // 2)
        self.occupied, self.virtual = plane_waves(n // 2, shells)
        self.classes = excitations(self.occupied, self.virtual) if shells else []
        self.coefficients = np.asarray(values.get("excitations", ()))
        assert len(self.classes) == len(self.coefficients)

    @classmethod
    def read(cls, path):
        """The state of a run file."""
        with h5py.File(path) as file:
            values = {k: np.asarray(v) for k, v in file["parameters"].items()}
            job = tomllib.loads(file.attrs["job"])
        system, (psi,) = job["system"], job["wavefunction"]
        network = psi["network"]
        assert system["type"] == "neutron_matter" and system["model"] == "o"
        assert (network["activation"], network["edges"]) == ("tanh", "filter")
        return cls(
            system["particles"], system["density"], values, psi["excitations"], network["passes"]
        )

    def hidden(self, r, s):
        """States (W, n, F) of the network."""
        v = {k.removeprefix("network_"): x for k, x in self.v.items()}
        return hidden(v, r, s, self.length, self.passes)

    def waves(self, r, s, h, integers):
        """exp(i k.x) of the moved neutrons (W, n, 2 waves): those up in the first half of the
        columns, those down in the second, 0 elsewhere.
        """
        x = r + self.unit * h @ self.v["backflow"]
        phi = np.exp(2j * np.pi / self.length * x @ np.array(integers).T)
        up = (s > 0)[:, :, None]
        return np.concatenate([phi * up, phi * ~up], axis=-1)

    def psi(self, r, s):
        """A complex phase and log|psi|, (W,) each, of r (W, n, 3) and labels s (W, n)."""
        phase, log = np.empty(len(r), complex), np.empty(len(r))
        for at in range(0, len(r), 32):
            part = slice(at, at + 32)
            phase[part], log[part] = self._psi(r[part], s[part])
        return phase, log

    def _psi(self, r, s):
        h = self.hidden(r, s)
        jastrow = (h @ self.v["jastrow"]).sum(axis=(1, 2))
        a = self.waves(r, s, h, self.occupied)
        phase, log = np.linalg.slogdet(a)
        if self.classes:
            factor = self.excited(np.linalg.solve(a, self.waves(r, s, h, self.virtual)))
            phase, log = phase * np.sign(factor), log + np.log(np.abs(factor))
        return phase, log + jastrow

    def excited(self, ratios):
        """1 + sum_o c_o T_o from ratios of determinants with one column replaced, (W, n, 2 v): of
        two replaced columns it is a determinant of four ratios.
        """
        if not hasattr(self, "_terms"):
            self._terms = self._list()
        (k, q, l, p), weight = self._terms
        total = ratios[:, k, q] * ratios[:, l, p] - ratios[:, k, p] * ratios[:, l, q]
        return 1 + (total @ weight).real

    def _list(self):
        """Columns k -> q, l -> p of all members, spin by spin, and their weights."""
        half, v, out = self.n // 2, len(self.virtual), []
        for c, (like, members) in zip(self.coefficients, self.classes, strict=True):
            for (k, l, q, p), sign in members.items():
                at = [self.occupied.index(k), self.occupied.index(l)]
                to = [self.virtual.index(q), self.virtual.index(p)]
                weight = c * sign / np.sqrt(len(members))
                for a, b in ((0, 0), (1, 1)) if like else ((0, 1),):
                    columns = at[0] + a * half, to[0] + a * v, at[1] + b * half, to[1] + b * v
                    out.append((columns, weight))
        return np.array([x for x, _ in out]).T, np.array([w for _, w in out])

    def explicit(self, r, s):
        """psi/psi without excitations (W,), every excitation a determinant of its own."""
        h = self.hidden(r, s)
        a, v = self.waves(r, s, h, self.occupied), self.waves(r, s, h, self.virtual)
        plain, total = np.linalg.det(a), 1.0
        for (k, q, l, p), weight in zip(self._list()[0].T, self._list()[1], strict=True):
            lifted = a.copy()
            lifted[:, :, k], lifted[:, :, l] = v[:, :, q], v[:, :, p]
            total = total + weight * (np.linalg.det(lifted) / plain)
        return np.real(total)

    def ratio(self, r, s, here):
        """psi(r, s)/psi of `here`, real, (W,)."""
        phase, log = self.psi(r, s)
        ratio = phase / here[0] * np.exp(log - here[1])
        assert np.abs(ratio.imag).max() < 1e-6 * (1 + np.abs(ratio.real).max())
        return ratio.real

    def local(self, r, s, h=2e-3):
        """Local values (W,) of every term, MeV: names as in run files."""
        here, count, flat = self.psi(r, s), len(r), r.reshape(len(r), -1)
        laplacian = 0.0
        for c in range(flat.shape[1]):
            for step, weight in ((-2, -1), (-1, 16), (0, -30), (1, 16), (2, -1)):
                if step == 0:
                    laplacian = laplacian + weight
                    continue
                moved = flat.copy()
                moved[:, c] += step * h * self.unit
                laplacian = laplacian + weight * self.ratio(moved.reshape(r.shape), s, here)
        kinetic = -(HBAR_C**2) / (2 * MASS) * laplacian / (12 * (h * self.unit) ** 2)
        depth = HBAR_C * C01 / (np.pi**1.5 * R1**3)
        diagonal, exchange = np.zeros(count), np.zeros(count)
        for i, j in combinations(range(self.n), 2):
            differ = s[:, i] != s[:, j]  # (1 - P)/2 of a pair with equal labels is 0
            if not differ.any():
                continue
            v = depth * images(r[:, i] - r[:, j], self.length, R1) * differ
            labels = s.copy()
            labels[:, i], labels[:, j] = s[:, j], s[:, i]
            diagonal += 0.5 * v
            exchange -= 0.5 * v * self.ratio(r, labels, here)
        strength = C_E * HBAR_C**6 / (PION**4 * CUTOFF * np.pi**3 * R3**6)
        g = images(r[:, :, None] - r[:, None], self.length, R3)
        i, j, k = np.array(list(combinations(range(self.n), 3))).T
        ij, jk, ki = g[:, i, j], g[:, j, k], g[:, k, i]
        three = strength * (ij * jk + jk * ki + ki * ij).sum(axis=1)
        return {
            "kinetic": kinetic,
            "pair_diagonal": diagonal,
            "pair_exchange": exchange,
            "three_body": three,
        }

    def energy(self, walkers, measurements, apart, seed, step=0.2, warmup=300):
        """{term: (mean, error between walkers)} of every term and their sum, MeV in all, from a
        uniform start.
        """
        rng = np.random.default_rng(seed)
        r = self.length * rng.uniform(size=(walkers, self.n, 3))
        s = np.tile(self.spins, (walkers, 1))
        log, sums = self.psi(r, s)[1], {}
        for k in range(-warmup // apart, measurements):
            taken = 0.0
            for _ in range(apart):
                trial = r + step * self.unit * rng.normal(size=r.shape)
                new = self.psi(trial, s)[1]
                accept = np.log(rng.uniform(size=walkers)) < 2 * (new - log)
                r, log = np.where(accept[:, None, None], trial, r), np.where(accept, new, log)
                taken += accept.mean() / apart
            if k < 0:
                step *= np.exp(taken - 0.5)
                continue
            terms = self.local(r, s)
            for name, value in {**terms, "energy": sum(terms.values())}.items():
                sums[name] = sums.get(name, 0.0) + value / measurements
        return {k: (x.mean(), x.std(ddof=1) / np.sqrt(walkers)) for k, x in sums.items()}
