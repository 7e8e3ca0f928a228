"""What figures of a run show: one function each, draw(axis, run), False where nothing is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vmcnet.runs.reading import Run
from vmcnet.statistics.blocking import blocking_curve
from vmcnet.statistics.format import raised
from vmcnet.statistics.tails import edges

# Okabe and Ito: told apart by all eyes, legible on white and on black
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A8A00")
POINTS = 600  # at most so many along a curve


def binned(x: np.ndarray, most: int = POINTS) -> np.ndarray:
    """Means of equal stretches, at most `most`; what is left over at the front is dropped."""
    width = max(1, -(-len(x) // most))
    return x[len(x) % width :].reshape(-1, width).mean(axis=1)


def positions(count: int, most: int = POINTS) -> np.ndarray:
    """Where the stretches of `binned` end, counted from 1."""
    width = max(1, -(-count // most))
    return np.arange(count % width + width, count + 1, width)


def axis_of(run: Run) -> tuple[float, str]:
    """What energies are divided by, and how their axis is called."""
    return run.told_system.share, f"energy{units_of(run)}"


def units_of(run: Run) -> str:
    """What follows the name of an energy on an axis."""
    each = f" / {run.told_system.per_particle}" if run.told_system.per_particle else ""
    return f"{each} ({run.told_system.units})"


def above(axis: Any, columns: int = 3) -> None:
    """The legend above the axes, where no curve is."""
    axis.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.2,
        handlelength=1.6,
    )


def reference_of(run: Run) -> float | None:
    found = run.told_system.reference_of(run.told_wavefunction)
    return None if found is None else found[0] / run.told_system.share


def training(axis: Any, run: Run) -> bool:
    """Energy against iteration, the error of an iteration as a band, and the last evaluation."""
    if not run.file.rows:
        return False
    share, label = axis_of(run)
    energy, error = run.training["energy"] / share, run.training["error"] / share
    x, y, band = positions(len(energy)), binned(energy), binned(error)
    axis.fill_between(x, y - band, y + band, color=COLOURS[0], alpha=0.25, linewidth=0)
    axis.plot(x, y, color=COLOURS[0], label="training")
    lines = [y[len(y) // 4 :]]
    if run.evaluations:
        level = run.evaluations[-1].energy / share
        axis.axhline(level, color=COLOURS[1], label="evaluation")
        lines.append(np.array([level]))
    reference = reference_of(run)
    if reference is not None:
        axis.axhline(reference, color=COLOURS[4], linestyle="--", label="reference")
        lines.append(np.array([reference]))
    shown = np.concatenate(lines)
    shown = shown[np.isfinite(shown)]
    margin = 0.2 * np.ptp(shown) or 1e-6 * max(1.0, abs(shown[0]))
    axis.set(xlabel="iteration", ylabel=label, ylim=(shown.min() - margin, shown.max() + margin))
    above(axis)
    return True


def distance(axis: Any, run: Run) -> bool:
    """|E - reference| and its running mean; without a reference the last evaluation."""
    if run.file.rows < 4:
        return False
    share, _ = axis_of(run)
    energy, target, name = run.training["energy"] / share, reference_of(run), "reference"
    if target is None:
        if not run.evaluations:
            return False
        target, name = run.evaluations[-1].energy / share, "evaluation"
    apart = np.abs(binned(energy) - target)
    x = positions(len(energy))
    good = apart > 0
    if not good.any():
        return False
    window = max(1, len(apart) // 20)
    mean = np.abs(np.convolve(binned(energy) - target, np.ones(window) / window, "valid"))
    axis.loglog(x[good], apart[good], color=COLOURS[0], alpha=0.35, linewidth=0.8)
    axis.loglog(x[window - 1 :], np.where(mean > 0, mean, np.nan), color=COLOURS[0])
    if run.evaluations and run.evaluations[-1].error > 0:
        level = run.evaluations[-1].error / share
        axis.axhline(level, color=COLOURS[1], label="error of the evaluation")
        above(axis)
    axis.set(xlabel="iteration", ylabel=f"|energy - {name}|{units_of(run)}")
    return True


def terms(axis: Any, run: Run) -> bool:
    """The terms of the energy against iteration."""
    names = sorted(k for k in run.training if k.startswith("terms/"))
    if len(names) < 2:
        return False
    share = run.told_system.share
    for name, colour in zip(names, COLOURS * len(names), strict=False):
        series = run.training[name] / share
        label = name.split("/", 1)[1].replace("_", " ")
        axis.plot(positions(len(series)), binned(series), color=colour, label=label)
    axis.set(xlabel="iteration", ylabel=axis_of(run)[1])
    above(axis)
    return True


def acceptance(axis: Any, run: Run) -> bool:
    """Acceptance, and the size of the steps relative to the first."""
    if not run.file.rows:
        return False
    x = positions(run.file.rows)
    axis.plot(x, binned(run.training["acceptance"]), color=COLOURS[0], label="acceptance")
    size = run.training["step_size"]
    if size[0] > 0 and np.ptp(size) > 0:
        axis.plot(x, binned(size) / size[0], color=COLOURS[1], label="step size / first")
    axis.set(xlabel="iteration", ylim=(0, None))
    above(axis)
    return True


def norms(axis: Any, run: Run) -> bool:
    """Norms of gradient and step."""
    if not run.file.rows:
        return False
    x = positions(run.file.rows)
    for name, colour in (("gradient", COLOURS[0]), ("step", COLOURS[1])):
        series = binned(run.training[f"{name}_norm"])
        if (series > 0).any():
            axis.semilogy(x, np.where(series > 0, series, np.nan), color=colour, label=name)
    if not axis.lines:
        return False
    axis.set(xlabel="iteration", ylabel="norm")
    above(axis)
    return True


def extrapolation(axis: Any, run: Run) -> bool:
    """Energy against variance of E_L along training, and the straight line down to variance 0, an
    estimate of the exact energy; points alone where it was refused.
    """
    line = run.zero_variance
    if line is None or line.points.shape[1] < 3 or not np.isfinite(line.points).all():
        return False
    share, label = axis_of(run)
    x, y, error = line.points[0], *(line.points[1:] / share)
    axis.errorbar(x, y, error, fmt="o", markersize=3, color=COLOURS[0], label="segments")
    if not line.refused:
        ends = np.array([0.0, x.max()])
        axis.plot(ends, (line.energy + line.slope * ends) / share, color=COLOURS[1])
        axis.errorbar(
            0.0,
            line.energy / share,
            line.error / share,
            fmt="s",
            markersize=4,
            color=COLOURS[1],
            label="estimate at variance 0",
            clip_on=False,
        )
    reference = reference_of(run)
    if reference is not None:
        axis.axhline(reference, color=COLOURS[4], linestyle="--", label="reference")
    above(axis, 2)
    units = run.told_system.units
    square = f"({units})^2" if " " in units else f"{units}^2"
    variance = raised(f"variance of the local energy ({square})")
    axis.set(xlabel=variance, ylabel=label, xlim=(0, None))
    return True


def blocking(axis: Any, run: Run) -> bool:
    """Error of the mean energy against block size; the error between walkers as a line."""
    if not run.file.evaluations:
        return False
    number = max(run.file.evaluations)
    share, result = run.told_system.share, run.evaluations[-1]
    curve = blocking_curve(run.file.evaluations[number]["energy"])
    axis.errorbar(
        curve.sizes,
        curve.errors / share,
        curve.error_errors / share,
        fmt="o-",
        markersize=3,
        color=COLOURS[0],
        label="blocking",
    )
    for value, text, style, colour in (
        (result.estimates["energy"].blocking, "plateau", ":", COLOURS[0]),
        (result.error, "between walkers", "--", COLOURS[1]),
    ):
        if math.isfinite(value) and value > 0:
            axis.axhline(value / share, linestyle=style, color=colour, label=text)
    axis.set(xlabel="block size (measurements)", ylabel=f"error of the mean{units_of(run)}")
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda x, position: f"{x:g}")
    if (curve.errors > 0).all():
        axis.set_yscale("log")
    above(axis)
    return True


def autocorrelation(axis: Any, run: Run) -> bool:
    """Autocorrelation of the energy of the measurements, with the integrated time."""
    if not run.file.evaluations:
        return False
    x = np.asarray(run.file.evaluations[max(run.file.evaluations)]["energy"])
    if len(x) < 8 or x.std() == 0:
        return False
    x = x - x.mean()
    spectrum = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2
    rho = np.fft.irfft(spectrum)[: len(x)]
    rho = rho / rho[0]
    time = run.evaluations[-1].autocorrelation
    lags = int(min(len(x) - 1, max(10, 10 * np.nan_to_num(time, nan=1.0))))
    axis.plot(np.arange(lags + 1), rho[: lags + 1], "o-", markersize=3, color=COLOURS[0])
    noise = 2.0 / np.sqrt(len(x))
    axis.axhspan(-noise, noise, color=COLOURS[0], alpha=0.15, linewidth=0)
    axis.set(xlabel="lag (measurements)", ylabel="autocorrelation of the energy")
    return True


def tails(axis: Any, run: Run) -> bool:
    """Share of local energies farther from the median than a distance: straight where heavy."""
    if not run.file.evaluations:
        return False
    content = run.file.evaluations[max(run.file.evaluations)]
    if "tail/bin" not in content or not len(content["tail/bin"]):
        return False
    bins, counts = np.asarray(content["tail/bin"]), np.asarray(content["tail/count"])
    beyond = np.cumsum(counts[::-1])[::-1] / counts.sum()
    axis.loglog(edges()[bins], beyond, color=COLOURS[0])
    top = edges()[bins][-1]
    guide = np.array([0.1 * top, top])
    for power, style in ((2.0, ":"), (3.0, "--")):
        level = beyond[np.searchsorted(edges()[bins], 0.1 * top).clip(0, len(beyond) - 1)]
        axis.loglog(
            guide,
            level * (guide / guide[0]) ** -power,
            style,
            color=COLOURS[1],
            label=f"power {-power:g}",
        )
    first = edges()[bins][np.searchsorted(-beyond, -0.9)]
    axis.set(xlabel=f"|local energy - median| ({run.told_system.units})", ylabel="share beyond")
    axis.set_xlim(left=0.5 * first)
    above(axis)
    return True


FIGURES: dict[str, Callable] = {
    "training": training,
    "distance": distance,
    "terms": terms,
    "acceptance": acceptance,
    "norms": norms,
    "extrapolation": extrapolation,
    "blocking": blocking,
    "autocorrelation": autocorrelation,
    "tails": tails,
}
