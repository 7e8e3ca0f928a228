"""The electron gas of a Slater determinant with backflow, pair excitations and a Pade factor, by a
program that shares nothing with the engine: psi written out in NumPy over ordered pairs,
derivatives by differences, an Ewald sum and a sampler of its own.

Parameters come by their names; everything else follows from the formulas.
"""

from itertools import product

import numpy as np
from scipy.special import erfc

from tests.exact.independent_excitations import excitations, plane_waves
from tests.exact.independent_network import hidden


class Gas:
    """psi of N electrons, half of them up, in a square or cube of length L = r_s (pi N)^(1/2) or
    r_s (4 pi N/3)^(1/3).
    """

    def __init__(self, n, r_s, d, values, shells=0, passes=2):
        self.n, self.d, self.r_s, self.v, self.passes = n, d, r_s, values, passes
        power = np.pi if d == 2 else 4 * np.pi / 3
        self.length, self.spins = r_s * (power * n) ** (1 / d), np.repeat([1, -1], n // 2)
        self.occupied, self.virtual = plane_waves(n // 2, shells, d)
        self.classes = excitations(self.occupied, self.virtual) if shells else []
        at, to = ({m: k for k, m in enumerate(s)} for s in (self.occupied, self.virtual))
        self.terms = [
            np.array([[at[k], at[l], to[q], to[p], sign] for (k, l, q, p), sign in terms.items()]).T
            for _, terms in self.classes
        ]

    def hidden(self, r):
        """States (W, n, F) of the network."""
        v = {k.removeprefix("slater.network_"): x for k, x in self.v.items()}
        return hidden(v, r, np.broadcast_to(self.spins, r.shape[:2]), self.length, self.passes)

    def log(self, r):
        """log|psi| (W,)."""
        h = self.hidden(r)
        x = r + self.r_s * h @ self.v["slater.backflow"]
        out = (h @ self.v["slater.jastrow"]).sum(axis=(1, 2))
        wave = 2j * np.pi / self.length
        half, ratios = self.n // 2, []
        for rows in (slice(0, half), slice(half, None)):
            a = np.exp(wave * x[:, rows] @ np.array(self.occupied).T)
            out = out + np.linalg.slogdet(a)[1]
            if self.classes:
                ratios.append(
                    np.linalg.solve(a, np.exp(wave * x[:, rows] @ np.array(self.virtual).T))
                )
        if self.classes:
            out = out + np.log(np.abs(self.excited(*ratios)))
        i, j = np.triu_indices(self.n, 1)
        apart = np.sin(np.pi * (r[:, i] - r[:, j]) / self.length)
        distance = self.length / np.pi * np.sqrt((apart**2).sum(axis=-1))
        equal = self.spins[i] == self.spins[j]
        cusp = np.where(equal, 1 / (self.d + 1), 1 / (self.d - 1))
        beta = np.where(equal, self.v["jastrow.beta_like"], self.v["jastrow.beta_unlike"])
        return out + (cusp * distance / (1 + beta * distance)).sum(axis=1)

    def excited(self, u, v):
        """1 + sum_o c_o/sqrt(members) of the ratios of determinants with two waves replaced."""
        total = 1.0
        for c, (like, _), (k, l, q, p, sign) in zip(
            self.v["slater.excitations"], self.classes, self.terms, strict=True
        ):
            k, l, q, p = (index.astype(int) for index in (k, l, q, p))
            if like:
                part = sum(x[:, k, q] * x[:, l, p] - x[:, k, p] * x[:, l, q] for x in (u, v))
            else:
                part = u[:, k, q] * v[:, l, p]
            total = total + c / np.sqrt(len(k)) * (sign * part).sum(axis=1)
        return total

    def kinetic(self, r, h=3e-3):
        """-1/2 (lap log psi + |grad log psi|^2) by differences of fourth order (W,)."""
        here, square, laplacian = self.log(r), 0.0, 0.0
        for c in range(r[0].size):
            a = h * self.r_s
            moved = np.stack([r.reshape(len(r), -1)] * 4)
            moved[:, :, c] += a * np.array([[-2], [-1], [1], [2]])
            f = self.log(moved.reshape(-1, *r.shape[1:])).reshape(4, len(r))
            square = square + ((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * a)) ** 2
            second = -f[0] + 16 * f[1] - 30 * here + 16 * f[2] - f[3]
            laplacian = laplacian + second / (12 * a * a)
        return -0.5 * (laplacian + square)

    def coulomb(self, r, splitting=7.0):
        """Ewald sum in three dimensions, every image and wave vector of a cube of them (W,)."""
        kappa, i, j = splitting / self.length, *np.triu_indices(self.n, 1)
        g = np.array([m for m in product(range(-11, 12), repeat=3) if any(m)])
        g = 2 * np.pi / self.length * g[(g * g).sum(axis=1) <= 121]
        square = (g * g).sum(axis=1)
        weight = 4 * np.pi / self.length**3 * np.exp(-square / (4 * kappa**2)) / square
        images = np.array(list(product((-1, 0, 1), repeat=3))) * self.length
        out = np.empty(len(r))
        for w, one in enumerate(r):
            x = one[i] - one[j]
            x -= self.length * np.round(x / self.length)
            distance = np.sqrt(((x[:, None] + images) ** 2).sum(axis=-1))
            rho = np.exp(1j * one @ g.T).sum(axis=0)
            out[w] = (erfc(kappa * distance) / distance).sum()
            out[w] += 0.5 * (weight * (np.abs(rho) ** 2 - self.n)).sum()
        back = len(i) * np.pi / (kappa**2 * self.length**3)
        return out - back - 0.5 * self.n * 2.8372974794806 / self.length

    def energy(self, walkers, measurements, apart, seed, step):
        """Mean of E_L and its error between walkers, from a uniform start."""
        rng = np.random.default_rng(seed)
        r = self.length * rng.uniform(size=(walkers, self.n, self.d))
        log, sums = self.log(r), np.zeros(walkers)
        for k in range(measurements + 8):
            taken = 0.0
            for _ in range(apart if k >= 8 else 2 * apart):
                trial = r + step * rng.normal(size=r.shape)
                new = self.log(trial)
                accept = np.log(rng.uniform(size=walkers)) < 2 * (new - log)
                r, log = np.where(accept[:, None, None], trial, r), np.where(accept, new, log)
                taken += accept.mean()
            if k < 8:
                step *= np.exp(taken / (2 * apart) - 0.5)
            else:
                sums += self.kinetic(r) + self.coulomb(r)
        means = sums / measurements
        return means.mean(), means.std(ddof=1) / np.sqrt(walkers)
