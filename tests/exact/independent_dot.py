"""Electrons in a trap a second time: the message-passing determinant, its local energy and a
Metropolis walk from plain NumPy alone, nothing shared with vmcnet but the numbers of the
parameters.

Every ordered pair of particles is written out, orbitals are monomials (the determinant is the same
up to a constant), derivatives are fourth-order differences, random numbers are NumPy's own.
"""

import numpy as np

MONOMIALS = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3)]


class Dot:
    """n electrons in d dimensions, the first half or the first `up` of them up; parameters: name ->
    array, as a run prints them.
    """

    def __init__(self, n, omega, parameters, passes=2, up=None, d=2):
        self.n, self.omega, self.passes, self.d = n, omega, passes, d
        self.up = n // 2 if up is None else up
        self.slater = {
            k.removeprefix("slater."): np.asarray(v)
            for k, v in parameters.items()
            if k.startswith("slater.")
        }
        self.beta = {k: float(parameters[f"jastrow.beta_{k}"]) for k in ("like", "unlike")}
        self.spin = np.where(np.arange(n) < self.up, 1.0, -1.0)
        self.others = ~np.eye(n, dtype=bool)

    def _layer(self, x, name):
        p = self.slater
        return np.tanh(x @ p[f"network_{name}_weights"] + p[f"network_{name}_bias"])

    def hidden(self, r):
        """h (walkers, n, width) of coordinates r (walkers, n, d)."""
        x = r * np.sqrt(self.omega)
        apart = x[:, :, None] - x[:, None]
        square = (apart**2).sum(axis=-1)
        pair = np.concatenate(
            [
                apart / np.sqrt(1.0 + square)[..., None],
                (square / (1.0 + np.sqrt(square)) / 2.0)[..., None],
                np.broadcast_to(self.spin[:, None] * self.spin, square.shape)[..., None],
            ],
            axis=-1,
        )
        pair = self._layer(pair, "pair")
        one = np.concatenate([x, 0.5 * (x**2).sum(axis=-1, keepdims=True)], axis=-1)
        h, p = self._layer(one, "one"), self.slater
        for t in range(1, self.passes + 1):
            edge = self._layer(pair, f"edge{t}")
            sent = h @ p[f"network_value{t}_weights"]
            m = np.einsum("wijf,wjf,ij->wif", edge, sent, self.others.astype(float))
            m = m @ p[f"network_message{t}_weights"] / np.sqrt(self.n)
            inner = h @ p[f"network_own{t}_weights"] + m + p[f"network_update{t}_bias"]
            h = h + np.tanh(inner)
        return h

    def log(self, r):
        """log|psi| up to a constant, (walkers,)."""
        total = self.determinants(r) - 0.5 * self.alpha * self.omega * (r**2).sum(axis=(1, 2))
        for i in range(self.n):
            for j in range(i):
                distance = np.linalg.norm(r[:, i] - r[:, j], axis=-1)
                like = self.spin[i] == self.spin[j]
                beta = self.beta["like" if like else "unlike"]
                cusp = 1 / (self.d + 1) if like else 1 / (self.d - 1)
                total = total + cusp * distance / (1.0 + beta * distance)
        return total

    @property
    def alpha(self):
        return float(self.slater["alpha"])

    def determinants(self, r):
        """log of the determinants and of the network's factor, (walkers,)."""
        p, h = self.slater, self.hidden(r)
        x = np.sqrt(self.alpha * self.omega) * (r + h @ p["backflow"] / np.sqrt(self.omega))
        powers = MONOMIALS[: self.up]
        orbitals = np.stack([x[..., 0] ** a * x[..., 1] ** b for a, b in powers], -1)
        blocks = orbitals[:, : self.up], orbitals[:, self.up :]
        total = sum(np.linalg.slogdet(block)[1] for block in blocks)
        return total + (h @ p["jastrow"]).sum(axis=(1, 2))

    def local_energy(self, r, step=2e-3):
        """-1/2 (lap log psi + |grad log psi|^2) + trap + repulsion, (walkers,)."""
        h, here = step / np.sqrt(self.omega), self.log(r)
        kinetic = np.zeros(len(r))
        for c in range(self.d * self.n):
            way = np.zeros(self.d * self.n)
            way[c] = h
            far, near, ahead, beyond = (
                self.log(r + k * way.reshape(self.n, self.d)) for k in (-2, -1, 1, 2)
            )
            slope = (far - 8 * near + 8 * ahead - beyond) / (12 * h)
            curvature = (-far + 16 * near - 30 * here + 16 * ahead - beyond) / (12 * h * h)
            kinetic -= 0.5 * (curvature + slope**2)
        potential = 0.5 * self.omega**2 * (r**2).sum(axis=(1, 2))
        for i in range(self.n):
            for j in range(i):
                potential += 1.0 / np.linalg.norm(r[:, i] - r[:, j], axis=-1)
        return kinetic + potential

    def energy(self, walkers, measurements, apart=10, thermal=300, seed=11):
        """Mean and error between walkers of a Metropolis walk of its own."""
        rng = np.random.default_rng(seed)
        r = rng.standard_normal((walkers, self.n, self.d)) / np.sqrt(self.omega)
        log, step, sums = self.log(r), 0.25 / np.sqrt(self.omega), np.zeros(walkers)
        for t in range(thermal + measurements * apart):
            trial = r + step * rng.standard_normal(r.shape)
            new = self.log(trial)
            accepted = np.log(rng.uniform(size=walkers)) < 2 * (new - log)
            r, log = np.where(accepted[:, None, None], trial, r), np.where(accepted, new, log)
            if t < thermal:
                step *= 1.0 + 0.05 * (accepted.mean() - 0.5)
            elif (t - thermal) % apart == apart - 1:
                sums += self.local_energy(r)
        means = sums / measurements
        return means.mean(), means.std(ddof=1) / np.sqrt(walkers)
