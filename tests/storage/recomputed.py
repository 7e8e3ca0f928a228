"""Every figure of `vmcnet report`, recomputed from the run file with h5py and NumPy alone: nothing
of vmcnet is imported.

python recomputed.py run.h5 prints {name of the figure: text}, one a line; with a further word all
numbers as JSON, with full digits. The formulas are those of docs/guarantees.md.
"""

import json
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
    """{energy, error, low, high} of the weighted line of mean energies against median variances of
    16 growing segments of a training, where the variance is below 5 times the smallest; {refused}
    where there is none.
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
        span = f"the variances span a factor of {x.max() / x.min():.2f}, a line needs 1.5"
        return {"refused": span}
    c, square, chi = fitted(x, y, s, 1)
    if chi > 1.0 + 6.0 * math.sqrt(2.0 / (len(x) - 2)):
        off = f"energies against variances lie on no line, chi^2 is {chi:.1f} a point"
        return {"refused": off}
    square = square * max(1.0, chi)
    if c[1] < 3.0 * math.sqrt(square[1]):
        return {"refused": "energies do not fall with the variances beyond their errors"}
    curve, bent, _ = fitted(x, y, s, 2)
    noise = max(0.0, max(1.0, chi) * bent[0] - square[0])
    error = math.sqrt(square[0] + max(0.0, (curve[0] - c[0]) ** 2 - noise))
    return {"energy": c[0], "error": error, "low": x.min(), "high": x.max()}


def fitted(x, y, s, degree):
    """Coefficients, their squared errors and chi^2 a degree of freedom of a weighted polynomial."""
    design = np.stack([x**k for k in range(degree + 1)], axis=1) / s[:, None]
    inverse = np.linalg.inv(design.T @ design)
    c = inverse @ (design.T @ (y / s))
    chi = ((y / s - design @ c) ** 2).sum() / max(1, len(x) - degree - 1)
    return c, np.diag(inverse), chi


def estimated(mean, m2, series):
    """Mean, error between chains, blocking error and split R-hat of one quantity; mean and m2 of
    both halves, (2, G).
    """
    steps, n = len(series), len(series) // 2
    whole = (n * mean[0] + (steps - n) * mean[1]) / steps
    within, between = (m2 / (n - 1)).mean(), mean.var(ddof=1)
    return {
        "mean": whole.mean(),
        "error": whole.std(ddof=1) / math.sqrt(len(whole)),
        "blocking": blocked(series),
        "rhat": math.sqrt((n - 1) / n + between / within) if within else math.nan,
    }


def root_mean_square(group):
    """sqrt(<r^2>) and its error by the jackknife over walkers."""
    mean, steps = group["observables/radius/mean"][:, 1], len(group["energy"])
    x = ((steps // 2) * mean[0] + (steps - steps // 2) * mean[1]) / steps
    m = len(x)
    left = np.sqrt((x.sum() - x) / (m - 1))
    value = m * math.sqrt(x.mean()) - (m - 1) * left.mean()
    return [value, math.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum())]


def of_training(group):
    """What is told of a training, by the names of the JSON."""
    series = {k: v[:] for k, v in group.items() if isinstance(v, h5py.Dataset)}
    if not len(series.get("energy", ())):
        return None
    return {
        "iterations": len(series["energy"]),
        "seconds": series["seconds"].sum(),
        "communication": series["communication"].sum() / series["seconds"].sum(),
        "last": {k: v[-1] for k, v in series.items()},
        "zero_variance": at_variance_0(*(series[k] for k in ("energy", "variance", "error"))),
    }


def of_evaluation(group, reference):
    """What is told of an evaluation, by the names of the JSON."""
    energy, mean, m2 = group["energy"][:], group["walker_mean"][:], group["walker_m2"][:]
    steps, walkers = len(energy), mean.shape[2]
    halves = np.array([steps // 2, steps - steps // 2])
    estimates = {}
    for k, name in enumerate(group.attrs["names"].split(",")):
        series = energy if k == 0 else group[f"terms/{name}"][:]
        estimates[name] = estimated(mean[:, k], m2[:, k], series)
    found = estimates["energy"]
    total = sum(
        m2[h, 0].sum() + halves[h] * ((mean[h, 0] - found["mean"]) ** 2).sum() for h in (0, 1)
    )
    time = autocorrelation(energy)
    shape = tail(group["tail/bin"][:], group["tail/count"][:], time)
    acceptance, own = group["acceptance"][:].mean(), group["walker_acceptance"][:]
    few = max(0.1 * acceptance, min(5 / group.attrs["tried"], 0.1))
    observables = {}
    for name in filter(None, group.attrs["observables"].split(",")):
        part = group[f"observables/{name}"]
        observables[name] = {
            label.decode(): estimated(part["mean"][:, k], part["m2"][:, k], part["series"][:, k])
            for k, label in enumerate(part["labels"][:])
        }
    return {
        "walkers": walkers,
        "steps": steps,
        "iteration": int(group.attrs["iteration"]),
        "estimates": {n: {k: e[k] for k in e if k != "rhat"} for n, e in estimates.items()},
        "variance": total / (steps * walkers),
        "autocorrelation": time,
        "rhat": found["rhat"],
        "acceptance": acceptance,
        "walker_acceptance": [own.min(), own.max()],
        "stuck": int((own < few).sum()),
        "tail": shape and dict(zip(("shape", "error"), shape, strict=True)),
        "observables": observables,
        "derived": {"rms radius": root_mean_square(group)} if "radius" in observables else {},
        "difference": found["mean"] - reference,
        "sigmas": (found["mean"] - reference) / found["error"],
    }


def values(path, reference=3.0):
    """All numbers of a run, with full digits; reference: what its energies are compared with."""
    with h5py.File(path) as file:
        numbered = sorted(file.get("evaluation", {}).items(), key=lambda item: int(item[0]))
        return {
            "training": of_training(file["training"]),
            "evaluations": [of_evaluation(group, reference) for _, group in numbered],
        }


def figures(path):
    """{name of a figure: text} of all that the terminal prints."""
    found, out = values(path), {}
    training = found["training"]
    if training:
        last, line = training["last"], training["zero_variance"]
        out["iterations"] = f"{training['iterations']} iterations"
        out["seconds"] = f"{training['seconds']:.1f} s"
        out["communication"] = f"{100 * training['communication']:.1f} % in communication"
        out["last energy"] = "last energy " + with_error(last["energy"], last["error"])
        out["variance 0"] = f"energy at variance 0: {told(line)}"
        out["training acceptance"] = f"acceptance {last['acceptance']:.2f}"
    for number, e in enumerate(found["evaluations"]):
        key = f"evaluation {number}"
        out[key] = (
            f"{e['walkers']} walkers x {e['steps']} measurements at iteration {e['iteration']}"
        )
        for name, x in e["estimates"].items():
            out[f"{key} {name}"] = with_error(x["mean"], x["error"])
            out[f"{key} {name} blocking"] = f"({beside(x)})"
        out[f"{key} variance"] = f"variance {e['variance']:.3g}"
        out[f"{key} time"] = f"autocorrelation time {e['autocorrelation']:.1f}"
        if e["tail"]:
            out[f"{key} tail"] = f"tail {with_error(e['tail']['shape'], e['tail']['error'])}"
        out[f"{key} rhat"] = f"R-hat {e['rhat']:.4f}"
        low, high = e["walker_acceptance"]
        out[f"{key} acceptance"] = (
            f"acceptance {e['acceptance']:.2f} (walkers {low:.2f} to {high:.2f}, "
            f"{e['stuck']} stuck)"
        )
        for name, components in e["observables"].items():
            for label, x in components.items():
                out[f"{key} {name} {label}"] = (
                    f"{name} {label}  {with_error(x['mean'], x['error'])}"
                )
                out[f"{key} {name} {label} beside"] = f"({beside(x)}, R-hat {x['rhat']:.4f})"
        for name, found_of in e["derived"].items():
            out[f"{key} {name}"] = f"{name}  {with_error(*found_of)}"
        out[f"{key} difference from 3"] = (
            f"difference {e['difference']:+.2e}, {e['sigmas']:+.1f} sigma"
        )
    return out


def told(line):
    """The energy at variance 0, or why there is none."""
    if "refused" in line:
        return f"none, {line['refused']}"
    where = f"by variances from {two_digits(line['low'])} to {two_digits(line['high'])}"
    return f"{with_error(line['energy'], line['error'])} (an estimate, no bound; {where})"


def two_digits(x):
    """0.040, 12: two digits, zeros at the end among them."""
    return f"{x:.0f}" if abs(float(f"{x:.1e}")) >= 10.0 else f"{x:#.2g}"


def beside(x):
    return f"blocking {x['blocking']:.2g}" if math.isfinite(x["blocking"]) else "no plateau"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(values(sys.argv[1]), default=float))
        sys.exit()
    for name, text in figures(sys.argv[1]).items():
        print(f"{name}\t{text}")
