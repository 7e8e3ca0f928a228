"""The Ising model on a periodic square lattice of any finite size, exactly."""

from __future__ import annotations

import numpy as np

HOT = 1000.0  # where differences of ln Z lose digits, and the next loops are below 1e-9


def log_partition(rows: int, columns: int, coupling: float) -> float:
    """ln Z of the rows x columns torus at K = J/T > 0: Z = 1/2 (2 sinh 2K)^(rows columns/2) (Z1 +
    Z2 + Z3 +- Z4), + below the critical K.

    Z1, Z2 = prod_r 2 cosh, 2 sinh(rows g_{2r+1}/2), Z3, Z4 the same of g_{2r}; cosh g_l = coth 2K
    cosh 2K - cos(pi l/columns), and
    g_0 = 2K + ln tanh K. B. Kaufman, Phys. Rev. 76, 1232 (1949); A. E. Ferdinand and M. E. Fisher,
    Phys. Rev. 185, 832 (1969).
    """
    k = np.longdouble(coupling)
    odd, even = (np.arange(start, 2 * columns, 2) for start in (1, 0))

    def gamma(index: np.ndarray) -> np.ndarray:
        angle = np.pi * index.astype(np.longdouble) / columns
        return np.arccosh(np.cosh(2 * k) / np.tanh(2 * k) - np.cos(angle))

    g_odd, g_even = gamma(odd), gamma(even)
    g_even[0] = 2 * k + np.log(np.tanh(k))

    def logs(g: np.ndarray) -> tuple[np.longdouble, np.longdouble, np.longdouble]:
        half = rows * g / 2
        cosh = (np.abs(half) + np.log1p(np.exp(-2 * np.abs(half)))).sum()
        sinh = (np.abs(half) + np.log(np.abs(np.expm1(-2 * np.abs(half))))).sum()
        return cosh, sinh, np.longdouble(np.prod(np.sign(half)))

    (c1, s1, sign1), (c3, s3, sign3) = logs(g_odd), logs(g_even)
    top = max(c1, s1, c3, s3)
    total = (
        np.exp(c1 - top) + sign1 * np.exp(s1 - top) + np.exp(c3 - top) + sign3 * np.exp(s3 - top)
    )
    return (
        top
        + np.log(total)
        - np.log(np.longdouble(2))
        + rows * columns * np.log(2 * np.sinh(2 * k)) / 2
    )


def torus_thermodynamics(rows: int, columns: int, temperature: float) -> tuple[float, float]:
    """Energy and heat capacity of the whole torus (J = 1): -d ln Z/dK and K^2 d^2 ln Z/dK^2, by
    differences of sixth order in long double, above T = HOT from the loops of up to four bonds.
    """
    if temperature > HOT:
        return _hot(rows, columns, temperature)
    k, h = 1.0 / temperature, 2e-3 / temperature
    f = np.array([log_partition(rows, columns, k + m * h) for m in range(-3, 4)])
    first = (45 * (f[4] - f[2]) - 9 * (f[5] - f[1]) + (f[6] - f[0])) / (60 * h)
    second = (-490 * f[3] + 270 * (f[2] + f[4]) - 27 * (f[1] + f[5]) + 2 * (f[0] + f[6])) / (
        180 * h * h
    )
    return float(-first), float(k * k * second)


def _hot(rows: int, columns: int, temperature: float) -> tuple[float, float]:
    """ln Z = sum_b ln cosh K_b + ln(1 + triangles v^3 + squares v^4 + ...), v = tanh K: energy and
    heat capacity. Loops that close around a period of 3 or 4 count as well. Around a period of 2
    two bonds join the same sites: one of strength 2K.
    """
    k = 1.0 / temperature
    sites = rows * columns
    strengths = [2.0 if length == 2 else 1.0 for length in (rows, columns)]
    bonds = [sites / 2.0 if length == 2 else float(sites) for length in (rows, columns)]
    down, along = strengths
    squares = sites / max(down * along, 1.0)  # plaquettes of different sites
    loops: list[tuple[float, tuple[float, ...]]] = [(squares, (down, down, along, along))]
    for length, other, strength in ((rows, columns, down), (columns, rows, along)):
        if length in (3, 4):
            loops.append((float(other), (strength,) * length))
    slope = sum(n * x * np.tanh(x * k) for n, x in zip(bonds, strengths, strict=True))
    curve = sum(n * x * x / np.cosh(x * k) ** 2 for n, x in zip(bonds, strengths, strict=True))
    for number, members in loops:
        v = np.tanh(np.array(members) * k)
        rate = np.array(members) / np.cosh(np.array(members) * k) ** 2 / v  # (ln v)'
        turn = -(rate**2) - 2.0 * np.array(members) * v * rate  # (ln v)''
        term = number * v.prod()
        slope += term * rate.sum()
        curve += term * (rate.sum() ** 2 + turn.sum())
    return float(-slope), float(k * k * curve)
