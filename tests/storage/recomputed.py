"""Every figure of `vmcnet report`, recomputed from the run file with h5py and NumPy alone: nothing
of vmcnet is imported.

python recomputed.py run.h5 prints {name of the figure: text}, one a line. The formulas are those of
docs/guarantees.md.
"""

import math
import sys
from itertools import pairwise

import h5py
import numpy as np


def with_error(value, error):
    """value(error in units of its last digit), one digit of error, two where it begins with 1."""
    if not math.isfinite(error):
        return f"{value:.6g}(?)"
    if error <= 1e-14 * abs(value):
        return f"{value:.10f}(0)"
    mantissa, power = f"{error:.0e}".split("e")
    digits = int(mantissa == "1") - int(power)
    scaled = round(error * 10.0**digits)
    return (
        f"{value:.{digits}f}({scaled})"
        if digits > 0
        else f"{round(value, digits):.0f}({scaled * 10**-digits})"
    )


def blocked(x):
    """Error of the mean at the first level with size^3 > 2 n (error/first error)^4, or NaN."""
    n, size, first = len(x), 1, None
    while len(x) >= 2:
        error = math.sqrt(x.var() / (len(x) - 1))
        first = error if first is None else first
        if first == 0.0:
            return 0.0
        if float(size) ** 3 > 2.0 * n * (error / first) ** 4:
            return error
        x = x[len(x) % 2 :]
        x, size = 0.5 * (x[0::2] + x[1::2]), 2 * size
    return math.nan


def autocorrelation(x):
    """1 + 2 sum of rho(t) up to the first t >= 5 tau(t), by direct sums."""
    n, y = len(x), x - x.mean()
    variance, tau = float(y @ y), 1.0
    for t in range(n):
        tau += 2.0 * float(y[: n - t] @ y[t:]) / variance if t else 0.0
        if t >= 5.0 * tau:
            break
    return tau


def tail(bins, counts, time):
    """Shape of the generalised Pareto distribution of the largest values of N, 3 sqrt N or N/100 of
    them and at most N/5, of which `counts` lie in bins of 1/32 octave from 2^-65 on, and its error.
    """

    def edge(k):
        return 2.0 ** (k // 32 - 65) * (1.0 + (k % 32) / 32.0)

    total, beyond, first = sum(counts), 0, 0
    for first in range(len(counts) - 1, -1, -1):
        beyond += counts[first]
        if beyond >= max(min(0.2 * total, max(3.0 * math.sqrt(total), 0.01 * total)), 1.0):
            break
    bins, counts = [int(b) for b in bins[first:]], np.array(counts[first:], float)
    if beyond < 25 or len(bins) < 20:
        return None
    x = np.array([0.5 * (edge(b) + edge(b + 1)) - edge(bins[0]) for b in bins])
    quarter = next(v for v, c in zip(x, np.cumsum(counts), strict=True) if c >= 0.25 * beyond)
    m = 30 + int(math.sqrt(beyond))
    grid = [1 / x[-1] + (1 - math.sqrt(m / (j - 0.5))) / (3 * quarter) for j in range(1, m + 1)]
    shapes = [float(counts @ np.log1p(-t * x)) / beyond for t in grid]
    logs = [beyond * (math.log(-t / k) - k - 1) for t, k in zip(grid, shapes, strict=True)]
    weights = np.exp(np.array(logs) - max(logs))
    best = float(weights @ grid / weights.sum())
    shape = float(counts @ np.log1p(-best * x)) / beyond
    return shape, (1 + abs(shape)) / math.sqrt(beyond / max(time, 1.0))


def at_variance_0(energy, variance, error):
    """The weighted line of mean energies against median variances of 16 growing segments of a
    training, where the variance is below 5 times the smallest; or why there is none.
    """
    n = len(energy)
    ends = [round(n * 32.0 ** (k / 16 - 1)) for k in range(17)]
    points = [
        (np.median(variance[a:b]), energy[a:b].mean(), math.hypot(*error[a:b]) / (b - a))
        for a, b in pairwise(ends)
        if b > a
    ]
    least = min(x for x, _, _ in points)
    x, y, s = np.array([point for point in points if point[0] <= 5.0 * least]).T
    if x.max() < 1.5 * x.min():
        return f"none, the variances span a factor of {x.max() / x.min():.2f}, a line needs 1.5"
    design = np.stack([np.ones(len(x)), x], axis=1) / s[:, None]
    inverse = np.linalg.inv(design.T @ design)
    c = inverse @ (design.T @ (y / s))
    chi = ((y / s - design @ c) ** 2).sum() / (len(x) - 2)
    if chi > 1.0 + 6.0 * math.sqrt(2.0 / (len(x) - 2)):
        return f"none, energies against variances lie on no line, chi^2 is {chi:.1f} a point"
    spread = np.sqrt(np.diag(inverse) * max(1.0, chi))
    if c[1] < 3.0 * spread[1]:
        return "none, energies do not fall with the variances beyond their errors"
    where = f"by variances from {x.min():.2g} to {x.max():.2g}"
    return f"{with_error(c[0], spread[0])} (an estimate, no bound; {where})"


def figures(path):
    out = {}
    with h5py.File(path) as file:
        training = {
            name: item[:]
            for name, item in file["training"].items()
            if isinstance(item, h5py.Dataset)
        }
        if len(training.get("energy", ())):
            out["iterations"] = f"{len(training['energy'])} iterations"
            out["seconds"] = f"{training['seconds'].sum():.1f} s"
            out["communication"] = (
                f"{100 * training['communication'].sum() / training['seconds'].sum():.1f} % in "
                "communication"
            )
            out["last energy"] = "last energy " + with_error(
                training["energy"][-1], training["error"][-1]
            )
            out["variance 0"] = "energy at variance 0: " + at_variance_0(
                *(training[k] for k in ("energy", "variance", "error"))
            )
            out["training acceptance"] = f"acceptance {training['acceptance'][-1]:.2f}"
        for number, group in sorted(
            file.get("evaluation", {}).items(), key=lambda item: int(item[0])
        ):
            key = f"evaluation {number}"
            energy, mean, m2 = group["energy"][:], group["walker_mean"][:], group["walker_m2"][:]
            steps, walkers = len(energy), mean.shape[2]
            halves = np.array([steps // 2, steps - steps // 2])
            out[key] = (
                f"{walkers} walkers x {steps} measurements at iteration {group.attrs['iteration']}"
            )
            whole = (halves[0] * mean[0] + halves[1] * mean[1]) / steps
            for k, name in enumerate(group.attrs["names"].split(",")):
                series = energy if k == 0 else group[f"terms/{name}"][:]
                error, plateau = whole[k].std(ddof=1) / math.sqrt(walkers), blocked(series)
                out[f"{key} {name}"] = with_error(whole[k].mean(), error)
                out[f"{key} {name} blocking"] = (
                    f"(blocking {plateau:.2g})" if math.isfinite(plateau) else "(no plateau)"
                )
            grand = whole[0].mean()
            total = sum(
                m2[h, 0].sum() + halves[h] * ((mean[h, 0] - grand) ** 2).sum() for h in (0, 1)
            )
            out[f"{key} variance"] = f"variance {total / (steps * walkers):.3g}"
            time = autocorrelation(energy)
            out[f"{key} time"] = f"autocorrelation time {time:.1f}"
            found = tail(group["tail/bin"][:], group["tail/count"][:], time)
            if found:
                out[f"{key} tail"] = f"tail {with_error(*found)}"
            n = steps // 2
            within = (m2[:, 0] / (n - 1)).mean()
            out[f"{key} rhat"] = (
                f"R-hat {math.sqrt((n - 1) / n + mean[:, 0].var(ddof=1) / within):.4f}"
            )
            acceptance, own = group["acceptance"][:].mean(), group["walker_acceptance"][:]
            few = max(0.1 * acceptance, min(5 / group.attrs["tried"], 0.1))
            out[f"{key} acceptance"] = (
                f"acceptance {acceptance:.2f} (walkers {own.min():.2f} to {own.max():.2f}, "
                f"{(own < few).sum()} stuck)"
            )
            out[f"{key} difference from 3"] = (
                f"difference {grand - 3.0:+.2e}, "
                f"{(grand - 3.0) / (whole[0].std(ddof=1) / math.sqrt(walkers)):+.1f} sigma"
            )
    return out


if __name__ == "__main__":
    for name, text in figures(sys.argv[1]).items():
        print(f"{name}\t{text}")
